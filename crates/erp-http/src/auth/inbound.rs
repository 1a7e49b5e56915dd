//! How a request that comes in proves who sent it: a keyed hash over its text.
//!
//! Whoever receives announcements compares with [`SharedSecrets`], in constant time and with two secrets while one is
//! being replaced.

use crate::auth::secret::{LiveSecret, Secret, SecretSource};
use aws_lc_rs::hmac;
use erp_core::error::{Error, Result};
use erp_core::time::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The shortest secret, in bytes: as long as what HMAC-SHA256 makes of it.
pub const SECRET_MIN: usize = 32;
/// How often a refused signature makes the secrets be read again at most: strangers cause refusals, too.
const REREAD_EVERY: Duration = Duration::from_secs(10);

/// What both sides know. Any of them is good.
#[derive(Debug)]
pub struct SharedSecrets {
    secrets: Vec<LiveSecret>,
    reread: Mutex<Timestamp>,
    /// How often another secret was found.
    renewals: AtomicU64,
}

impl SharedSecrets {
    /// The secrets that are good, for instance the new one and the one before it.
    pub fn new(sources: impl IntoIterator<Item = SecretSource>) -> Self {
        let secrets = sources.into_iter().map(LiveSecret::new).collect();
        Self { secrets, reread: Mutex::new(Timestamp::MIN), renewals: AtomicU64::new(0) }
    }

    /// Reads all of them, so that what is missing is told when a client is made.
    ///
    /// # Errors
    /// `Config` that names the place, if a secret cannot be read or is shorter than [`SECRET_MIN`].
    pub fn check(&self) -> Result<()> {
        if self.secrets.is_empty() {
            return Err(Error::config("a receiver needs a secret"));
        }
        self.secrets.iter().try_for_each(|secret| key(secret).map(drop))
    }

    /// Whether `tag` is the HMAC-SHA256 of the parts, one behind the other, under one of the secrets. All of them are
    /// tried, in constant time. A refusal reads secrets from environment and files again, so that rotation needs no
    /// restart.
    ///
    /// # Errors
    /// As [`check`](Self::check), if a secret cannot be read and none of the others fits.
    pub fn verify(&self, now: Timestamp, parts: &[&[u8]], tag: &[u8]) -> Result<bool> {
        let before = self.renewals.load(Ordering::SeqCst);
        match self.fits(parts, tag) {
            Ok(true) => Ok(true),
            refused => {
                self.renew(now);
                // Others may have found another secret meanwhile.
                if self.renewals.load(Ordering::SeqCst) == before {
                    return refused;
                }
                self.fits(parts, tag).or(refused)
            }
        }
    }

    fn fits(&self, parts: &[&[u8]], tag: &[u8]) -> Result<bool> {
        let message = parts.concat();
        let (mut good, mut trouble) = (false, None);
        for secret in &self.secrets {
            match key(secret) {
                Ok(key) => good |= hmac::verify(&key, &message, tag).is_ok(),
                Err(error) => trouble = Some(error),
            }
        }
        match trouble {
            Some(error) if !good => Err(error),
            _ => Ok(good),
        }
    }

    /// Reads the secrets again, now and then, and counts if another one was found.
    fn renew(&self, now: Timestamp) {
        let mut reread = self.reread.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(*reread) < REREAD_EVERY && *reread <= now {
            return;
        }
        *reread = now;
        let mut changed = false;
        for secret in &self.secrets {
            changed |= secret.get().is_ok_and(|used| secret.renewed(&used));
        }
        if changed {
            self.renewals.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The HMAC-SHA256 of the parts, one behind the other: what a sender makes, for tests and for senders of one's own.
pub fn sign(secret: &Secret, parts: &[&[u8]]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::sign(&key, &parts.concat()).as_ref().to_vec()
}

fn key(secret: &LiveSecret) -> Result<hmac::Key> {
    let text = secret.get()?;
    let bytes = text.expose().as_bytes();
    if bytes.len() < SECRET_MIN {
        let text =
            format!("a secret for signatures has {} bytes; make one of at least {SECRET_MIN}", bytes.len());
        return Err(Error::config(text));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an old secret of 32 bytes or more.";
    const NEW: &str = "a new secret of 32 bytes or more.";
    /// Made with another library: `hmac.new(OLD, b"1795392000000.{}", sha256)`, and the same with NEW.
    const OLD_TAG: &str = "5e5ee0aeeb0de45e8cecc628d31229c5fbe37e2d991ebc70e55e3946722b8a7a";
    const NEW_TAG: &str = "13fe7c2221c0bbb1cffb907de679f4836c02da3a4b3227f418dcb6f2d2a45472";

    fn tag(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn verify(secrets: &SharedSecrets, at: i64, hex: &str) -> bool {
        secrets.verify(Timestamp::from_secs(at), &[b"1795392000000", b".", b"{}"], &tag(hex)).unwrap()
    }

    #[test]
    fn both_secrets_are_good_and_nothing_else_is() {
        let secrets = SharedSecrets::new([NEW.into(), OLD.into()]);
        secrets.check().unwrap();
        assert!(verify(&secrets, 0, OLD_TAG) && verify(&secrets, 0, NEW_TAG));
        assert_eq!(sign(&OLD.into(), &[b"1795392000000.", b"{}"]), tag(OLD_TAG));
        assert!(!verify(&SharedSecrets::new([NEW.into()]), 0, OLD_TAG));
        assert!(!verify(&secrets, 0, &NEW_TAG[..62]), "half a tag is none");
        assert!(!verify(&secrets, 0, ""));
        let other = secrets.verify(Timestamp::EPOCH, &[b"1795392000001", b".", b"{}"], &tag(NEW_TAG));
        assert!(!other.unwrap());
    }

    #[test]
    fn a_rotated_file_is_read_again_after_a_refusal_but_not_for_each_of_them() {
        let path = std::env::temp_dir().join(format!("erp-http-inbound-{}", std::process::id()));
        std::fs::write(&path, OLD).unwrap();
        let secrets = SharedSecrets::new([SecretSource::file(&path)]);
        assert!(verify(&secrets, 100, OLD_TAG));
        assert!(!verify(&secrets, 100, NEW_TAG));
        std::fs::write(&path, NEW).unwrap();
        assert!(!verify(&secrets, 105, NEW_TAG), "it was read a moment ago");
        assert!(verify(&secrets, 111, NEW_TAG));
        assert!(!verify(&secrets, 130, OLD_TAG));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_short_or_missing_secret_is_told_by_its_place_alone() {
        let short = SharedSecrets::new(["hunter2".into()]);
        let missing = SharedSecrets::new([SecretSource::env("NO_SUCH_VARIABLE_HERE")]);
        for secrets in [&short, &missing, &SharedSecrets::new([])] {
            let error = secrets.check().unwrap_err();
            assert_eq!(error.code(), "erp.config");
            assert!(!format!("{error} {error:?} {secrets:?}").contains("hunter2"), "{error}");
        }
        let error = missing.verify(Timestamp::EPOCH, &[b"x"], b"y").unwrap_err();
        assert_eq!(error.code(), "erp.config", "our trouble, and not the sender's");
        let one_is_enough = SharedSecrets::new([SecretSource::env("NO_SUCH_VARIABLE_HERE"), OLD.into()]);
        assert!(verify(&one_is_enough, 0, OLD_TAG));
    }
}
