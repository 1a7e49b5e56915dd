//! How this connector logs in, and why.
//!
//! A communication user with a password (`basic`) works for every S/4HANA API, cloud and on premise. `oauth2` is client
//! credentials, which some communication arrangements and all gateways in front of SAP take. `bearer` is a token that
//! somebody else renews; `api_key` is the vendor's public sandbox. All of them sit inside a CSRF session, because every
//! write to SAP needs one.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use erp_core::error::{Error, Result};
use erp_http::{Authorize, Request};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// How to log in.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum SapAuth {
    /// A technical or communication user.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: SecretSource,
    },
    /// A token that somebody else renews.
    Bearer {
        /// The token.
        token: SecretSource,
    },
    /// The header `APIKey` of the vendor's public sandbox.
    ApiKey {
        /// The key.
        key: SecretSource,
    },
}

impl SapAuth {
    /// A technical or communication user.
    pub fn basic(user: impl Into<String>, password: impl Into<SecretSource>) -> Self {
        Self::Basic { user: user.into(), password: password.into() }
    }

    /// A token that somebody else renews.
    pub fn bearer(token: impl Into<SecretSource>) -> Self {
        Self::Bearer { token: token.into() }
    }

    /// The key of the vendor's public sandbox.
    pub fn api_key(key: impl Into<SecretSource>) -> Self {
        Self::ApiKey { key: key.into() }
    }
}

/// A secret: a text, or where it is kept. A file is read anew for every try, so that a rotation needs no restart.
#[derive(Clone)]
pub struct SecretSource(Source);

#[derive(Clone)]
enum Source {
    Text(String),
    Env(String),
    File(String),
}

impl SecretSource {
    /// Kept in an environment variable.
    pub fn env(name: impl Into<String>) -> Self {
        Self(Source::Env(name.into()))
    }

    /// Kept in a file; white space at its end is not part of it.
    pub fn file(path: impl Into<String>) -> Self {
        Self(Source::File(path.into()))
    }

    fn read(&self) -> Result<String> {
        match &self.0 {
            Source::Text(text) => Ok(text.clone()),
            Source::Env(name) => std::env::var(name)
                .map_err(|_| Error::config(format!("the environment has no variable {name}"))),
            Source::File(path) => std::fs::read_to_string(path)
                .map(|text| text.trim_end().to_owned())
                .map_err(|_| Error::config(format!("the secret's file {path} cannot be read"))),
        }
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret: a text, { env = … } or { file = … }")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SecretSource, E> {
        Ok(SecretSource::from(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
        let secret = match map.next_entry::<String, String>()? {
            Some((key, name)) if key == "env" => SecretSource::env(name),
            Some((key, path)) if key == "file" => SecretSource::file(path),
            _ => return Err(serde::de::Error::custom("a secret is a text, { env = … } or { file = … }")),
        };
        match map.next_key::<String>()? {
            None => Ok(secret),
            Some(_) => Err(serde::de::Error::custom("a secret has one source: env or file")),
        }
    }
}

impl From<&str> for SecretSource {
    fn from(text: &str) -> Self {
        Self(Source::Text(text.to_owned()))
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Text(_) => f.write_str("SecretSource(…)"),
            Source::Env(name) => write!(f, "SecretSource(env {name})"),
            Source::File(path) => write!(f, "SecretSource(file {path})"),
        }
    }
}

/// Puts the credential of a [`SapAuth`] onto a request.
#[derive(Debug)]
pub(crate) struct Credential(pub(crate) SapAuth);

#[async_trait]
impl Authorize for Credential {
    async fn authorize(&self, request: &mut Request) -> Result<()> {
        let (name, value) = match &self.0 {
            SapAuth::Basic { user, password } => {
                (AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.read()?))))
            }
            SapAuth::Bearer { token } => (AUTHORIZATION, format!("Bearer {}", token.read()?)),
            SapAuth::ApiKey { key } => (HeaderName::from_static("apikey"), key.read()?),
        };
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| Error::config("the credential holds characters that no header can carry"))?;
        value.set_sensitive(true);
        request.headers.insert(name, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(json: &str) -> Result<SapAuth, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_secret_is_a_text_or_where_it_is_kept_and_is_never_shown() {
        let text = auth(r#"{"type":"basic","user":"SYNC","password":"hunter2"}"#).unwrap();
        assert!(!format!("{text:?}").contains("hunter2"));
        let SapAuth::Basic { password, .. } = text else { panic!("not basic") };
        assert_eq!(password.read().unwrap(), "hunter2");
        let SapAuth::Bearer { token } =
            auth(r#"{"type":"bearer","token":{"env":"NO_SUCH_NAME_HERE"}}"#).unwrap()
        else {
            panic!("not bearer")
        };
        assert_eq!(token.read().unwrap_err().code(), "erp.config");
        for bad in [
            r#"{"type":"bearer","token":{}}"#,
            r#"{"type":"bearer","token":{"env":"A","file":"B"}}"#,
            r#"{"type":"bearer","token":7}"#,
            r#"{"type":"basic","user":"U"}"#,
            r#"{"type":"bearer","token":"x","user":"U"}"#,
        ] {
            assert!(auth(bad).is_err(), "{bad}");
        }
    }
}
