//! User and password: `Authorization: Basic …`.

use crate::auth::secret::{LiveSecret, SecretSource};
use crate::auth::{Authorize, sent_credential, set_secret_header};
use crate::request::{Request, Response};
use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use erp_core::error::{Error, Result};
use http::StatusCode;
use http::header::AUTHORIZATION;

/// A technical user, as on-premise SAP systems know it. A refused password is read again from its source, and sent again
/// only if it has changed: systems lock users who fail too often.
#[derive(Debug)]
pub struct Basic {
    user: LiveSecret,
    password: LiveSecret,
}

impl Basic {
    /// Takes user and password from their sources.
    #[must_use]
    pub fn new(user: SecretSource, password: SecretSource) -> Self {
        Self { user: LiveSecret::new(user), password: LiveSecret::new(password) }
    }

    fn credential(&self) -> Result<String> {
        let (user, password) = (self.user.get()?, self.password.get()?);
        if user.expose().contains(':') {
            return Err(Error::config("a user name for basic authentication must not hold a colon"));
        }
        Ok(BASE64_STANDARD.encode(format!("{}:{}", user.expose(), password.expose())))
    }
}

#[async_trait]
impl Authorize for Basic {
    async fn authorize(&self, request: &mut Request) -> Result<()> {
        set_secret_header(request, AUTHORIZATION, &format!("Basic {}", self.credential()?))
    }

    async fn refused(&self, request: &Request, response: &Response) -> bool {
        if response.status != StatusCode::UNAUTHORIZED {
            return false;
        }
        for part in [&self.user, &self.password] {
            if let Ok(used) = part.get() {
                part.renewed(&used);
            }
        }
        let fresh = self.credential().ok();
        fresh.is_some() && fresh.as_deref() != sent_credential(request, "Basic")
    }
}
