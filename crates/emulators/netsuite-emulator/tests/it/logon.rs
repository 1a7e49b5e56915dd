//! Log-on: what is let in, and that the reason of a refusal stands in the audit trail alone.

use crate::town::{Asked, Signing, TIME, TOKEN, Town, assertion, sign_with};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};
use netsuite_emulator::{KeyKind, NetsuiteSeed, Quirk};
use serde_json::{Value, json};
use std::time::Duration;

fn last(town: &Town) -> String {
    town.world.audit().pop().unwrap_or_default()
}

#[tokio::test]
async fn a_signed_request_is_let_in_with_its_query() {
    let town = Town::new();
    let target = format!("{TIME}?b=x%20y&a=%2B&a=&caf%C3%A9=1");
    let answer = town.ask(Asked::new("GET", target)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!answer.header("x-netsuite-jobid").is_empty());
    assert!(!answer.header("x-n-operationid").is_empty());
    assert!(town.world.audit().is_empty());
}

type Breakage = (&'static str, fn(&mut Signing));

#[tokio::test]
async fn each_fault_of_a_signature_looks_the_same_and_is_named_in_the_trail() {
    let faults: [Breakage; 14] = [
        ("InvalidRealm", |s| s.realm = "1234567-sb1".to_owned()),
        ("parameter_rejected", |s| s.realm = String::new()),
        ("nonce_rejected", |s| s.nonce = "short".to_owned()),
        ("parameter_rejected", |s| s.nonce = String::new()),
        ("InvalidTimestamp", |s| s.stamp += 301),
        ("InvalidTimestamp", |s| s.stamp -= 301),
        ("UnknownAlgorithm", |s| s.method = "HMAC-SHA1".to_owned()),
        ("VersionRejected", |s| s.version = "2.0".to_owned()),
        ("consumer_key_unknown", |s| s.consumer = "another".to_owned()),
        ("token_rejected", |s| s.token = "another".to_owned()),
        ("InvalidSignature", |s| s.secret = "another".to_owned()),
        ("InvalidSignature", |s| s.sign_query = false),
        ("InvalidSignature", |s| s.hex = true),
        ("InvalidTimestamp", |s| s.stamp = 0),
    ];
    for (at, (reason, break_it)) in faults.into_iter().enumerate() {
        let town = Town::new();
        let mut signing = town.signing();
        break_it(&mut signing);
        let answer = town.signed(Asked::new("GET", format!("{TIME}?limit=5")), &signing).await;
        assert_eq!((answer.status, answer.code()), (401, "INVALID_LOGIN"), "fault {at}");
        assert_eq!(last(&town), reason, "fault {at}");
        assert!(!answer.text.contains(reason), "fault {at}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_signed_request_is_taken_once() {
    let town = Town::new();
    let signing = town.signing();
    assert_eq!(town.signed(Asked::new("GET", TIME), &signing).await.status, 200);
    assert_eq!(town.signed(Asked::new("GET", TIME), &signing).await.status, 401);
    assert_eq!(last(&town), "NonceUsed");
}

#[tokio::test]
async fn five_failures_lock_for_half_an_hour() {
    let town = Town::new();
    for _ in 0..5 {
        let mut signing = town.signing();
        signing.secret = "wrong".to_owned();
        assert_eq!(town.signed(Asked::new("GET", TIME), &signing).await.status, 401);
    }
    assert_eq!(town.ask(Asked::new("GET", TIME)).await.status, 401);
    assert_eq!(last(&town), "temporary_locked");
    town.clock.advance(Duration::from_secs(30 * 60 - 1));
    assert_eq!(town.ask(Asked::new("GET", TIME)).await.status, 401);
    town.clock.advance(Duration::from_secs(1));
    assert_eq!(town.ask(Asked::new("GET", TIME)).await.status, 200);
}

#[tokio::test]
async fn two_credentials_are_none() {
    let town = Town::new();
    let bearer = town.bearer().await;
    assert_eq!(town.ask(Asked::new("GET", TIME).with("authorization", bearer)).await.status, 401);
    assert_eq!(town.send(&Asked::new("GET", TIME)).await.status, 401);
}

#[tokio::test]
async fn a_token_serves_for_an_hour_and_says_who_it_is() {
    let town = Town::new();
    let bearer = town.bearer().await;
    let asked = Asked::new("GET", TIME).with("authorization", &bearer);
    assert_eq!(town.send(&asked).await.status, 200);
    let claims = bearer.trim_start_matches("Bearer ").split('.').nth(1).unwrap();
    let claims: Value = {
        use base64::Engine as _;
        serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    };
    assert_eq!(claims["sub"], "1000;77");
    assert_eq!(claims["aud"][0], "APP;1234567_SB1");
    assert_eq!(claims["scope"], json!(["rest_webservices", "restlets"]));
    town.clock.advance(Duration::from_secs(3599));
    assert_eq!(town.send(&asked).await.status, 200);
    town.clock.advance(Duration::from_secs(1));
    let stale = town.send(&asked).await;
    assert_eq!(stale.status, 401);
    assert!(stale.header("www-authenticate").contains("invalid_token"));
    assert_eq!(last(&town), "AccessTokenExpired");
    let malformed = town.send(&Asked::new("GET", TIME).with("authorization", "Bearer nonsense")).await;
    assert_eq!(malformed.status, 400);
}

#[tokio::test]
async fn how_long_a_token_lives_comes_as_text_or_number() {
    let town = Town::new();
    let answer = town.exchange(&assertion(&town.world, &town.head(), &town.claims())).await;
    assert_eq!(answer.body["expires_in"], "3600");
    let town = Town::with(&[Quirk::NumberExpiresIn], &NetsuiteSeed::new());
    let answer = town.exchange(&assertion(&town.world, &town.head(), &town.claims())).await;
    assert_eq!(answer.body["expires_in"], 3600);
}

type Claimed = (&'static str, fn(&mut Value, &mut Value, i64));

#[tokio::test]
async fn each_fault_of_an_assertion_is_named_in_the_trail() {
    let faults: [Claimed; 18] = [
        ("MalformedAssertion", |h, _, _| h["typ"] = json!("at+jwt")),
        ("MalformedAssertion", |h, _, _| h["typ"] = Value::Null),
        ("UnsupportedAlgo", |h, _, _| h["alg"] = json!("RS256")),
        ("UnsupportedAlgo", |h, _, _| h["alg"] = json!("none")),
        ("SignatureValidation", |h, _, _| h["alg"] = json!("PS256")),
        ("SignatureValidation", |h, _, _| h["alg"] = json!("ES384")),
        ("MissingKeyId", |h, _, _| h["kid"] = Value::Null),
        ("MissingKey", |h, _, _| h["kid"] = json!("another")),
        ("InvalidIssuer", |_, c, _| c["iss"] = json!("another")),
        ("InvalidAudience", |_, c, _| c["aud"] = json!(format!("https://other.test{TOKEN}"))),
        ("InvalidAudience", |_, c, _| {
            c["aud"] = json!(format!("x//{}{TOKEN}", crate::town::HOST));
        }),
        ("TokenNotAcceptable", |_, c, now| c["iat"] = json!(now + 60)),
        ("TokenValidityTooBroad", |_, c, now| c["exp"] = json!(now + 3601)),
        ("TokenExpired", |_, c, now| {
            c["iat"] = json!(now - 600);
            c["exp"] = json!(now);
        }),
        ("MissingExp", |_, c, _| c["exp"] = Value::Null),
        ("InvalidScope", |_, c, _| c["scope"] = json!(["mcp"])),
        ("InvalidScope", |_, c, _| c["scope"] = json!([])),
        ("InvalidScope", |_, c, _| c["scope"] = Value::Null),
    ];
    for (at, (reason, break_it)) in faults.into_iter().enumerate() {
        let town = Town::new();
        let (mut head, mut claims) = (town.head(), town.claims());
        break_it(&mut head, &mut claims, town.now());
        let answer = town.exchange(&assertion(&town.world, &head, &claims)).await;
        assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_client")), "fault {at}");
        assert_eq!(last(&town), reason, "fault {at}");
    }
}

#[tokio::test]
async fn scopes_come_as_list_or_text_and_only_with_their_box_ticked() {
    let town = Town::new();
    for scope in [json!("rest_webservices,restlets"), json!("rest_webservices restlets")] {
        let mut claims = town.claims();
        claims["scope"] = scope;
        assert_eq!(town.exchange(&assertion(&town.world, &town.head(), &claims)).await.status, 200);
    }
    town.world.tick_scope("restlets", false);
    assert_eq!(town.exchange(&assertion(&town.world, &town.head(), &town.claims())).await.status, 400);
    assert_eq!(last(&town), "ScopeMismatched");
    let mut claims = town.claims();
    claims["scope"] = json!(["rest_webservices"]);
    assert_eq!(town.exchange(&assertion(&town.world, &town.head(), &claims)).await.status, 200);
}

#[tokio::test]
async fn an_assertion_is_taken_once_and_a_field_comes_once() {
    let town = Town::new();
    let mut claims = town.claims();
    claims["jti"] = json!("1");
    let assertion = assertion(&town.world, &town.head(), &claims);
    assert_eq!(town.exchange(&assertion).await.status, 200);
    assert_eq!(town.exchange(&assertion).await.status, 400);
    assert_eq!(last(&town), "AssertionReplayed");
    let twice = Asked::new("POST", TOKEN).with("content-type", "application/x-www-form-urlencoded");
    let twice = twice.body("grant_type=client_credentials&grant_type=client_credentials");
    assert_eq!(town.send(&twice).await.body["error"], "invalid_request");
}

#[tokio::test]
async fn another_key_than_the_mapped_one_opens_nothing() {
    let town = Town::new();
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let sign = |signed: &[u8]| pair.sign(&SystemRandom::new(), signed).unwrap().as_ref().to_vec();
    let foreign = sign_with(&town.head(), &town.claims(), sign);
    assert_eq!(town.exchange(&foreign).await.status, 400);
    assert_eq!(last(&town), "SignatureValidation");
    town.world.map_certificate("second", KeyKind::P256, pair.public_key().as_ref().to_vec());
    let head = json!({"typ": "JWT", "alg": "ES256", "kid": "second"});
    assert_eq!(town.exchange(&sign_with(&head, &town.claims(), sign)).await.status, 200);
}

/// The six that NetSuite takes, by the kind of certificate.
const ALGORITHMS: [(KeyKind, &str); 6] = [
    (KeyKind::P256, "ES256"),
    (KeyKind::P384, "ES384"),
    (KeyKind::P521, "ES512"),
    (KeyKind::Rsa, "PS256"),
    (KeyKind::Rsa, "PS384"),
    (KeyKind::Rsa, "PS512"),
];

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(Box<KeyPair>, &'static dyn RsaEncoding),
}

impl Pair {
    fn ec(curve: &'static EcdsaSigningAlgorithm) -> Self {
        Self::Ec(EcdsaKeyPair::generate(curve).expect("a test says it right"))
    }

    fn of(algorithm: &str) -> Self {
        let rsa = |padding| {
            Self::Rsa(Box::new(KeyPair::generate(KeySize::Rsa3072).expect("a test says it right")), padding)
        };
        match algorithm {
            "ES256" => Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => Self::ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES512" => Self::ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "PS384" => rsa(&RSA_PSS_SHA384),
            _ => rsa(&RSA_PSS_SHA512),
        }
    }

    fn public(&self) -> Vec<u8> {
        match self {
            Self::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Self::Rsa(pair, _) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn sign(&self, signed: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(pair) => pair.sign(&random, signed).expect("a test says it right").as_ref().to_vec(),
            Self::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &random, signed, &mut signature).expect("a test says it right");
                signature
            }
        }
    }
}

#[tokio::test]
async fn each_algorithm_opens_with_its_own_kind_of_key_and_under_no_other_name() {
    let town = Town::new();
    for (kind, algorithm) in ALGORITHMS {
        let pair = Pair::of(algorithm);
        town.world.map_certificate(algorithm, kind, pair.public());
        for (_, claimed) in ALGORITHMS {
            let head = json!({"typ": "JWT", "alg": claimed, "kid": algorithm});
            let answer = town.exchange(&sign_with(&head, &town.claims(), |text| pair.sign(text))).await;
            let fits = claimed == algorithm;
            assert_eq!(answer.status, if fits { 200 } else { 400 }, "{algorithm} as {claimed}");
            assert!(
                fits || last(&town) == "SignatureValidation",
                "{algorithm} as {claimed}: {}",
                last(&town)
            );
        }
    }
}

#[tokio::test]
async fn a_signature_of_two_numbers_is_not_taken_as_der() {
    let town = Town::new();
    let pair = Pair::ec(&ECDSA_P521_SHA512_ASN1_SIGNING);
    town.world.map_certificate("der", KeyKind::P521, pair.public());
    let head = json!({"typ": "JWT", "alg": "ES512", "kid": "der"});
    assert_eq!(town.exchange(&sign_with(&head, &town.claims(), |text| pair.sign(text))).await.status, 400);
    assert_eq!(last(&town), "SignatureValidation");
}

#[tokio::test]
async fn an_rsa_certificate_takes_pss_and_never_pkcs1() {
    let town = Town::new();
    let pair = Pair::Rsa(Box::new(KeyPair::generate(KeySize::Rsa3072).unwrap()), &RSA_PKCS1_SHA256);
    town.world.map_certificate("rsa", KeyKind::Rsa, pair.public());
    for (alg, reason) in [("RS256", "UnsupportedAlgo"), ("PS256", "SignatureValidation")] {
        let head = json!({"typ": "JWT", "alg": alg, "kid": "rsa"});
        let answer = town.exchange(&sign_with(&head, &town.claims(), |text| pair.sign(text))).await;
        assert_eq!((answer.status, last(&town).as_str()), (400, reason));
    }
}

#[tokio::test]
async fn an_rsa_certificate_of_another_length_is_not_mapped() {
    let town = Town::new();
    for (size, status) in [(KeySize::Rsa2048, 400), (KeySize::Rsa3072, 200), (KeySize::Rsa4096, 200)] {
        let pair = Pair::Rsa(Box::new(KeyPair::generate(size).unwrap()), &RSA_PSS_SHA256);
        town.world.map_certificate("rsa", KeyKind::Rsa, pair.public());
        let head = json!({"typ": "JWT", "alg": "PS256", "kid": "rsa"});
        let answer = town.exchange(&sign_with(&head, &town.claims(), |text| pair.sign(text))).await;
        assert_eq!(answer.status, status, "{size:?}");
    }
    assert_eq!(last(&town), "MissingKey");
}

#[tokio::test]
async fn a_blocked_integration_is_let_in_by_neither_way() {
    let town = Town::new();
    let bearer = town.bearer().await;
    town.world.block_integration(true);
    assert_eq!(town.ask(Asked::new("GET", TIME)).await.status, 401);
    assert_eq!(last(&town), "consumer_key_refused");
    assert_eq!(town.send(&Asked::new("GET", TIME).with("authorization", bearer)).await.status, 401);
    assert_eq!(last(&town), "IntegrationBlocked");
}

#[tokio::test]
async fn a_role_without_the_permission_to_log_on_is_let_in_by_the_other_way_only() {
    let town = Town::new();
    town.world.deny("ADMI_LOGIN_OAUTH");
    assert_eq!(town.ask(Asked::new("GET", TIME)).await.status, 401);
    assert_eq!(last(&town), "permission_denied");
    let asked = Asked::new("GET", TIME).with("authorization", town.bearer().await);
    assert_eq!(town.send(&asked).await.status, 200);
    town.world.deny("ADMI_RESTWEBSERVICES");
    assert_eq!(town.send(&asked).await.status, 401);
}

#[tokio::test]
async fn discovery_needs_no_log_on_and_tokeninfo_does() {
    let town = Town::new();
    let found = town.send(&Asked::new("GET", "/rest/datacenterurls?account=1234567_SB1")).await;
    assert!(found.body["webservicesDomain"].as_str().unwrap().contains(crate::town::HOST));
    assert_eq!(town.send(&Asked::new("GET", "/rest/tokeninfo")).await.status, 401);
    assert_eq!(town.ask(Asked::new("GET", "/rest/tokeninfo")).await.body["companyId"], "1234567_SB1");
}

#[tokio::test]
async fn a_request_too_many_does_nothing_and_says_so() {
    let town = Town::new();
    town.world.set_lanes(5, 5);
    let refused = town.ask(Asked::new("GET", TIME)).await;
    assert_eq!((refused.status, refused.code()), (429, "CONCURRENCY_LIMIT_EXCEEDED"));
    assert_eq!(refused.header("retry-after"), "");
    town.world.set_lanes(5, 4);
    assert_eq!(town.ask(Asked::new("GET", TIME)).await.status, 200);
    assert_eq!(town.world.lanes().refused, 1);
}

#[tokio::test]
async fn the_trail_can_be_queried_by_whoever_may() {
    let town = Town::new();
    assert_eq!(town.query("SELECT detail FROM loginaudit").await.status, 403);
    town.world.grant("ADMI_AUDITLOGIN", netsuite_emulator::Level::View);
    let mut signing = town.signing();
    signing.nonce = "abc".to_owned();
    town.signed(Asked::new("GET", TIME), &signing).await;
    let rows = town.rows("SELECT status, detail FROM loginaudit").await;
    assert_eq!(rows, [json!({"status": "Failure", "detail": "nonce_rejected"})]);
}
