//! How a shop is logged in to: every request signed with OAuth 1.0a (the default, because it works in every version), or
//! an access token as bearer.

use crate::config::{AuthConfig, CommerceConfig, Signature};
use erp_core::error::{Error, Result};
use erp_core::time::Clock;
use erp_http::Authorize;
use erp_http::auth::bearer::Bearer;
use erp_http::auth::oauth1::{OAuth1, OAuth1Keys, SignatureProfile};
use std::sync::Arc;
use url::Url;

/// The authoriser of a configuration.
///
/// # Errors
/// `Config` if an address cannot be read.
pub(crate) fn authorize(config: &CommerceConfig, clock: Arc<dyn Clock>) -> Result<Arc<dyn Authorize>> {
    match &config.auth {
        AuthConfig::Bearer { token } => Ok(Arc::new(Bearer::new(token.clone()))),
        AuthConfig::Integration { consumer_key, consumer_secret, access_token, access_token_secret } => {
            let keys = OAuth1Keys::new(
                consumer_key.clone(),
                consumer_secret.clone(),
                access_token.clone(),
                access_token_secret.clone(),
            );
            let mut signer = OAuth1::new(keys, clock);
            signer = match config.signature {
                Signature::Auto => signer,
                Signature::Rfc5849 => signer.with_profile(SignatureProfile::Rfc5849),
                Signature::LaminasPathDecode => signer.with_profile(SignatureProfile::LaminasPathDecode),
                Signature::DoubleEncodedValues => signer.with_profile(SignatureProfile::DoubleEncodedValues),
            };
            if let Some(seen) = &config.signing_base_url {
                signer = signer
                    .with_signing_base(url("base_url", &config.base_url)?, url("signing_base_url", seen)?);
            }
            Ok(Arc::new(signer))
        }
    }
}

fn url(key: &str, text: &str) -> Result<Url> {
    Url::parse(text).map_err(|e| Error::config(format!("{key} cannot be read: {e}")))
}
