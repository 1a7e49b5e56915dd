//! Signed assertions (RFC 7519, RFC 7523) with which a machine logs in: NetSuite M2M, Salesforce, Entra certificates.

use crate::auth::oauth1::nonce;
use crate::auth::secret::{LiveSecret, Secret, SecretSource};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use erp_core::error::{Error, Result};
use erp_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt;
use std::time::Duration;

mod key;

use key::SigningKey;

/// How an assertion is signed (RFC 7518, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum JwtAlgorithm {
    /// RSA PKCS#1 v1.5: Salesforce, Entra. NetSuite refuses it.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA-PSS with SHA-256: NetSuite, Entra.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSA-PSS with SHA-384: NetSuite.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSA-PSS with SHA-512: NetSuite.
    #[serde(rename = "PS512")]
    Ps512,
    /// ECDSA on P-256 with SHA-256: NetSuite.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384: NetSuite.
    #[serde(rename = "ES384")]
    Es384,
    /// ECDSA on P-521 with SHA-512: NetSuite.
    #[serde(rename = "ES512")]
    Es512,
}

impl JwtAlgorithm {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Rs256, Self::Ps256, Self::Ps384, Self::Ps512, Self::Es256, Self::Es384, Self::Es512];

    /// As a header's `alg` and a config file write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
        }
    }
}

impl fmt::Display for JwtAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Signs assertions with a private key in PEM: PKCS#8, for RSA also PKCS#1, without a passphrase.
#[derive(Debug)]
pub struct JwtSigner {
    algorithm: JwtAlgorithm,
    key: LiveSecret,
    header: Vec<(&'static str, String)>,
}

impl JwtSigner {
    /// Takes the private key from `pem`.
    #[must_use]
    pub fn new(algorithm: JwtAlgorithm, pem: SecretSource) -> Self {
        Self { algorithm, key: LiveSecret::new(pem), header: Vec::new() }
    }

    /// Sets the header's `kid`: NetSuite's certificate id.
    #[must_use]
    pub fn with_key_id(mut self, kid: impl Into<String>) -> Self {
        self.header.push(("kid", kid.into()));
        self
    }

    /// Sets the header's `x5t`: the certificate's SHA-1 thumbprint that Entra looks for, in base64url.
    #[must_use]
    pub fn with_thumbprint(mut self, x5t: impl Into<String>) -> Self {
        self.header.push(("x5t", x5t.into()));
        self
    }

    /// Signs any claims.
    ///
    /// # Errors
    /// `Config` if the key cannot be read or does not fit the algorithm.
    pub fn sign<T: Serialize>(&self, claims: &T) -> Result<Secret> {
        let key = SigningKey::read(self.algorithm, self.key.get()?.expose())?;
        let mut header = Map::new();
        header.insert("typ".into(), json!("JWT"));
        header.insert("alg".into(), json!(self.algorithm));
        header.extend(self.header.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        let claims = serde_json::to_vec(claims)
            .map_err(|e| Error::unexpected("an assertion's claims cannot be written").with_source(e))?;
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!("{}.{}", encode(Value::Object(header).to_string().as_bytes()), encode(&claims));
        let signature = key.sign(signed.as_bytes())?;
        Ok(Secret::from(format!("{signed}.{}", encode(&signature))))
    }

    /// Reads the key again after a refusal; `true` if it is another one now.
    pub(crate) fn renewed(&self) -> bool {
        self.key.get().is_ok_and(|used| self.key.renewed(&used))
    }
}

/// What an assertion claims. `iat` is ten seconds back, against clocks that differ; `jti` is random.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Assertion {
    /// Who says so: the client id.
    pub issuer: String,
    /// About whom: the user, or the client itself.
    pub subject: Option<String>,
    /// To whom: the token URL, or what the vendor wants there.
    pub audience: String,
    /// How long it holds. Default 5 min; vendors take at most 3 to 60.
    pub life: Duration,
    /// More claims, such as NetSuite's `scope`.
    pub claims: Map<String, Value>,
}

impl Assertion {
    /// An assertion of `issuer` for `audience`.
    #[must_use]
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            subject: None,
            audience: audience.into(),
            life: Duration::from_secs(300),
            claims: Map::new(),
        }
    }

    /// Sets the subject.
    #[must_use]
    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sets how long it holds.
    #[must_use]
    pub fn with_life(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// Adds a claim.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: Value) -> Self {
        self.claims.insert(name.into(), value);
        self
    }

    /// The claims at `now`.
    ///
    /// # Errors
    /// `Unexpected` if the machine has no randomness.
    pub fn claims_at(&self, now: Timestamp) -> Result<Value> {
        let issued = now.minus(Duration::from_secs(10));
        let mut claims = self.claims.clone();
        claims.insert("iss".into(), json!(self.issuer));
        claims.insert("aud".into(), json!(self.audience));
        claims.insert("iat".into(), json!(issued.as_secs()));
        claims.insert("exp".into(), json!(issued.plus(self.life).as_secs()));
        claims.insert("jti".into(), json!(nonce()?));
        if let Some(subject) = &self.subject {
            claims.insert("sub".into(), json!(subject));
        }
        Ok(Value::Object(claims))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::auth::jwt::key::tests::{fresh, pem};
    use aws_lc_rs::signature;

    fn key(algorithm: JwtAlgorithm) -> (SecretSource, Vec<u8>) {
        let (der, public) = fresh(algorithm);
        (SecretSource::text(pem("PRIVATE KEY", &der)), public)
    }

    /// A fresh key: what signs, and what verifies.
    pub(crate) fn ec_key() -> (SecretSource, Vec<u8>) {
        key(JwtAlgorithm::Es256)
    }

    /// Checks a signature, and gives header and claims. Whether another library takes it, `interop` says.
    pub(crate) fn verified(
        token: &Secret,
        algorithm: &'static dyn signature::VerificationAlgorithm,
        public: &[u8],
    ) -> (Value, Value) {
        let (signed, sent) = token.expose().rsplit_once('.').unwrap();
        let sent = BASE64_URL_SAFE_NO_PAD.decode(sent).unwrap();
        let key = signature::UnparsedPublicKey::new(algorithm, public);
        key.verify(signed.as_bytes(), &sent).expect("the signature fits the text");
        let (header, claims) = signed.split_once('.').unwrap();
        let read = |part| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        (read(header), read(claims))
    }

    #[test]
    fn es256_holds_what_it_claims() {
        let (pem, public) = ec_key();
        let signer = JwtSigner::new(JwtAlgorithm::Es256, pem).with_key_id("cert-1");
        let assertion = Assertion::new("client", "https://a.test/token")
            .with_subject("anna")
            .with_claim("scope", json!(["rest_webservices"]));
        let now = Timestamp::from_secs(1_760_000_000);
        let token = signer.sign(&assertion.claims_at(now).unwrap()).unwrap();
        let (header, claims) = verified(&token, &signature::ECDSA_P256_SHA256_FIXED, &public);
        assert_eq!(header, json!({"typ": "JWT", "alg": "ES256", "kid": "cert-1"}));
        assert_eq!(claims["iat"], 1_759_999_990);
        assert_eq!(claims["exp"], 1_760_000_290);
        assert_eq!(claims["scope"][0], "rest_webservices");
        assert_eq!(claims["sub"], "anna");
        assert_eq!(claims["jti"].as_str().unwrap().len(), 32);
    }

    #[test]
    fn each_algorithm_signs_in_its_own_way() {
        let verifiers: [&'static dyn signature::VerificationAlgorithm; 7] = [
            &signature::RSA_PKCS1_2048_8192_SHA256,
            &signature::RSA_PSS_2048_8192_SHA256,
            &signature::RSA_PSS_2048_8192_SHA384,
            &signature::RSA_PSS_2048_8192_SHA512,
            &signature::ECDSA_P256_SHA256_FIXED,
            &signature::ECDSA_P384_SHA384_FIXED,
            &signature::ECDSA_P521_SHA512_FIXED,
        ];
        for (algorithm, verifier) in JwtAlgorithm::ALL.into_iter().zip(verifiers) {
            let (pem, public) = key(algorithm);
            let token = JwtSigner::new(algorithm, pem).sign(&json!({"a": 1})).unwrap();
            let (header, claims) = verified(&token, verifier, &public);
            assert_eq!(header, json!({"typ": "JWT", "alg": algorithm.name()}));
            assert_eq!(claims, json!({"a": 1}));
        }
    }

    #[test]
    fn a_name_is_written_and_read_the_same_everywhere() {
        for algorithm in JwtAlgorithm::ALL {
            assert_eq!(serde_json::to_value(algorithm).unwrap(), json!(algorithm.to_string()));
            let read: JwtAlgorithm = serde_json::from_value(json!(algorithm.name())).unwrap();
            assert_eq!(read, algorithm);
        }
        for other in ["RS512", "HS256", "none", "es256", "ES256K", "EdDSA"] {
            assert!(serde_json::from_value::<JwtAlgorithm>(json!(other)).is_err(), "{other}");
        }
    }

    #[test]
    fn a_header_says_who_signed() {
        let (pem, public) = ec_key();
        let signer = JwtSigner::new(JwtAlgorithm::Es256, pem).with_key_id("k \"1\"").with_thumbprint("t");
        let token = signer.sign(&json!({})).unwrap();
        let (header, _) = verified(&token, &signature::ECDSA_P256_SHA256_FIXED, &public);
        assert_eq!(header, json!({"typ": "JWT", "alg": "ES256", "kid": "k \"1\"", "x5t": "t"}));
    }

    #[test]
    fn a_key_that_does_not_fit_is_a_config_error_without_the_key() {
        let (ec, _) = ec_key();
        for source in [ec, SecretSource::text("hunter2")] {
            let error = JwtSigner::new(JwtAlgorithm::Rs256, source).sign(&json!({})).unwrap_err();
            assert_eq!(error.code(), "erp.config");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}
