//! Log-on by certificate: each algorithm that NetSuite takes, and keys that are not the algorithm's.

use crate::world::{LogOn, World};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use erp_core::prelude::*;
use futures_util::future::{Either, select};
use netsuite::suiteql::SuiteQl;
use netsuite::{JwtAlgorithm, NetsuiteAuth, NetsuiteClient};
use netsuite_emulator::KeyKind;
use std::pin::pin;

/// A certificate as it was mapped: kind, private key (PKCS#8, PEM), public key.
struct Certificate {
    kind: KeyKind,
    pem: String,
    public: Vec<u8>,
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64_STANDARD.encode(der))
}

fn ec(kind: KeyKind, curve: &'static EcdsaSigningAlgorithm) -> Certificate {
    let pair = EcdsaKeyPair::generate(curve).expect("keys can be made");
    let public = pair.public_key().as_ref().to_vec();
    Certificate { kind, pem: pem(pair.to_pkcs8v1().expect("keys can be made").as_ref()), public }
}

fn rsa() -> Certificate {
    let pair = RsaKey::generate(KeySize::Rsa3072).expect("keys can be made");
    let der: Pkcs8V1Der<'_> = pair.as_der().expect("keys can be made");
    Certificate { kind: KeyKind::Rsa, pem: pem(der.as_ref()), public: pair.public_key().as_ref().to_vec() }
}

/// What the six sign with.
fn certificates() -> [(Certificate, Vec<JwtAlgorithm>); 4] {
    use JwtAlgorithm::{Es256, Es384, Es512, Ps256, Ps384, Ps512};
    [
        (rsa(), vec![Ps256, Ps384, Ps512]),
        (ec(KeyKind::P256, &signature::ECDSA_P256_SHA256_FIXED_SIGNING), vec![Es256]),
        (ec(KeyKind::P384, &signature::ECDSA_P384_SHA384_FIXED_SIGNING), vec![Es384]),
        (ec(KeyKind::P521, &signature::ECDSA_P521_SHA512_FIXED_SIGNING), vec![Es512]),
    ]
}

fn client(world: &World, pem: &str, algorithm: JwtAlgorithm) -> Result<NetsuiteClient> {
    let auth = NetsuiteAuth::oauth2(world.emulator.client_id(), "mapped", pem).with_algorithm(algorithm);
    NetsuiteClient::builder("netsuite", world.emulator.account())
        .base_url(world.emulator.base_url())
        .auth(auth)
        .clock(world.clock.shared())
        .build()
}

#[tokio::test]
async fn each_algorithm_logs_on_with_the_key_that_it_is_for() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let cx = Context::new();
    for (certificate, algorithms) in certificates() {
        world.emulator.world.map_certificate("mapped", certificate.kind, certificate.public);
        for algorithm in algorithms {
            let client = client(&world, &certificate.pem, algorithm).unwrap();
            let query = SuiteQl::new("SELECT id FROM location");
            let asking = pin!(client.suiteql(&cx, &query, 5, 0));
            let Either::Left((page, _)) = select(asking, pin!(world.wake())).await else { unreachable!() };
            assert!(page.is_ok(), "{algorithm}: {page:?} {:?}", world.emulator.world.audit());
        }
    }
}

#[tokio::test]
async fn a_key_that_is_not_the_algorithms_is_told_when_the_client_is_made() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    for (certificate, algorithms) in certificates() {
        for algorithm in JwtAlgorithm::ALL {
            let built = client(&world, &certificate.pem, algorithm);
            if algorithm == JwtAlgorithm::Rs256 {
                assert!(built.unwrap_err().message().contains("refused by NetSuite"));
            } else if algorithms.contains(&algorithm) {
                built.unwrap();
            } else {
                let error = built.unwrap_err();
                assert_eq!(error.code(), "erp.config");
                let told = error.message();
                assert!(told.starts_with("auth.private_key: the private key is "), "{told}");
                assert!(told.contains(&format!("cannot sign {algorithm}; say {}", algorithms[0])), "{told}");
            }
        }
    }
}

#[tokio::test]
async fn a_key_with_a_passphrase_is_told_with_the_remedy() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let error = client(&world, locked, JwtAlgorithm::Ps256).unwrap_err();
    assert!(
        error.message().starts_with("auth.private_key: the private key is encrypted; write it"),
        "{error}"
    );
}
