//! The server, its account, clients of it, and requests that are made by hand.

use bytes::Bytes;
use erp_core::prelude::*;
use erp_http::transport::NetworkOptions;
use erp_http::{Request, Transport};
use netsuite::{JwtAlgorithm, NetsuiteAuth, NetsuiteClient};
use serde::Deserialize;
use serde_json::Value;
use std::io::Write as _;
use std::sync::{Arc, Once};
use std::time::Duration;
use url::Url;

pub(crate) const TOKEN: &str = "/services/rest/auth/oauth2/v1/token";
pub(crate) const SUITEQL: &str = "/services/rest/query/v1/suiteql";

/// The six that NetSuite takes.
pub(crate) const ALGORITHMS: [JwtAlgorithm; 6] = [
    JwtAlgorithm::Ps256,
    JwtAlgorithm::Ps384,
    JwtAlgorithm::Ps512,
    JwtAlgorithm::Es256,
    JwtAlgorithm::Es384,
    JwtAlgorithm::Es512,
];

/// A certificate as the server mapped it; the key was made by Node.
#[derive(Deserialize)]
pub(crate) struct Certificate {
    pub(crate) id: String,
    algorithms: Vec<String>,
    pub(crate) private_key: String,
}

#[derive(Deserialize)]
pub(crate) struct Tba {
    pub(crate) consumer_key: String,
    pub(crate) consumer_secret: String,
    pub(crate) token: String,
    pub(crate) token_secret: String,
}

#[derive(Deserialize)]
pub(crate) struct Account {
    pub(crate) realm: String,
    pub(crate) client_id: String,
    certificates: Vec<Certificate>,
    pub(crate) tba: Tba,
}

/// The server that this run was given. `None`, and one line that says so, if it was given none.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) account: Account,
    log: String,
}

impl World {
    pub(crate) fn given() -> Option<Self> {
        static SAID: Once = Once::new();
        let Ok(url) = std::env::var("NETSUITE_AUTH_URL") else {
            // Not `eprintln!`: a test that passes would keep that to itself.
            let line =
                b"interop: not run, because NETSUITE_AUTH_URL names no server; interop/run starts one\n";
            SAID.call_once(|| std::io::stderr().write_all(line).unwrap());
            return None;
        };
        let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        let account = std::fs::read_to_string(variable("NETSUITE_AUTH_ACCOUNT")).unwrap();
        let account = serde_json::from_str(&account).unwrap();
        Some(Self { url, account, log: variable("NETSUITE_AUTH_LOG") })
    }

    pub(crate) fn certificate(&self, algorithm: JwtAlgorithm) -> &Certificate {
        let signs = |own: &&Certificate| own.algorithms.iter().any(|name| name == algorithm.name());
        self.account.certificates.iter().find(signs).unwrap()
    }

    pub(crate) fn oauth2(&self, algorithm: JwtAlgorithm) -> NetsuiteAuth {
        let certificate = self.certificate(algorithm);
        NetsuiteAuth::oauth2(
            self.account.client_id.as_str(),
            certificate.id.as_str(),
            certificate.private_key.as_str(),
        )
        .with_algorithm(algorithm)
    }

    pub(crate) fn tba(&self) -> NetsuiteAuth {
        let tba = &self.account.tba;
        NetsuiteAuth::tba(
            tba.consumer_key.as_str(),
            tba.consumer_secret.as_str(),
            tba.token.as_str(),
            tba.token_secret.as_str(),
        )
    }

    pub(crate) fn client(&self, auth: NetsuiteAuth) -> NetsuiteClient {
        NetsuiteClient::builder("netsuite", self.account.realm.as_str())
            .base_url(self.url.as_str())
            .auth(auth)
            .build()
            .unwrap()
    }

    pub(crate) fn at(&self, path: &str) -> Url {
        format!("{}{path}", self.url).parse().unwrap()
    }

    /// Sends a request as it is: status, and the reason that stands in the answer.
    pub(crate) async fn send(&self, request: Request) -> (u16, String) {
        let url = self.url.parse().unwrap();
        let network: Arc<dyn Transport> =
            NetworkOptions::for_url(&url).connect(SystemClock::shared()).unwrap();
        let answer = network.send(request, Duration::from_secs(30), 1 << 20).await.unwrap();
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let reason = body["error_description"].as_str().or(body["o:errorDetails"][0]["detail"].as_str());
        (answer.status.as_u16(), reason.unwrap_or_default().to_owned())
    }

    /// The lines of requests that the server verified and whose path holds `part`.
    pub(crate) fn verified(&self, part: &str) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        log.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }
}

pub(crate) fn json(response: &Bytes) -> Value {
    serde_json::from_slice(response).unwrap()
}

pub(crate) fn now() -> i64 {
    SystemClock::shared().now().as_secs()
}
