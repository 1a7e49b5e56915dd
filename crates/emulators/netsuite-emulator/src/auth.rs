//! Log-on: tokens out of signed assertions, and OAuth 1.0a. Both are verified as NetSuite says that it does; the reason of
//! a refusal stands in the audit trail and never in the answer.

use crate::refusal::Refusal;
use crate::replay::Seen;
use aws_lc_rs::signature::{self, KeyPair as _};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use erp_core::time::Timestamp;
use erp_testkit::emulator::{Exchange, Reply};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most that the times of two machines may differ.
const SKEW: i64 = 300;
/// A token's life, in seconds.
const TOKEN_LIFE: u64 = 3600;
/// For so long the audit trail says of a token that it has ended; then that nobody knows it.
const TOKEN_KEPT: Duration = Duration::from_secs(24 * 3600);
/// As many refused log-ons as lock the user, and for how long.
const FAILURES_MAX: u32 = 5;
const LOCKED: Duration = Duration::from_secs(30 * 60);

/// The keys of token-based authentication.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TbaKeys {
    /// Names the integration.
    pub consumer_key: String,
    /// Its secret.
    pub consumer_secret: String,
    /// Names the token.
    pub token: String,
    /// Its secret.
    pub token_secret: String,
}

impl std::fmt::Debug for TbaKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TbaKeys")
    }
}

/// Who the integration is.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) account: String,
    pub(crate) client_id: String,
    pub(crate) certificate_id: String,
    /// PKCS#8, PEM.
    pub(crate) private_key: String,
    pub(crate) tba: TbaKeys,
}

/// A private key on P-256, as PEM; `None` if the machine has no randomness.
pub(crate) fn new_key() -> Option<String> {
    let pair = signature::EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
    let der = pair.to_pkcs8v1().ok()?;
    let body = BASE64_STANDARD.encode(der.as_ref());
    let lines: Vec<&str> =
        (0..body.len()).step_by(64).filter_map(|at| body.get(at..(at + 64).min(body.len()))).collect();
    Some(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")))
}

fn public_key(pem: &str) -> Option<Vec<u8>> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = BASE64_STANDARD.decode(body).ok()?;
    let pair = signature::EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok()?;
    Some(pair.public_key().as_ref().to_vec())
}

/// What kind of key a mapped certificate is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// For ES256; the key as an uncompressed point.
    P256,
    /// For ES384; the key as an uncompressed point.
    P384,
    /// For ES512; the key as an uncompressed point.
    P521,
    /// For PS256, PS384 and PS512; the key as DER, of 3072 or 4096 bits. NetSuite takes no certificate of another length,
    /// so its id stays unknown.
    Rsa,
}

impl KeyKind {
    /// Whether NetSuite takes certificates on such a key; an RSA signature is as long as its key.
    fn is_taken(self, signature: &[u8]) -> bool {
        self != Self::Rsa || RSA_BYTES.contains(&signature.len())
    }

    /// How a signature is checked that says it was made this way; `None` if this key cannot have made it.
    fn verifier(self, algorithm: &str) -> Option<&'static dyn signature::VerificationAlgorithm> {
        Some(match (self, algorithm) {
            (Self::P256, "ES256") => &signature::ECDSA_P256_SHA256_FIXED,
            (Self::P384, "ES384") => &signature::ECDSA_P384_SHA384_FIXED,
            (Self::P521, "ES512") => &signature::ECDSA_P521_SHA512_FIXED,
            (Self::Rsa, "PS256") => &signature::RSA_PSS_2048_8192_SHA256,
            (Self::Rsa, "PS384") => &signature::RSA_PSS_2048_8192_SHA384,
            (Self::Rsa, "PS512") => &signature::RSA_PSS_2048_8192_SHA512,
            _ => return None,
        })
    }
}

/// The two lengths of RSA keys, in bytes.
const RSA_BYTES: [usize; 2] = [3072 / 8, 4096 / 8];

/// One line of the audit trail.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) at: Timestamp,
    pub(crate) detail: String,
    pub(crate) granted: bool,
}

/// As many lines as the audit trail keeps.
const AUDIT_MAX: usize = 10_000;
/// The services that an integration record has boxes for.
const SCOPES: [&str; 3] = ["rest_webservices", "restlets", "suite_analytics"];

#[derive(Debug)]
struct Issued {
    ends: Timestamp,
    scopes: Vec<String>,
}

#[derive(Debug, Default)]
struct Memory {
    tokens: BTreeMap<String, Issued>,
    seen: Seen,
    /// Certificates beside the one that the account was made with.
    certificates: BTreeMap<String, (KeyKind, Vec<u8>)>,
    /// Boxes of the integration record that are not ticked.
    unticked: BTreeSet<String>,
    blocked: bool,
    failures: u32,
    locked_until: Option<Timestamp>,
    audit: VecDeque<Attempt>,
    issued: u64,
}

/// Log-ons of one account. Tokens and nonces live in memory.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) credentials: Credentials,
    number_life: bool,
    memory: Mutex<Memory>,
}

/// What a token passport says; what is missing is empty.
#[derive(Clone, Copy)]
pub(crate) struct Passport<'a> {
    pub(crate) account: &'a str,
    pub(crate) consumer_key: &'a str,
    pub(crate) token: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) algorithm: &'a str,
}

/// How somebody logged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Bearer,
    Tba,
}

impl Door {
    /// `number_life` says how long a token lives in a number, and not in a text.
    pub(crate) fn new(credentials: Credentials, number_life: bool) -> Self {
        Self { credentials, number_life, memory: Mutex::default() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The audit trail, newest last.
    pub(crate) fn audit(&self) -> Vec<Attempt> {
        self.memory().audit.iter().cloned().collect()
    }

    pub(crate) fn note(&self, at: Timestamp, detail: &str, granted: bool) {
        let mut memory = self.memory();
        if memory.audit.len() >= AUDIT_MAX {
            memory.audit.pop_front();
        }
        memory.audit.push_back(Attempt { at, detail: detail.to_owned(), granted });
    }

    /// Forgets all tokens, as a restart or a revocation does.
    pub(crate) fn revoke(&self) {
        self.memory().tokens.clear();
    }

    pub(crate) fn map_certificate(&self, id: String, kind: KeyKind, public_key: Vec<u8>) {
        self.memory().certificates.insert(id, (kind, public_key));
    }

    pub(crate) fn tick(&self, scope: &str, ticked: bool) {
        let mut memory = self.memory();
        if ticked {
            memory.unticked.remove(scope);
        } else {
            memory.unticked.insert(scope.to_owned());
        }
    }

    pub(crate) fn block(&self, blocked: bool) {
        self.memory().blocked = blocked;
    }

    /// Who asks for a service; a refusal says only that it is one.
    pub(crate) fn enter(&self, exchange: &Exchange, scope: &str) -> Result<Way, Refusal> {
        let mut sent = exchange.headers.get_all("authorization").iter();
        let header = match (sent.next().and_then(|value| value.to_str().ok()), sent.next()) {
            (Some(header), None) => header,
            (Some(_), Some(_)) => return self.refuse(exchange, "Ambiguous authentication"),
            (None, _) => return self.refuse(exchange, "MissingCredentials"),
        };
        if let Some(token) = header.strip_prefix("Bearer ") {
            return self.bearer(exchange, token, scope).map(|()| Way::Bearer);
        }
        match header.strip_prefix("OAuth ") {
            Some(header) => self.signed(exchange, header).map(|()| Way::Tba),
            None => self.refuse(exchange, "InvalidCredentials"),
        }
    }

    fn bearer(&self, exchange: &Exchange, token: &str, scope: &str) -> Result<(), Refusal> {
        let well_formed = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        if token.split('.').count() != 3 || !token.split('.').all(well_formed) {
            self.note(exchange.at, "InvalidTokenType", false);
            return Err(Refusal::new(
                400,
                "INVALID_REQUEST",
                "The access token is malformed: invalid_request.",
            ));
        }
        let memory = self.memory();
        let reason = match memory.tokens.get(token) {
            None => "InvalidSignature",
            Some(_) if memory.blocked => "IntegrationBlocked",
            Some(issued) if issued.ends <= exchange.at => "AccessTokenExpired",
            Some(issued) if !issued.scopes.iter().any(|own| own == scope) => "ScopeMismatched",
            Some(_) if memory.unticked.contains(scope) => "ScopeMismatched",
            Some(_) => return Ok(()),
        };
        drop(memory);
        self.refuse(exchange, reason)
    }

    fn refuse<T>(&self, exchange: &Exchange, reason: &str) -> Result<T, Refusal> {
        self.note(exchange.at, reason, false);
        Err(Refusal::login())
    }

    fn signed(&self, exchange: &Exchange, header: &str) -> Result<(), Refusal> {
        let counted = self.counted(exchange.at, || self.check_signature(exchange, header));
        counted.map_err(|_| Refusal::login())
    }

    /// A log-on by keys: five refusals lock the user, by whichever service. The reason of a refusal goes to the audit trail.
    fn counted(
        &self,
        at: Timestamp,
        check: impl FnOnce() -> Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        let locked = self.memory().locked_until.is_some_and(|until| until > at);
        let checked = if locked { Err("temporary_locked") } else { check() };
        let mut memory = self.memory();
        match checked {
            Ok(()) => memory.failures = 0,
            Err(_) if locked => {}
            Err(_) => {
                memory.failures += 1;
                if memory.failures >= FAILURES_MAX {
                    memory.locked_until = Some(at.plus(LOCKED));
                    memory.failures = 0;
                }
            }
        }
        drop(memory);
        if let Err(reason) = checked {
            self.note(at, reason, false);
        }
        checked
    }

    /// Lets in whoever shows a token passport, or says why not.
    pub(crate) fn show(&self, at: Timestamp, passport: &Passport<'_>) -> Result<(), &'static str> {
        self.counted(at, || self.check_passport(at, passport))
    }

    fn check_passport(&self, at: Timestamp, passport: &Passport<'_>) -> Result<(), &'static str> {
        let Passport { account, consumer_key, token, nonce, timestamp, signature, algorithm } = *passport;
        let parts = [account, consumer_key, token, nonce, timestamp, signature, algorithm];
        if parts.iter().any(|part| part.is_empty()) {
            return Err("MissingTokenPassportRequiredFields");
        }
        if account != self.credentials.account {
            return Err("InvalidAccount");
        }
        self.check_keys(at, algorithm, (consumer_key, token), (nonce, timestamp))?;
        let text = [account, consumer_key, token, nonce, timestamp].map(encode).join("&");
        self.check_tag(&text, signature)
    }

    fn check_signature(&self, exchange: &Exchange, header: &str) -> Result<(), &'static str> {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        for part in header.split(',') {
            let (name, value) = part.trim().split_once('=').ok_or("parameter_rejected")?;
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .ok_or("parameter_rejected")?;
            let value = decode(value, false).ok_or("parameter_rejected")?;
            if value.is_empty() || fields.insert(name.to_owned(), value).is_some() {
                return Err("parameter_rejected");
            }
        }
        let field = |name: &str| fields.get(name).map(String::as_str).ok_or("parameter_rejected");
        if field("realm")? != self.credentials.account {
            return Err("InvalidRealm");
        }
        if fields.get("oauth_version").is_some_and(|version| version != "1.0") {
            return Err("VersionRejected");
        }
        self.check_keys(
            exchange.at,
            field("oauth_signature_method")?,
            (field("oauth_consumer_key")?, field("oauth_token")?),
            (field("oauth_nonce")?, field("oauth_timestamp")?),
        )?;
        let base = base_string(exchange, "http", &fields).ok_or("parameter_rejected")?;
        self.check_tag(&base, field("oauth_signature")?)
    }

    /// What both ways of showing keys have in common: known keys, a fresh time, a nonce that never was.
    fn check_keys(
        &self,
        now: Timestamp,
        algorithm: &str,
        (consumer_key, token): (&str, &str),
        (nonce, stamp): (&str, &str),
    ) -> Result<(), &'static str> {
        let keys = &self.credentials.tba;
        if algorithm != "HMAC-SHA256" {
            return Err("UnknownAlgorithm");
        }
        if consumer_key != keys.consumer_key {
            return Err("consumer_key_unknown");
        }
        if token != keys.token {
            return Err("token_rejected");
        }
        if self.memory().blocked {
            return Err("consumer_key_refused");
        }
        let at: i64 = stamp.parse().map_err(|_| "InvalidTimestamp")?;
        if at.abs_diff(now.as_secs()) > SKEW.unsigned_abs() {
            return Err("InvalidTimestamp");
        }
        if nonce.len() < 6 {
            return Err("nonce_rejected");
        }
        if !self.memory().seen.nonce(now.as_secs() - SKEW, at, nonce) {
            return Err("NonceUsed");
        }
        Ok(())
    }

    fn check_tag(&self, text: &str, signature: &str) -> Result<(), &'static str> {
        let keys = &self.credentials.tba;
        let key = format!("{}&{}", encode(&keys.consumer_secret), encode(&keys.token_secret));
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        let given = BASE64_STANDARD.decode(signature).map_err(|_| "InvalidSignature")?;
        hmac::verify(&key, text.as_bytes(), &given).map_err(|_| "InvalidSignature")
    }

    /// The token endpoint.
    pub(crate) fn token(&self, exchange: &Exchange) -> Reply {
        match self.issue(exchange) {
            Ok(reply) => reply,
            Err((error, reason)) => {
                self.note(exchange.at, reason, false);
                Reply::json(400, &json!({ "error": error }))
            }
        }
    }

    fn issue(&self, exchange: &Exchange) -> Result<Reply, (&'static str, &'static str)> {
        let request = |reason| ("invalid_request", reason);
        let form = form(exchange).ok_or(request("InvalidRequest"))?;
        let field = |name: &str| form.get(name).map(String::as_str).ok_or(request("InvalidRequest"));
        if field("grant_type")? != "client_credentials" {
            return Err(("unsupported_grant_type", "InvalidGrantType"));
        }
        if field("client_assertion_type")? != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
            return Err(request("InvalidAssertionType"));
        }
        let scopes = self
            .check_assertion(exchange, field("client_assertion")?)
            .map_err(|reason| ("invalid_client", reason))?;
        let mut memory = self.memory();
        memory.issued += 1;
        let ends = exchange.at.plus(Duration::from_secs(TOKEN_LIFE));
        let claims = json!({
            "sub": "1000;77", "aud": [format!("APP;{}", self.credentials.account), self.credentials.client_id],
            "scope": scopes, "iss": "https://system.netsuite.com", "exp": ends.as_secs(), "jti": memory.issued,
        });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let mut secret = [0u8; 24];
        rand::fill(&mut secret).map_err(|_| request("NoRandomness"))?;
        let token = format!(
            "{}.{}.{}",
            part(&json!({"typ": "JWT", "alg": "PS256", "kid": "netsuite"})),
            part(&claims),
            BASE64_URL_SAFE_NO_PAD.encode(secret)
        );
        let granted: Vec<String> = scopes
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|scope| scope.as_str().map(str::to_owned))
            .collect();
        memory.tokens.retain(|_, issued| issued.ends.plus(TOKEN_KEPT) > exchange.at);
        memory.tokens.insert(token.clone(), Issued { ends, scopes: granted });
        drop(memory);
        self.note(exchange.at, "Success", true);
        // Oracle's pages have a number, the field has texts: whoever reads one must read the other.
        let life = if self.number_life { json!(TOKEN_LIFE) } else { json!(TOKEN_LIFE.to_string()) };
        Ok(Reply::json(200, &json!({"access_token": token, "expires_in": life, "token_type": "bearer"})))
    }

    fn certificate(&self, id: &str) -> Option<(KeyKind, Vec<u8>)> {
        if id == self.credentials.certificate_id {
            return Some((KeyKind::P256, public_key(&self.credentials.private_key)?));
        }
        self.memory().certificates.get(id).cloned()
    }

    fn check_assertion(&self, exchange: &Exchange, assertion: &str) -> Result<Value, &'static str> {
        let (signed, given) = assertion.rsplit_once('.').ok_or("MalformedAssertion")?;
        let (header, claims) = signed.split_once('.').ok_or("MalformedAssertion")?;
        let read = |part: &str| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| "MalformedAssertion")?;
            serde_json::from_slice::<Value>(&bytes).map_err(|_| "MalformedAssertion")
        };
        let (header, claims) = (read(header)?, read(claims)?);
        if header["typ"] != "JWT" {
            return Err("MalformedAssertion");
        }
        let algorithm = header["alg"].as_str().unwrap_or_default();
        if !["ES256", "ES384", "ES512", "PS256", "PS384", "PS512"].contains(&algorithm) {
            return Err("UnsupportedAlgo");
        }
        let kid = header["kid"].as_str().ok_or("MissingKeyId")?;
        let (kind, public) = self.certificate(kid).ok_or("MissingKey")?;
        let verifier = kind.verifier(algorithm).ok_or("SignatureValidation")?;
        let given = BASE64_URL_SAFE_NO_PAD.decode(given).map_err(|_| "MalformedAssertion")?;
        if !kind.is_taken(&given) {
            return Err("MissingKey");
        }
        signature::UnparsedPublicKey::new(verifier, public)
            .verify(signed.as_bytes(), &given)
            .map_err(|_| "SignatureValidation")?;
        if self.memory().blocked {
            return Err("IntegrationBlocked");
        }
        if claims["iss"].as_str() != Some(&self.credentials.client_id) {
            return Err("InvalidIssuer");
        }
        let host = exchange.header("host").unwrap_or_default();
        let audience = claims["aud"].as_str().unwrap_or_default();
        let at = format!("//{host}{}", exchange.path);
        if !["http:", "https:"].iter().any(|scheme| audience.strip_prefix(scheme) == Some(&at)) {
            return Err("InvalidAudience");
        }
        let (issued, ends) =
            (claims["iat"].as_i64().ok_or("MissingIat")?, claims["exp"].as_i64().ok_or("MissingExp")?);
        let now = exchange.at.as_secs();
        if issued > now + 5 {
            return Err("TokenNotAcceptable");
        }
        if ends.saturating_sub(issued) > 3600 {
            return Err("TokenValidityTooBroad");
        }
        if ends <= now {
            return Err("TokenExpired");
        }
        let scopes: Vec<String> = match &claims["scope"] {
            Value::Array(list) => list.iter().filter_map(|scope| scope.as_str().map(str::to_owned)).collect(),
            Value::String(text) => text.split([',', ' ']).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        if scopes.is_empty() || !scopes.iter().all(|scope| SCOPES.contains(&scope.as_str())) {
            return Err("InvalidScope");
        }
        if scopes.iter().any(|scope| self.memory().unticked.contains(scope)) {
            return Err("ScopeMismatched");
        }
        if let Some(jti) = claims["jti"].as_str()
            && !self.memory().seen.assertion(now, ends, jti)
        {
            return Err("AssertionReplayed");
        }
        Ok(json!(scopes))
    }
}

fn form(exchange: &Exchange) -> Option<BTreeMap<String, String>> {
    let kind = exchange.header("content-type")?;
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return None;
    }
    let text = std::str::from_utf8(&exchange.body).ok()?;
    let mut fields = BTreeMap::new();
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=')?;
        // A parameter that is sent twice makes the request invalid (RFC 6749, section 3.2).
        if fields.insert(decode(name, true)?, decode(value, true)?).is_some() {
            return None;
        }
    }
    Some(fields)
}

/// RFC 5849, section 3.4.1.
fn base_string(exchange: &Exchange, scheme: &str, fields: &BTreeMap<String, String>) -> Option<String> {
    let host = exchange.header("host")?.to_lowercase();
    let host = host.strip_suffix(":80").unwrap_or(&host);
    let mut pairs = Vec::new();
    for pair in exchange.query.as_deref().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((encode(&decode(name, true)?), encode(&decode(value, true)?)));
    }
    for (name, value) in fields.iter().filter(|(name, _)| *name != "realm" && *name != "oauth_signature") {
        pairs.push((encode(name), encode(value)));
    }
    pairs.sort();
    let joined: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Some(format!(
        "{}&{}&{}",
        exchange.method.as_str().to_uppercase(),
        encode(&format!("{scheme}://{host}{}", exchange.path)),
        encode(&joined.join("&"))
    ))
}

pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            other => drop(write!(encoded, "%{other:02X}")),
        }
    }
    encoded
}

pub(crate) fn decode(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = rest.get(2..)?;
            }
            b'+' if plus => bytes.push(b' '),
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signatures that another library made (oauthlib) of the same requests.
    #[test]
    fn a_signature_is_what_others_make_of_the_same_request() {
        let known = [
            (
                "POST",
                "suitetalk",
                "/services/rest/query/v1/suiteql",
                "limit=1000&offset=2000",
                "NcOwqfCztz7w8bDIF+FHxPCR3Lbfsez8qF/QLprHS64=",
            ),
            (
                "GET",
                "suitetalk",
                "/services/rest/record/v1/customer",
                "q=email%20START_WITH%20%22jos%C3%A9%2Bb2b%22&limit=100&offset=0",
                "rAlhdu9H7TfhAfNUjtsffAQK2fcgpDJK9zc2H8+aiMA=",
            ),
            (
                "POST",
                "suitetalk",
                "/services/rest/record/v1/salesOrder/eid:M2-000000123/!transform/itemFulfillment",
                "",
                "UTLrd70Wf/Tob1jWE0OENuVY+UTUJjMoFNRAjb454jo=",
            ),
            (
                "GET",
                "restlets",
                "/app/site/hosting/restlet.nl",
                "script=customscript_stock&deploy=1&sku=B&sku=A&empty=",
                "vZA4lImGH1ZKqbyR9OojCJLRnN+DvyEd2ptZEDfhDxE=",
            ),
        ];
        let fields: BTreeMap<String, String> = [
            ("realm", "1234567_SB1"),
            ("oauth_consumer_key", "cccccccccccccccc0123456789abcdef0123456789abcdef0123456789abcdef"),
            ("oauth_token", "77777777777777770f1e2d3c4b5a69780f1e2d3c4b5a69780f1e2d3c4b5a6978"),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_timestamp", "1795392000"),
            ("oauth_nonce", "k3Xw0ZpQ7nVbT2mR8sLd"),
            ("oauth_version", "1.0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let key = "5555555555555555fedcba9876543210fedcba9876543210fedcba9876543210&aaaaaaaaaaaaaaaa13579bdf02468ace13579bdf02468ace13579bdf02468ace";
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        for (method, service, path, query, signature) in known {
            let mut headers = http::HeaderMap::new();
            let host = format!("1234567-sb1.{service}.api.netsuite.com");
            headers.insert("host", host.parse().unwrap());
            let exchange = Exchange {
                method: method.parse().unwrap(),
                path: path.to_owned(),
                query: (!query.is_empty()).then(|| query.to_owned()),
                headers,
                body: bytes::Bytes::new(),
                at: Timestamp::from_secs(1_795_392_000),
            };
            let base = base_string(&exchange, "https", &fields).unwrap();
            assert_eq!(BASE64_STANDARD.encode(hmac::sign(&key, base.as_bytes())), signature, "{base}");
        }
    }

    /// As Oracle prints it, and as another library (oauthlib) made it.
    #[test]
    fn a_passport_is_what_others_make_of_the_same_values() {
        let known = [
            (
                TbaKeys {
                    consumer_key: "ef40afdd8abaac111b13825dd5e5e2ddddb44f86d5a0dd6dcf38c20aae6b67e4"
                        .to_owned(),
                    consumer_secret: "d26ad321a4b2f23b0741c8d38392ce01c3e23e109df6c96eac6d099e9ab9e8b5"
                        .to_owned(),
                    token: "2b0ce516420110bcbd36b69e99196d1b7f6de3c6234c5afb799b73d87569f5cc".to_owned(),
                    token_secret: "c29a677df7d5439a458c063654187e3d678d73aca8e3c9d8bea1478a3eb0d295"
                        .to_owned(),
                },
                ("123456", "fjaLirsIcCGVZWzBX0pg", "1508242306"),
                "tIcC5zyKUmycB5Ml/cNxOHDusw03Y5KPQiXVNUHHp4U=",
            ),
            (
                TbaKeys {
                    consumer_key: "cccccccccccccccc0123456789abcdef0123456789abcdef0123456789abcdef"
                        .to_owned(),
                    consumer_secret: "5555555555555555fedcba9876543210fedcba9876543210fedcba9876543210"
                        .to_owned(),
                    token: "77777777777777770f1e2d3c4b5a69780f1e2d3c4b5a69780f1e2d3c4b5a6978".to_owned(),
                    token_secret: "aaaaaaaaaaaaaaaa13579bdf02468ace13579bdf02468ace13579bdf02468ace"
                        .to_owned(),
                },
                ("1234567_SB1", "k3Xw0ZpQ7nVbT2mR8sLd", "1795392000"),
                "K9i1oJjhNv8f4JQnQHSEGynI9nTJrFiIUp0s6rSdoWI=",
            ),
        ];
        for (tba, (account, nonce, timestamp), signature) in known {
            let at = Timestamp::from_secs(timestamp.parse().unwrap());
            let (consumer_key, token) = (tba.consumer_key.clone(), tba.token.clone());
            let credentials = Credentials {
                account: account.to_owned(),
                client_id: String::new(),
                certificate_id: String::new(),
                private_key: String::new(),
                tba,
            };
            let algorithm = "HMAC-SHA256";
            let (consumer_key, token) = (consumer_key.as_str(), token.as_str());
            let passport = Passport { account, consumer_key, token, nonce, timestamp, signature, algorithm };
            assert_eq!(Door::new(credentials, false).show(at, &passport), Ok(()), "{account}");
        }
    }
}
