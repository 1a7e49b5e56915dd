//! How a request says who sends it.
//!
//! | authoriser | for |
//! | --- | --- |
//! | [`bearer::Bearer`], [`bearer::HeaderKey`] | a fixed token or API key |
//! | [`basic::Basic`] | a technical user |
//! | [`oauth1::OAuth1`] | Commerce integrations, NetSuite token-based authentication |
//! | [`oauth2::OAuth2`] | client credentials, refresh token, JWT bearer assertion |
//!
//! The other way round, [`inbound`] tells whether a request that came in is genuine.
//!
//! A connector that needs more (a CSRF session, a tenant header) wraps one of them in an [`Authorize`] of its own.

pub mod basic;
pub mod bearer;
pub mod inbound;
pub mod jwt;
pub mod oauth1;
pub mod oauth2;
pub mod secret;

use crate::link;
use crate::request::{Request, Response};
use async_trait::async_trait;
use erp_core::error::{Error, Result};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::fmt;
use url::Url;

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

/// Credentials travel over TLS, or stay on this machine.
pub(crate) fn only_private(url: &Url) -> Result<()> {
    if link::is_private(url) {
        Ok(())
    } else {
        Err(Error::config("credentials are sent over https only; plain http is for loopback"))
    }
}

/// Sets a header that no log shows.
pub(crate) fn set_secret_header(request: &mut Request, name: HeaderName, value: &str) -> Result<()> {
    only_private(&request.url)?;
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| Error::config("a credential holds a character that no header can hold"))?;
    value.set_sensitive(true);
    request.headers.insert(name, value);
    Ok(())
}

/// The credential that a request carried, after `Scheme `.
pub(crate) fn sent_credential<'a>(request: &'a Request, scheme: &str) -> Option<&'a str> {
    request.headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix(scheme)?.strip_prefix(' ')
}
