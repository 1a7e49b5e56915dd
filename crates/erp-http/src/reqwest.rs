//! The only file that names reqwest.

use crate::auth::secret::SecretSource;
use crate::request::{Request, Response};
use crate::transport::{NetworkOptions, SendFailure, SendFailureKind, Transport};
use async_trait::async_trait;
use bytes::BytesMut;
use erp_core::error::{Error, Result};
use erp_core::time::Clock;
use std::sync::Arc;
use std::time::Duration;

/// HTTP over TCP and TLS.
#[derive(Debug)]
pub(crate) struct Network {
    client: ::reqwest::Client,
    clock: Arc<dyn Clock>,
}

impl Network {
    pub(crate) fn new(clock: Arc<dyn Clock>, options: &NetworkOptions) -> Result<Self> {
        let mut builder = ::reqwest::Client::builder()
            .redirect(::reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("commerce-erp-sdk/", env!("CARGO_PKG_VERSION")));
        if let Some(source) = &options.client_certificate {
            let identity = ::reqwest::Identity::from_pem(source.read()?.expose().as_bytes());
            builder = builder.identity(identity.map_err(|e| bad_pem("client certificate", source, e))?);
        }
        let mut authorities = Vec::new();
        if let Some(source) = &options.authorities {
            authorities = ::reqwest::Certificate::from_pem_bundle(source.read()?.expose().as_bytes())
                .map_err(|e| bad_pem("certificate authorities", source, e))?;
            if authorities.is_empty() {
                return Err(Error::config(format!("{source} holds no certificate in PEM")));
            }
        }
        builder = if options.loopback {
            builder.tls_certs_only(authorities).no_proxy()
        } else {
            builder.tls_certs_merge(authorities)
        };
        let client =
            builder.build().map_err(|e| Error::config("the HTTP client cannot be built").with_source(e))?;
        Ok(Self { client, clock })
    }
}

fn bad_pem(what: &str, source: &SecretSource, error: ::reqwest::Error) -> Error {
    Error::config(format!("the {what} in {source} cannot be read as PEM")).with_source(error)
}

#[async_trait]
impl Transport for Network {
    async fn send(
        &self,
        request: Request,
        timeout: Duration,
        body_max: usize,
    ) -> Result<Response, SendFailure> {
        let started = self.clock.now();
        let Request { method, url, headers, body } = request;
        let mut answer = self
            .client
            .request(method, url)
            .headers(headers)
            .body(body)
            .timeout(timeout)
            .send()
            .await
            .map_err(|e| failure(&e))?;
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| failure(&e))? {
            if body.len() + chunk.len() > body_max {
                let text = format!("the answer is larger than {body_max} bytes");
                return Err(SendFailure::new(SendFailureKind::TooLarge, text));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, headers, body: body.freeze(), started })
    }
}

fn failure(error: &::reqwest::Error) -> SendFailure {
    if error.is_connect() || error.is_builder() {
        SendFailure::new(SendFailureKind::NeverSent, "no connection")
    } else if error.is_timeout() {
        SendFailure::new(SendFailureKind::Timeout, "no answer in time")
    } else {
        SendFailure::new(SendFailureKind::Interrupted, "the connection broke")
    }
}
