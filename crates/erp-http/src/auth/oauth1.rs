//! OAuth 1.0a with HMAC-SHA256: RFC 5849, and the two ways in which Commerce's servers depart from it.

use crate::auth::secret::{LiveSecret, Secret, SecretSource};
use crate::auth::{Authorize, sent_credential, set_secret_header};
use crate::request::{Request, Response};
use crate::retry::http_date;
use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use erp_core::error::{Error, Result};
use erp_core::time::Clock;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, StatusCode};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::Url;

mod base_string;

pub use base_string::{SignatureProfile, encode};

/// The four values of an integration or a token.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OAuth1Keys {
    /// Names the application.
    pub consumer_key: SecretSource,
    /// The application's secret.
    pub consumer_secret: SecretSource,
    /// Names the grant.
    pub token: SecretSource,
    /// The grant's secret.
    pub token_secret: SecretSource,
}

impl OAuth1Keys {
    /// All four are needed.
    #[must_use]
    pub fn new(
        consumer_key: SecretSource,
        consumer_secret: SecretSource,
        token: SecretSource,
        token_secret: SecretSource,
    ) -> Self {
        Self { consumer_key, consumer_secret, token, token_secret }
    }
}

/// Signs every request.
///
/// Commerce's servers build the text that is signed in three ways, by version. Where the ways differ for a request, and a
/// safe one (GET) is answered `401 The signature is invalid`, the next way is tried once, and what works is remembered. A
/// refused time stamp makes it follow the server's clock. Refused keys are read again from their sources.
#[derive(Debug)]
pub struct OAuth1 {
    keys: [LiveSecret; 4],
    realm: Option<String>,
    /// (our base, the same base as the server sees it), if a proxy changes it.
    seen_as: Option<(Url, Url)>,
    configured: SignatureProfile,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    profile: SignatureProfile,
    /// Profiles that were refused since the last success.
    failed: Vec<SignatureProfile>,
    /// How far the server's clock is ahead, in seconds.
    skew: i64,
}

/// The four values as they are used for one signature.
struct Keys {
    consumer_key: Secret,
    consumer_secret: Secret,
    token: Secret,
    token_secret: Secret,
}

/// A server's clock that differs less than this is no reason for a refusal.
const SKEW_MIN: i64 = 30;

impl OAuth1 {
    /// Signs with `keys` by RFC 5849.
    #[must_use]
    pub fn new(keys: OAuth1Keys, clock: Arc<dyn Clock>) -> Self {
        let profile = SignatureProfile::Rfc5849;
        let keys =
            [keys.consumer_key, keys.consumer_secret, keys.token, keys.token_secret].map(LiveSecret::new);
        let state = Mutex::new(State { profile, failed: Vec::new(), skew: 0 });
        Self { keys, realm: None, seen_as: None, configured: profile, clock, state }
    }

    /// Begins with another profile.
    #[must_use]
    pub fn with_profile(mut self, profile: SignatureProfile) -> Self {
        self.configured = profile;
        self.state().profile = profile;
        self
    }

    /// Adds a realm, such as NetSuite's account `1234567_SB1`. It is sent, and not signed.
    #[must_use]
    pub fn with_realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Signs URLs below `base` as if they began with `seen`: a proxy in between changes scheme, host or path, and the
    /// server signs what it sees itself.
    #[must_use]
    pub fn with_signing_base(mut self, base: Url, seen: Url) -> Self {
        self.seen_as = Some((base, seen));
        self
    }

    /// The profile in use, after what was learnt.
    pub fn profile(&self) -> SignatureProfile {
        self.state().profile
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_keys(&self) -> Result<Keys> {
        let [consumer_key, consumer_secret, token, token_secret] = &self.keys;
        Ok(Keys {
            consumer_key: consumer_key.get()?,
            consumer_secret: consumer_secret.get()?,
            token: token.get()?,
            token_secret: token_secret.get()?,
        })
    }

    /// The URL as the server sees it.
    fn seen(&self, url: &Url) -> Url {
        let Some((base, seen)) = &self.seen_as else { return url.clone() };
        let below = url.path().strip_prefix(base.path().trim_end_matches('/'));
        match below.filter(|_| url.origin() == base.origin()) {
            None => url.clone(),
            Some(rest) => {
                let mut rewritten = seen.clone();
                rewritten.set_path(&format!("{}{rest}", seen.path().trim_end_matches('/')));
                rewritten.set_query(url.query());
                rewritten
            }
        }
    }

    fn signature(
        &self,
        keys: &Keys,
        request: &Request,
        nonce: &str,
        timestamp: &str,
        profile: SignatureProfile,
    ) -> String {
        let oauth = oauth_parameters(keys, nonce, timestamp);
        let form = request
            .headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .filter(|kind| kind.starts_with("application/x-www-form-urlencoded"))
            .and_then(|_| std::str::from_utf8(&request.body).ok());
        let base = profile.base_string(&request.method, &self.seen(&request.url), &oauth, form);
        sign(&keys.consumer_secret, &keys.token_secret, &base)
    }

    fn header(&self, keys: &Keys, request: &Request, nonce: &str, timestamp: &str) -> String {
        let signature = self.signature(keys, request, nonce, timestamp, self.profile());
        let mut header = String::from("OAuth ");
        if let Some(realm) = &self.realm {
            let _ = write!(header, "realm=\"{}\", ", realm.replace(['"', '\\'], ""));
        }
        for (name, value) in oauth_parameters(keys, nonce, timestamp) {
            let _ = write!(header, "{name}=\"{}\", ", encode(value));
        }
        let _ = write!(header, "oauth_signature=\"{}\"", encode(&signature));
        header
    }

    /// Which profiles would have made the signature that was sent: none if it was made with other keys. `None` if there
    /// is no signature.
    fn used(&self, keys: &Keys, request: &Request) -> Option<Vec<SignatureProfile>> {
        let header = sent_credential(request, "OAuth")?;
        let field = |name: &str| {
            let (_, rest) = header.split_once(&format!("{name}=\""))?;
            rest.split('"').next()
        };
        let (nonce, timestamp, sent) =
            (field("oauth_nonce")?, field("oauth_timestamp")?, field("oauth_signature")?);
        let made = |profile: &SignatureProfile| {
            encode(&self.signature(keys, request, nonce, timestamp, *profile)) == sent
        };
        Some(SignatureProfile::ALL.into_iter().filter(made).collect())
    }

    /// After `The signature is invalid`: is there a profile that signs this request differently and was not refused yet?
    fn turn_to_next_profile(&self, used: Vec<SignatureProfile>) -> bool {
        if used.len() == SignatureProfile::ALL.len() {
            return false;
        }
        let mut state = self.state();
        for profile in used {
            if !state.failed.contains(&profile) {
                state.failed.push(profile);
            }
        }
        match SignatureProfile::ALL.into_iter().find(|profile| !state.failed.contains(profile)) {
            Some(next) => {
                state.profile = next;
                true
            }
            None => {
                state.profile = self.configured;
                false
            }
        }
    }

    fn follow_clock_of(&self, response: &Response) -> bool {
        let Some(theirs) = response.header("date").and_then(http_date) else { return false };
        let skew = theirs.as_secs() - response.started.as_secs();
        let mut state = self.state();
        let changed = (skew - state.skew).abs() > SKEW_MIN;
        if changed {
            state.skew = skew;
        }
        changed
    }

    fn renew_keys(&self, used: &Keys) -> bool {
        let used = [&used.consumer_key, &used.consumer_secret, &used.token, &used.token_secret];
        let changed: Vec<bool> = self.keys.iter().zip(used).map(|(key, used)| key.renewed(used)).collect();
        changed.contains(&true)
    }
}

#[async_trait]
impl Authorize for OAuth1 {
    async fn authorize(&self, request: &mut Request) -> Result<()> {
        let keys = self.read_keys()?;
        let timestamp = self.clock.now().as_secs() + self.state().skew;
        let header = self.header(&keys, request, &nonce()?, &timestamp.to_string());
        set_secret_header(request, AUTHORIZATION, &header)
    }

    async fn refused(&self, request: &Request, response: &Response) -> bool {
        if !matches!(response.status, StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST) {
            if response.status.is_success() {
                self.state().failed.clear();
            }
            return false;
        }
        let problem = Problem::of(response);
        let safe = request.method == Method::GET;
        match problem {
            Problem::Timestamp => return self.follow_clock_of(response),
            // Commerce's nonce table deadlocks under load (magento2 #10346), and another nonce cures it. A write is not
            // sent again: a nonce that was seen before may mean that something in between delivered the request twice.
            Problem::Nonce => return safe && response.status == StatusCode::UNAUTHORIZED,
            Problem::Signature | Problem::Other => {}
        }
        let Ok(keys) = self.read_keys() else { return false };
        if response.status != StatusCode::UNAUTHORIZED {
            return false;
        }
        let Some(used) = self.used(&keys, request) else { return false };
        // Who was refused at the same time has read other keys meanwhile.
        used.is_empty()
            || self.renew_keys(&keys)
            || (problem == Problem::Signature && safe && self.turn_to_next_profile(used))
    }
}

#[derive(PartialEq, Eq)]
enum Problem {
    Signature,
    Timestamp,
    Nonce,
    Other,
}

impl Problem {
    /// Commerce's sentences and the standard's `oauth_problem` words, looked for in the first bytes of the body.
    fn of(response: &Response) -> Self {
        let start = &response.body[..response.body.len().min(1024)];
        let text = String::from_utf8_lossy(start).to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if has(&["signature is invalid", "signature_invalid", "invalid signature"]) {
            Self::Signature
        } else if has(&["timestamp_refused", "invalidtimestamp", "oauth_timestamp"]) {
            Self::Timestamp
        } else if has(&["nonce_used", "nonceused", "nonce is already being used"]) {
            Self::Nonce
        } else {
            Self::Other
        }
    }
}

fn oauth_parameters<'a>(keys: &'a Keys, nonce: &'a str, timestamp: &'a str) -> [(&'static str, &'a str); 6] {
    [
        ("oauth_consumer_key", keys.consumer_key.expose()),
        ("oauth_token", keys.token.expose()),
        ("oauth_signature_method", "HMAC-SHA256"),
        ("oauth_timestamp", timestamp),
        ("oauth_nonce", nonce),
        ("oauth_version", "1.0"),
    ]
}

/// The signature of any text under OAuth 1.0a keys, in base64. NetSuite's SOAP passport signs a text of its own with it.
pub fn sign(consumer_secret: &Secret, token_secret: &Secret, text: &str) -> String {
    let key = format!("{}&{}", encode(consumer_secret.expose()), encode(token_secret.expose()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

/// 32 random letters and digits: 128 bits.
///
/// # Errors
/// `Unexpected` if the machine has no randomness.
pub fn nonce() -> Result<String> {
    let mut bytes = [0u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::unexpected("the machine has no randomness"))?;
    Ok(bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests;
