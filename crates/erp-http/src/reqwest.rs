//! The only file that names reqwest.

use crate::request::{Request, Response};
use crate::transport::{SendFailure, SendFailureKind, Transport};
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
    /// A pool of connections. To loopback over plain http no certificate store is needed, and none is asked for.
    pub(crate) fn new(clock: Arc<dyn Clock>, loopback: bool) -> Result<Self> {
        let builder = ::reqwest::Client::builder()
            .redirect(::reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("commerce-erp-sdk/", env!("CARGO_PKG_VERSION")));
        let builder = if loopback { builder.tls_certs_only([]).no_proxy() } else { builder };
        let client =
            builder.build().map_err(|e| Error::config("the HTTP client cannot be built").with_source(e))?;
        Ok(Self { client, clock })
    }
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
