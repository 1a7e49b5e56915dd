//! How a request says who sends it.

use crate::request::{Request, Response};
use async_trait::async_trait;
use erp_core::error::Result;
use std::fmt;

/// Puts credentials on a request, per try.
#[async_trait]
pub trait Authorize: fmt::Debug + Send + Sync + 'static {
    /// Adds what the target wants to see: headers, cookies, a signature. Works on the try's own copy.
    ///
    /// # Errors
    /// `Auth` or `Config` if no credential can be had; transient ones from the token's issuer.
    async fn authorize(&self, request: &mut Request) -> Result<()>;

    /// Looks at every answer. `true` means: this was a refusal of the credential that a fresh one may cure (an expired
    /// token, a lost CSRF session, a rotated secret); the request was not executed, and is sent once more. Called at most
    /// once per call with that effect.
    async fn refused(&self, request: &Request, response: &Response) -> bool {
        let _ = (request, response);
        false
    }
}

/// No credential at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anonymous;

#[async_trait]
impl Authorize for Anonymous {
    async fn authorize(&self, _: &mut Request) -> Result<()> {
        Ok(())
    }
}
