//! Signed assertions (RFC 7519, RFC 7523) with which a machine logs in: NetSuite M2M, Salesforce, Entra certificates.

use crate::auth::oauth1::nonce;
use crate::auth::secret::{LiveSecret, Secret, SecretSource};
use erp_core::error::{Error, Result};
use erp_core::time::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How an assertion is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum JwtAlgorithm {
    /// RSA PKCS#1 v1.5: Salesforce, Entra. NetSuite refuses it.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA-PSS: NetSuite, Entra.
    #[serde(rename = "PS256")]
    Ps256,
    /// ECDSA on P-256: NetSuite.
    #[serde(rename = "ES256")]
    Es256,
}

/// Signs assertions with a private key in PEM (PKCS#8; for RSA also PKCS#1).
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
        let pem = self.key.get()?;
        let pem = pem.expose().as_bytes();
        let (algorithm, key) = match self.algorithm {
            JwtAlgorithm::Rs256 => (Algorithm::RS256, EncodingKey::from_rsa_pem(pem)),
            JwtAlgorithm::Ps256 => (Algorithm::PS256, EncodingKey::from_rsa_pem(pem)),
            JwtAlgorithm::Es256 => (Algorithm::ES256, EncodingKey::from_ec_pem(pem)),
        };
        let unfit = |_| Error::config(format!("the private key cannot sign {:?}", self.algorithm));
        let mut header = Header::new(algorithm);
        for (name, value) in &self.header {
            match *name {
                "kid" => header.kid = Some(value.clone()),
                _ => header.x5t = Some(value.clone()),
            }
        }
        jsonwebtoken::encode(&header, claims, &key.map_err(unfit)?).map(Secret::from).map_err(unfit)
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
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::signature::KeyPair as _;
    use aws_lc_rs::{rsa, signature};
    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

    fn pem(der: &[u8]) -> SecretSource {
        let body = BASE64_STANDARD.encode(der);
        SecretSource::text(format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"))
    }

    /// A fresh key: what signs, and what verifies.
    pub(crate) fn ec_key() -> (SecretSource, Vec<u8>) {
        let pair = signature::EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let der = pair.to_pkcs8v1().unwrap();
        (pem(der.as_ref()), pair.public_key().as_ref().to_vec())
    }

    /// Checks a signature with another library's own verifier, and gives header and claims.
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
    fn rs256_and_ps256_use_the_same_key_differently() {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public = pair.public_key().as_ref().to_vec();
        for (algorithm, verifier) in [
            (JwtAlgorithm::Rs256, &signature::RSA_PKCS1_2048_8192_SHA256),
            (JwtAlgorithm::Ps256, &signature::RSA_PSS_2048_8192_SHA256),
        ] {
            let token = JwtSigner::new(algorithm, pem(der.as_ref())).sign(&json!({"a": 1})).unwrap();
            let (header, claims) = verified(&token, verifier, &public);
            assert_eq!(header["alg"], serde_json::to_value(algorithm).unwrap());
            assert_eq!(claims, json!({"a": 1}));
        }
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
