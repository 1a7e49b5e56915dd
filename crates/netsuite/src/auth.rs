//! How this connector logs in, and why.
//!
//! `oauth2` is the default: client credentials, proven by an assertion that is signed with a certificate's key. There is no
//! refresh token and no person in it, and the token's own text names role and user.
//!
//! | certificate's key | `algorithm` |
//! | --- | --- |
//! | RSA, 3072 or 4096 bits | `PS256` (the default), `PS384`, `PS512`; PKCS#1 v1.5 (`RS256`) is refused |
//! | EC on P-256, P-384, P-521 | `ES256`, `ES384`, `ES512`, each for its curve |
//!
//! (Oracle's online help, sections 162755332391 and 162790605110.) The key is PEM in PKCS#8, without a passphrase.
//!
//! `tba` is token-based authentication, OAuth 1.0a with HMAC-SHA256. It is for accounts that have it already: no new
//! integration with it can be made from release 2027.1 on, and existing ones end later, tentatively with 2028.1
//! (Oracle's online help, section 0525020842).

pub use erp_http::auth::jwt::JwtAlgorithm;
pub use erp_http::auth::secret::{Secret, SecretSource};

use crate::account::{AccountId, Hosts};
use erp_core::error::{Error, Result};
use erp_core::time::Clock;
use erp_http::auth::jwt::{Assertion, JwtSigner};
use erp_http::auth::oauth1::{OAuth1, OAuth1Keys};
use erp_http::auth::oauth2::{OAuth2, OAuth2Config};
use erp_http::transport::NetworkOptions;
use erp_http::{Authorize, Transport};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Where tokens are issued, on the account's SuiteTalk host.
pub(crate) const TOKEN_PATH: &str = "/services/rest/auth/oauth2/v1/token";
/// What is said to whoever uses token-based authentication.
pub const TBA_ENDS: &str = "token-based authentication ends: from release 2027.1 on no new integration can use it, and existing ones end later (tentatively 2028.1); create a certificate mapping and use type = \"oauth2\"";
/// How long an assertion holds. NetSuite takes at most an hour.
const ASSERTION_LIFE: Duration = Duration::from_secs(300);
/// A token lives for an hour and is renewed at four fifths of it.
const RENEW_BEFORE: Duration = Duration::from_secs(720);

/// How to log in. Any secret is a text, `{ env = "NAME" }` or `{ file = "path" }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum NetsuiteAuth {
    /// OAuth 2.0 client credentials with a certificate (machine to machine).
    Oauth2 {
        /// The client id of the integration record; NetSuite calls it consumer key, too.
        client_id: String,
        /// The certificate id that NetSuite shows after the mapping at Setup > Integration > OAuth 2.0 Client Credentials.
        certificate_id: String,
        /// The certificate's private key, as PEM text.
        private_key: SecretSource,
        /// How the assertion is signed: PS256, PS384 or PS512 for RSA keys; ES256, ES384 or ES512 for keys on P-256, P-384 or
        /// P-521.
        #[serde(default = "ps256")]
        algorithm: JwtAlgorithm,
        /// What the token may be used for. `restlets` is needed for RESTlets only.
        #[serde(default = "rest_alone")]
        scopes: Vec<String>,
        /// How scopes are written into the assertion. Oracle's sample has a list and its text speaks of commas.
        #[serde(default)]
        scope_form: ScopeForm,
    },
    /// Token-based authentication (OAuth 1.0a).
    Tba {
        /// The consumer key of the integration record.
        consumer_key: SecretSource,
        /// Its secret.
        consumer_secret: SecretSource,
        /// The token id.
        token: SecretSource,
        /// Its secret.
        token_secret: SecretSource,
    },
}

/// How scopes are written into an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeForm {
    /// A JSON list.
    #[default]
    List,
    /// One text with commas.
    Commas,
}

fn ps256() -> JwtAlgorithm {
    JwtAlgorithm::Ps256
}

fn rest_alone() -> Vec<String> {
    vec!["rest_webservices".to_owned()]
}

/// What puts the credential on requests, and the token's issuer where there is one.
pub(crate) struct Credential {
    pub(crate) authorize: Arc<dyn Authorize>,
    pub(crate) oauth2: Option<Arc<OAuth2>>,
}

impl NetsuiteAuth {
    /// OAuth 2.0 client credentials, signed with PS256 for the scope of the record service and SuiteQL.
    pub fn oauth2(
        client_id: impl Into<String>,
        certificate_id: impl Into<String>,
        private_key: impl Into<SecretSource>,
    ) -> Self {
        Self::Oauth2 {
            client_id: client_id.into(),
            certificate_id: certificate_id.into(),
            private_key: private_key.into(),
            algorithm: ps256(),
            scopes: rest_alone(),
            scope_form: ScopeForm::List,
        }
    }

    /// As [`oauth2`](NetsuiteAuth::oauth2), signed in another way, such as `Es256` for a key on P-256.
    #[must_use]
    pub fn with_algorithm(mut self, with: JwtAlgorithm) -> Self {
        if let Self::Oauth2 { algorithm, .. } = &mut self {
            *algorithm = with;
        }
        self
    }

    /// Asks for one more scope, such as `restlets`.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        if let Self::Oauth2 { scopes, .. } = &mut self {
            scopes.push(scope.into());
        }
        self
    }

    /// Token-based authentication.
    pub fn tba(
        consumer_key: impl Into<SecretSource>,
        consumer_secret: impl Into<SecretSource>,
        token: impl Into<SecretSource>,
        token_secret: impl Into<SecretSource>,
    ) -> Self {
        Self::Tba {
            consumer_key: consumer_key.into(),
            consumer_secret: consumer_secret.into(),
            token: token.into(),
            token_secret: token_secret.into(),
        }
    }

    /// Whether it is token-based authentication.
    pub const fn is_tba(&self) -> bool {
        matches!(self, Self::Tba { .. })
    }

    pub(crate) fn check(&self) -> Result<()> {
        let Self::Oauth2 { client_id, certificate_id, algorithm, scopes, .. } = self else { return Ok(()) };
        let missing = |name: &str| Error::config(format!("auth.{name} is empty"));
        if client_id.trim().is_empty() {
            return Err(missing("client_id"));
        }
        if certificate_id.trim().is_empty() {
            return Err(missing("certificate_id"));
        }
        if *algorithm == JwtAlgorithm::Rs256 {
            return Err(Error::config(
                "auth.algorithm = \"RS256\" is refused by NetSuite; use PS256 with the same key",
            ));
        }
        let known = ["rest_webservices", "restlets", "suite_analytics"];
        match scopes.iter().find(|scope| !known.contains(&scope.as_str())) {
            Some(other) => {
                Err(Error::config(format!("auth.scopes: {other:?} is none of {}", known.join(", "))))
            }
            None if scopes.is_empty() => Err(missing("scopes")),
            None => Ok(()),
        }
    }

    /// The issuer of tokens is reached by `transport`, or by the network.
    pub(crate) fn credential(
        &self,
        account: &AccountId,
        hosts: &Hosts,
        transport: Option<&Arc<dyn Transport>>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Credential> {
        match self {
            Self::Tba { consumer_key, consumer_secret, token, token_secret } => {
                tracing::warn!(account = %account, "{TBA_ENDS}");
                let keys = OAuth1Keys::new(
                    consumer_key.clone(),
                    consumer_secret.clone(),
                    token.clone(),
                    token_secret.clone(),
                );
                let oauth1 = OAuth1::new(keys, Arc::clone(clock)).with_realm(account.realm());
                Ok(Credential { authorize: Arc::new(oauth1), oauth2: None })
            }
            Self::Oauth2 { client_id, certificate_id, private_key, algorithm, scopes, scope_form } => {
                let token_url = format!("{}{TOKEN_PATH}", hosts.suitetalk);
                let url = Url::parse(&token_url)
                    .map_err(|e| Error::config(format!("base_url cannot be read: {e}")))?;
                let way_out = match transport {
                    Some(transport) => Arc::clone(transport),
                    None => NetworkOptions::for_url(&url).connect(Arc::clone(clock))?,
                };
                let scope = match scope_form {
                    ScopeForm::List => json!(scopes),
                    ScopeForm::Commas => json!(scopes.join(",")),
                };
                let signer = JwtSigner::new(*algorithm, private_key.clone()).with_key_id(certificate_id);
                // A key that cannot sign is told now, and not with the first order.
                signer
                    .sign(&json!({}))
                    .map_err(|e| Error::config(format!("auth.private_key: {}", e.message())))?;
                let assertion = Assertion::new(client_id, &token_url)
                    .with_life(ASSERTION_LIFE)
                    .with_claim("scope", scope);
                let oauth2 = OAuth2Config::client_assertion(token_url, signer, assertion)
                    .with_renew_before(RENEW_BEFORE)
                    .build(way_out, Arc::clone(clock))?;
                let oauth2 = Arc::new(oauth2);
                Ok(Credential { authorize: Arc::clone(&oauth2) as Arc<dyn Authorize>, oauth2: Some(oauth2) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(json: &str) -> Result<NetsuiteAuth, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn every_way_is_read_and_no_secret_is_shown() {
        for json in [
            r#"{"type":"oauth2","client_id":"c","certificate_id":"k","private_key":"hunter2"}"#,
            r#"{"type":"tba","consumer_key":"c","consumer_secret":"hunter2","token":"t","token_secret":"hunter2"}"#,
        ] {
            let auth = auth(json).unwrap();
            auth.check().unwrap();
            assert!(!format!("{auth:?}").contains("hunter2"), "{json}");
        }
    }

    #[test]
    fn what_netsuite_refuses_is_refused_before_it_is_sent() {
        let base = r#"{"type":"oauth2","client_id":"c","certificate_id":"k","private_key":"x""#;
        for (more, says) in [
            (r#","algorithm":"RS256"}"#, "PS256"),
            (r#","scopes":["mcp"]}"#, "rest_webservices"),
            (r#","scopes":[]}"#, "scopes"),
        ] {
            let error = auth(&format!("{base}{more}")).unwrap().check().unwrap_err();
            assert!(error.message().contains(says), "{error}");
        }
    }

    #[test]
    fn the_algorithms_are_those_that_netsuite_takes() {
        let base = r#"{"type":"oauth2","client_id":"c","certificate_id":"k","private_key":"x""#;
        let read = |name: &str| auth(&format!(r#"{base},"algorithm":"{name}"}}"#));
        for name in ["PS256", "PS384", "PS512", "ES256", "ES384", "ES512"] {
            let auth = read(name).unwrap();
            auth.check().unwrap();
            assert!(matches!(auth, NetsuiteAuth::Oauth2 { algorithm, .. } if algorithm.name() == name));
        }
        for name in ["HS256", "RS384", "RS512", "ES256K", "EdDSA", "none", "es512"] {
            assert!(read(name).is_err(), "{name}");
        }
    }
}
