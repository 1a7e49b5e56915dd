//! A fixed token: `Authorization: Bearer …`, or an API key in a header of the vendor's choice.

use crate::auth::secret::{LiveSecret, Secret, SecretSource};
use crate::auth::{Authorize, sent_credential, set_secret_header};
use crate::request::{Request, Response};
use async_trait::async_trait;
use erp_core::error::Result;
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderName};

/// `Authorization: Bearer …` with a token that somebody made by hand. A refused token is read again from its source.
#[derive(Debug)]
pub struct Bearer(LiveSecret);

impl Bearer {
    /// Takes the token from `source`.
    #[must_use]
    pub fn new(source: SecretSource) -> Self {
        Self(LiveSecret::new(source))
    }
}

#[async_trait]
impl Authorize for Bearer {
    async fn authorize(&self, request: &mut Request) -> Result<()> {
        let token = self.0.get()?;
        set_secret_header(request, AUTHORIZATION, &format!("Bearer {}", token.expose()))
    }

    async fn refused(&self, request: &Request, response: &Response) -> bool {
        response.status == StatusCode::UNAUTHORIZED
            && sent_credential(request, "Bearer").is_some_and(|used| self.0.renewed(&Secret::from(used)))
    }
}

/// A key in a header of its own, such as `APIKey` of SAP's sandbox.
#[derive(Debug)]
pub struct HeaderKey {
    name: HeaderName,
    key: LiveSecret,
}

impl HeaderKey {
    /// Sends the key from `source` as header `name`.
    #[must_use]
    pub fn new(name: HeaderName, source: SecretSource) -> Self {
        Self { name, key: LiveSecret::new(source) }
    }
}

#[async_trait]
impl Authorize for HeaderKey {
    async fn authorize(&self, request: &mut Request) -> Result<()> {
        set_secret_header(request, self.name.clone(), self.key.get()?.expose())
    }

    async fn refused(&self, request: &Request, response: &Response) -> bool {
        let used = request.headers.get(&self.name).and_then(|value| value.to_str().ok());
        response.status == StatusCode::UNAUTHORIZED
            && used.is_some_and(|used| self.key.renewed(&Secret::from(used)))
    }
}
