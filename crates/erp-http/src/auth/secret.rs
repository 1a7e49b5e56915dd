//! Secrets: where they come from, and that they are never shown.

use erp_core::error::{Error, Result};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A secret text. Neither `Debug` nor `Display` shows it, and its memory is wiped when it goes.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself, at the place where it is used and nowhere else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Where a secret comes from. In a config file it is `"the text"`, `{ env = "NAME" }` or `{ file = "path" }`; an
/// environment variable or a file is read again when the secret is refused, so that rotation needs no restart.
#[derive(Clone)]
pub struct SecretSource(Origin);

#[derive(Clone)]
enum Origin {
    Text(Secret),
    Env(String),
    File(PathBuf),
}

impl SecretSource {
    /// The text itself.
    pub fn text(secret: impl Into<Secret>) -> Self {
        Self(Origin::Text(secret.into()))
    }

    /// An environment variable.
    pub fn env(name: impl Into<String>) -> Self {
        Self(Origin::Env(name.into()))
    }

    /// A file; blanks and line ends around the text are not part of it.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self(Origin::File(path.as_ref().to_owned()))
    }

    /// Reads the secret as it is now.
    ///
    /// # Errors
    /// `Config` that names the variable or the file, and never shows what is in it.
    pub fn read(&self) -> Result<Secret> {
        let text = match &self.0 {
            Origin::Text(secret) => return Ok(secret.clone()),
            Origin::Env(name) => std::env::var(name).map_err(|e| match e {
                std::env::VarError::NotPresent => self.bad("is not set"),
                std::env::VarError::NotUnicode(_) => self.bad("is no text"),
            })?,
            Origin::File(path) => std::fs::read_to_string(path).map_err(|e| {
                self.bad(match e.kind() {
                    std::io::ErrorKind::NotFound => "is not there",
                    std::io::ErrorKind::PermissionDenied => "may not be read",
                    std::io::ErrorKind::InvalidData => "is no text",
                    _ => "cannot be read",
                })
            })?,
        };
        let trimmed = text.trim();
        if trimmed.is_empty() { Err(self.bad("is empty")) } else { Ok(Secret::new(trimmed)) }
    }

    fn bad(&self, why: &str) -> Error {
        Error::config(format!("{self} {why}"))
    }
}

impl From<&str> for SecretSource {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<Secret> for SecretSource {
    fn from(secret: Secret) -> Self {
        Self::text(secret)
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Origin::Text(_) => f.write_str("the configured text"),
            Origin::Env(name) => write!(f, "the environment variable {name}"),
            Origin::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretSource({self})")
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Source;

        impl<'de> Visitor<'de> for Source {
            type Value = SecretSource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, { env = \"NAME\" } or { file = \"path\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretSource, E> {
                Ok(SecretSource::text(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
                let Some(key) = map.next_key::<String>()? else {
                    return Err(de::Error::custom("a secret needs env or file"));
                };
                let source = match key.as_str() {
                    "env" => SecretSource::env(map.next_value::<String>()?),
                    "file" => SecretSource::file(map.next_value::<PathBuf>()?),
                    // The key is not shown: somebody may have written the secret in its place.
                    _ => return Err(de::Error::custom("a secret has env or file, and nothing else")),
                };
                if map.next_key::<de::IgnoredAny>()?.is_some() {
                    return Err(de::Error::custom("a secret has env or file, and nothing else"));
                }
                Ok(source)
            }
        }

        deserializer.deserialize_any(Source)
    }
}

/// A secret as it was last read, and where to read it again.
#[derive(Debug)]
pub struct LiveSecret {
    source: SecretSource,
    read: Mutex<Option<Secret>>,
}

impl LiveSecret {
    /// Nothing is read yet.
    pub fn new(source: impl Into<SecretSource>) -> Self {
        Self { source: source.into(), read: Mutex::new(None) }
    }

    /// The secret; read at the first time only.
    ///
    /// # Errors
    /// As [`SecretSource::read`].
    pub fn get(&self) -> Result<Secret> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secret) = &*read {
            return Ok(secret.clone());
        }
        Ok(read.insert(self.source.read()?).clone())
    }

    /// Reads it again after a refusal. `true` if there is another one now than `used`, be it that somebody else has read
    /// it meanwhile.
    pub fn renewed(&self, used: &Secret) -> bool {
        let Ok(fresh) = self.source.read() else { return false };
        let changed = fresh.expose() != used.expose();
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_a_secret() {
        let secret = Secret::new("hunter2");
        let source = SecretSource::text("hunter2");
        let live = LiveSecret::new("hunter2");
        assert_eq!(live.get().unwrap().expose(), "hunter2");
        let shown = format!("{secret} {secret:?} {source} {source:?} {live:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_config_names_one_place() {
        let read = |json: &str| serde_json::from_str::<SecretSource>(json).map(|s| s.to_string());
        assert_eq!(read(r#""hunter2""#).unwrap(), "the configured text");
        assert_eq!(read(r#"{"env":"X"}"#).unwrap(), "the environment variable X");
        assert_eq!(read(r#"{"file":"/p"}"#).unwrap(), "the file /p");
        for bad in ["{}", r#"{"text":"hunter2"}"#, r#"{"hunter2":"x"}"#, r#"{"env":"X","file":"/p"}"#, "17"] {
            let error = read(bad).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn errors_name_the_place() {
        let error = SecretSource::env("NO_SUCH_VARIABLE_HERE").read().unwrap_err();
        assert_eq!(error.to_string(), "the environment variable NO_SUCH_VARIABLE_HERE is not set");
        let error = SecretSource::file("/no/such/file").read().unwrap_err();
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("erp.config", "the file /no/such/file is not there")
        );
        assert_eq!(SecretSource::env("PATH").read().unwrap().expose(), std::env::var("PATH").unwrap().trim());
    }

    #[test]
    fn a_rotated_file_is_read_again_when_refused() {
        let path = std::env::temp_dir().join(format!("erp-http-secret-{}", std::process::id()));
        std::fs::write(&path, "old\n").unwrap();
        let live = LiveSecret::new(SecretSource::file(&path));
        let old = live.get().unwrap();
        assert_eq!(old.expose(), "old");
        assert!(!live.renewed(&old), "nothing has changed");
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(live.get().unwrap().expose(), "old", "it is not read for every request");
        assert!(live.renewed(&old));
        assert_eq!(live.get().unwrap().expose(), "new");
        assert!(live.renewed(&old), "whoever comes second with the old one may try again too");
        std::fs::write(&path, " \n").unwrap();
        assert!(!live.renewed(&Secret::new("new")), "an empty file is no secret");
        assert_eq!(live.get().unwrap().expose(), "new");
        std::fs::remove_file(&path).unwrap();
    }
}
