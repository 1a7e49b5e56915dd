//! How this connector logs in, and why.
//!
//! A communication user with a password (`basic`) works for every S/4HANA API, cloud and on premise. `oauth2` is client
//! credentials, which some communication arrangements and all gateways in front of SAP take. `bearer` is a token that
//! somebody else renews; `certificate` is mutual TLS, which needs no secret in a header; `api_key` is the vendor's public
//! sandbox. All of them sit inside a CSRF session, because every
//! write to SAP needs one.

pub use erp_http::auth::secret::{Secret, SecretSource};

use erp_core::error::{Error, Result};
use erp_core::time::Clock;
use erp_http::auth::Anonymous;
use erp_http::auth::basic::Basic;
use erp_http::auth::bearer::{Bearer, HeaderKey};
use erp_http::auth::oauth2::OAuth2Config;
use erp_http::transport::NetworkOptions;
use erp_http::{Authorize, Transport};
use http::header::HeaderName;
use serde::Deserialize;
use std::sync::Arc;
use url::Url;

/// How to log in. Any secret is a text, `{ env = "NAME" }` or `{ file = "path" }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum SapAuth {
    /// A technical or communication user.
    Basic {
        /// The user.
        user: SecretSource,
        /// The password.
        password: SecretSource,
    },
    /// OAuth 2.0 client credentials.
    Oauth2 {
        /// Where tokens are issued: `https://<subaccount>.authentication.<region>.hana.ondemand.com/oauth/token`.
        token_url: String,
        /// The client.
        client_id: SecretSource,
        /// Its secret.
        client_secret: SecretSource,
        /// The scope, where the issuer wants one.
        #[serde(default)]
        scope: Option<String>,
    },
    /// A token that somebody else renews.
    Bearer {
        /// The token.
        token: SecretSource,
    },
    /// A client certificate (mutual TLS).
    Certificate {
        /// The certificate and its private key, as one PEM text.
        pem: SecretSource,
    },
    /// The header `APIKey` of the vendor's public sandbox.
    ApiKey {
        /// The key.
        key: SecretSource,
    },
}

impl SapAuth {
    /// A technical or communication user.
    pub fn basic(user: impl Into<SecretSource>, password: impl Into<SecretSource>) -> Self {
        Self::Basic { user: user.into(), password: password.into() }
    }

    /// OAuth 2.0 client credentials.
    pub fn oauth2(
        token_url: impl Into<String>,
        client_id: impl Into<SecretSource>,
        client_secret: impl Into<SecretSource>,
    ) -> Self {
        Self::Oauth2 {
            token_url: token_url.into(),
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            scope: None,
        }
    }

    /// A token that somebody else renews.
    pub fn bearer(token: impl Into<SecretSource>) -> Self {
        Self::Bearer { token: token.into() }
    }

    /// A client certificate and its private key, as one PEM text.
    pub fn certificate(pem: impl Into<SecretSource>) -> Self {
        Self::Certificate { pem: pem.into() }
    }

    /// The key of the vendor's public sandbox.
    pub fn api_key(key: impl Into<SecretSource>) -> Self {
        Self::ApiKey { key: key.into() }
    }

    /// What puts the credential on requests. The issuer of tokens is reached by `transport`, or by the network.
    pub(crate) fn authorizer(
        &self,
        transport: Option<&Arc<dyn Transport>>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<dyn Authorize>> {
        Ok(match self {
            Self::Basic { user, password } => Arc::new(Basic::new(user.clone(), password.clone())),
            Self::Bearer { token } => Arc::new(Bearer::new(token.clone())),
            Self::Certificate { .. } => Arc::new(Anonymous),
            Self::ApiKey { key } => Arc::new(HeaderKey::new(HeaderName::from_static("apikey"), key.clone())),
            Self::Oauth2 { token_url, client_id, client_secret, scope } => {
                let url = Url::parse(token_url)
                    .map_err(|e| Error::config(format!("auth.token_url cannot be read: {e}")))?;
                let way_out = match transport {
                    Some(transport) => Arc::clone(transport),
                    None => NetworkOptions::for_url(&url).connect(Arc::clone(clock))?,
                };
                let config =
                    OAuth2Config::client_credentials(token_url, client_id.clone(), client_secret.clone());
                let config = match scope {
                    Some(scope) => config.with_scope(scope),
                    None => config,
                };
                Arc::new(config.build(way_out, Arc::clone(clock))?)
            }
        })
    }

    /// How the network is reached, where that is anything but usual.
    pub(crate) fn network(
        &self,
        base_url: &str,
        authorities: Option<&SecretSource>,
    ) -> Option<NetworkOptions> {
        // A URL that cannot be read is told by the client's own builder.
        let mut options = NetworkOptions::for_url(&Url::parse(base_url).ok()?);
        if let Self::Certificate { pem } = self {
            options = options.with_client_certificate(pem.clone());
        } else if authorities.is_none() {
            return None;
        }
        Some(match authorities {
            Some(pem) => options.with_authorities(pem.clone()),
            None => options,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(json: &str) -> Result<SapAuth, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn every_way_is_read_and_no_secret_is_shown() {
        for json in [
            r#"{"type":"basic","user":"SYNC","password":"hunter2"}"#,
            r#"{"type":"oauth2","token_url":"https://t","client_id":"c","client_secret":"hunter2"}"#,
            r#"{"type":"bearer","token":"hunter2"}"#,
            r#"{"type":"api_key","key":"hunter2"}"#,
            r#"{"type":"certificate","pem":"hunter2"}"#,
        ] {
            assert!(!format!("{:?}", auth(json).unwrap()).contains("hunter2"), "{json}");
        }
        assert!(auth(r#"{"type":"basic","user":"SYNC","password":{"env":"SAP_PASSWORD"}}"#).is_ok());
    }

    #[test]
    fn unknown_and_missing_keys_are_refused() {
        for bad in [
            r#"{"type":"basic","user":"U"}"#,
            r#"{"type":"bearer","token":"x","user":"U"}"#,
            r#"{"type":"kerberos"}"#,
            r#"{"type":"bearer","token":{"env":"A","file":"B"}}"#,
        ] {
            assert!(auth(bad).is_err(), "{bad}");
        }
    }
}
