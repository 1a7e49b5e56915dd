//! A private key in PEM, and what it signs (RFC 7468, RFC 5958; RFC 7518, sections 3.3 to 3.5).

use super::JwtAlgorithm;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKey;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, RsaEncoding};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use erp_core::error::{Error, Result};
use secrecy::zeroize::Zeroizing;

/// A PEM text longer than this is no key.
const PEM_BYTES_MAX: usize = 64 * 1024;
const REMEDY: &str = "write it as PKCS#8 without a passphrase: openssl pkey -in KEY.pem -out PLAIN.pem";

/// Labels of RFC 7468 and of PKCS#1.
const PKCS8: &str = "PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";

/// A key that is known to fit its algorithm.
pub(super) enum SigningKey {
    Rsa(Box<RsaKey>, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
}

impl SigningKey {
    /// Reads the key of `algorithm`; an error tells what is wrong with it, and nothing of the key.
    pub(super) fn read(algorithm: JwtAlgorithm, pem: &str) -> Result<Self> {
        let (label, der) = block(pem)?;
        let key = match need(algorithm) {
            Need::Rsa(encoding) => rsa(label, &der).map(|key| Self::Rsa(Box::new(key), encoding)),
            Need::Ec(curve) => ec(label, &der, curve).map(Self::Ec),
        };
        key.ok_or_else(|| unfit(algorithm, label, &der))
    }

    /// The signature as a JWS carries it: for EC the two numbers side by side, and not DER.
    pub(super) fn sign(&self, text: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        let signed = match self {
            Self::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &random, text, &mut signature).map(|()| signature)
            }
            Self::Ec(key) => key.sign(&random, text).map(|signature| signature.as_ref().to_vec()),
        };
        signed.map_err(|_| Error::unexpected("the private key could not sign"))
    }
}

enum Need {
    Rsa(&'static dyn RsaEncoding),
    Ec(&'static EcdsaSigningAlgorithm),
}

fn need(algorithm: JwtAlgorithm) -> Need {
    match algorithm {
        JwtAlgorithm::Rs256 => Need::Rsa(&signature::RSA_PKCS1_SHA256),
        JwtAlgorithm::Ps256 => Need::Rsa(&signature::RSA_PSS_SHA256),
        JwtAlgorithm::Ps384 => Need::Rsa(&signature::RSA_PSS_SHA384),
        JwtAlgorithm::Ps512 => Need::Rsa(&signature::RSA_PSS_SHA512),
        JwtAlgorithm::Es256 => Need::Ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        JwtAlgorithm::Es384 => Need::Ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        JwtAlgorithm::Es512 => Need::Ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
    }
}

fn rsa(label: &str, der: &[u8]) -> Option<RsaKey> {
    if label == PKCS1 { RsaKey::from_der(der).ok() } else { RsaKey::from_pkcs8(der).ok() }
}

fn ec(label: &str, der: &[u8], curve: &'static EcdsaSigningAlgorithm) -> Option<EcdsaKeyPair> {
    if label == PKCS8 { EcdsaKeyPair::from_pkcs8(curve, der).ok() } else { None }
}

/// Why a key cannot be the one of `algorithm`: it is another kind of key, or none.
fn unfit(algorithm: JwtAlgorithm, label: &str, der: &[u8]) -> Error {
    let curves = [
        ("on P-256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING, "ES256"),
        ("on P-384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING, "ES384"),
        ("on P-521", &signature::ECDSA_P521_SHA512_FIXED_SIGNING, "ES512"),
    ];
    let curve = curves.into_iter().find(|(_, curve, _)| ec(label, der, curve).is_some());
    let (kind, signs) = match curve {
        Some((kind, _, signs)) => (kind, signs),
        None if rsa(label, der).is_some() => ("RSA", "PS256, PS384 or PS512"),
        None => {
            return Error::config(
                "the private key is neither RSA (2048 to 8192 bits) nor on P-256, P-384 or P-521",
            );
        }
    };
    Error::config(format!(
        "the private key is {kind} and cannot sign {algorithm}; say {signs}, or give another key"
    ))
}

/// The first private key of a PEM text: its label and its bytes. What stands around it does not matter.
fn block(pem: &str) -> Result<(&str, Zeroizing<Vec<u8>>)> {
    let bad = |what: &str| Error::config(format!("the private key {what}; {REMEDY}"));
    if pem.len() > PEM_BYTES_MAX {
        return Err(bad("is longer than 64 KiB"));
    }
    let mut other = None;
    let mut rest = pem;
    while let Some((label, after)) =
        rest.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("-----"))
    {
        let Some((body, after)) = after.split_once(&format!("-----END {label}-----")) else {
            return Err(bad("has no end"));
        };
        rest = after;
        if ![PKCS8, PKCS1].contains(&label) {
            if other.is_none() || label.contains("PRIVATE") {
                other = Some(label);
            }
            continue;
        }
        if body.contains(",ENCRYPTED") {
            return Err(bad("is encrypted"));
        }
        let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|c| !c.is_whitespace()).collect());
        let der =
            BASE64_STANDARD.decode(body.as_bytes()).map_err(|_| bad("is not base64 between its lines"))?;
        return Ok((label, Zeroizing::new(der)));
    }
    Err(match other {
        Some("ENCRYPTED PRIVATE KEY") => bad("is encrypted"),
        Some("EC PRIVATE KEY" | "EC PARAMETERS") => bad("is in the older form of EC keys"),
        Some("CERTIFICATE" | "PUBLIC KEY" | "CERTIFICATE REQUEST") => Error::config(
            "there is a certificate or public key where the private key should be; give the file that was made with it",
        ),
        _ => bad("is no PEM text (\"-----BEGIN PRIVATE KEY-----\")"),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

    /// A fresh key as PKCS#8, and its public part.
    pub(crate) fn fresh(algorithm: JwtAlgorithm) -> (Vec<u8>, Vec<u8>) {
        match need(algorithm) {
            Need::Rsa(_) => {
                let pair = RsaKey::generate(KeySize::Rsa2048).unwrap();
                let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
                (der.as_ref().to_vec(), pair.public_key().as_ref().to_vec())
            }
            Need::Ec(curve) => {
                let pair = EcdsaKeyPair::generate(curve).unwrap();
                (pair.to_pkcs8v1().unwrap().as_ref().to_vec(), pair.public_key().as_ref().to_vec())
            }
        }
    }

    pub(crate) fn pem(label: &str, der: &[u8]) -> String {
        let body = BASE64_STANDARD.encode(der);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    fn told(algorithm: JwtAlgorithm, pem: &str) -> String {
        let error = SigningKey::read(algorithm, pem).err().expect("this is no key of the algorithm");
        assert_eq!(error.code(), "erp.config");
        error.message().to_owned()
    }

    #[test]
    fn a_key_of_another_kind_is_named_with_what_it_can_sign() {
        use JwtAlgorithm::{Es256, Es384, Es512, Ps256};
        let kinds = [
            (Ps256, "is RSA", "say PS256, PS384 or PS512"),
            (Es256, "is on P-256", "say ES256"),
            (Es384, "is on P-384", "say ES384"),
            (Es512, "is on P-521", "say ES512"),
        ];
        let family =
            |algorithm: JwtAlgorithm| if algorithm.name().starts_with('E') { algorithm } else { Ps256 };
        for (made_for, is, say) in kinds {
            let pem = pem(PKCS8, &fresh(made_for).0);
            for algorithm in JwtAlgorithm::ALL {
                if family(algorithm) == made_for {
                    assert!(SigningKey::read(algorithm, &pem).is_ok(), "{made_for} as {algorithm}");
                    continue;
                }
                let told = told(algorithm, &pem);
                let cannot = format!("cannot sign {algorithm}");
                assert!([is, &cannot, say].iter().all(|part| told.contains(*part)), "{told}");
            }
        }
    }

    #[test]
    fn what_stands_around_a_key_does_not_matter() {
        let key = pem(PKCS8, &fresh(JwtAlgorithm::Es256).0);
        for text in [
            key.replace('\n', "\r\n"),
            format!("Bag Attributes\n    friendlyName: sync\n{key}"),
            format!("{}{key}", pem("CERTIFICATE", b"chain")),
            format!("{}{key}", pem("EC PARAMETERS", b"curve")),
            key.trim().to_owned(),
        ] {
            assert!(SigningKey::read(JwtAlgorithm::Es256, &text).is_ok(), "{}", text.len());
        }
    }

    #[test]
    fn the_older_form_of_rsa_keys_is_read() {
        let (der, _) = fresh(JwtAlgorithm::Ps256);
        // What PKCS#8 wraps begins behind its version, algorithm and two lengths.
        let inner = pem(PKCS1, &der[26..]);
        assert!(SigningKey::read(JwtAlgorithm::Ps384, &inner).is_ok());
        assert!(told(JwtAlgorithm::Es384, &inner).contains("is RSA"));
    }

    #[test]
    fn a_text_that_holds_no_usable_key_says_what_it_is() {
        let key = pem(PKCS8, &fresh(JwtAlgorithm::Es256).0);
        let ed25519 = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        let legacy = pem(PKCS1, b"hunter2").replacen("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1);
        for (text, says) in [
            ("hunter2".to_owned(), "no PEM text"),
            (String::new(), "no PEM text"),
            (key.replace("-----END", "hunter2"), "has no end"),
            (key.replace("PRIVATE KEY-----\n", "PRIVATE KEY-----\nhunter2*"), "not base64"),
            (key.replace('\n', "\\n"), "not base64"),
            (
                pem("ENCRYPTED PRIVATE KEY", b"hunter2"),
                "is encrypted; write it as PKCS#8 without a passphrase",
            ),
            (legacy, "is encrypted"),
            (pem("EC PRIVATE KEY", b"hunter2"), "older form of EC keys; write it as PKCS#8"),
            (pem("CERTIFICATE", b"hunter2"), "certificate or public key"),
            (pem("PUBLIC KEY", b"hunter2"), "certificate or public key"),
            (pem(PKCS8, b"hunter2"), "neither RSA (2048 to 8192 bits) nor on P-256, P-384 or P-521"),
            (pem(PKCS1, b"hunter2"), "neither RSA"),
            (pem(PKCS8, ed25519.as_ref()), "neither RSA"),
            ("x".repeat(PEM_BYTES_MAX + 1), "longer than 64 KiB"),
        ] {
            for algorithm in [JwtAlgorithm::Es256, JwtAlgorithm::Ps256] {
                let told = told(algorithm, &text);
                assert!(told.contains(says), "{told} should say {says}");
                assert!(!told.contains("hunter2"), "{told}");
            }
        }
    }
}
