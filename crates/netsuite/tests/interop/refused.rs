//! What is wrong on purpose is refused for that very reason: the verifier is no rubber stamp.

use crate::world::{SUITEQL, TOKEN, World, now};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use erp_http::Request;
use erp_http::auth::jwt::JwtSigner;
use erp_http::auth::oauth1::{encode, nonce};
use http::header::{AUTHORIZATION, HeaderName};
use netsuite::JwtAlgorithm;
use serde_json::{Value, json};

const UNSIGNED: &str = "ERR_JWS_SIGNATURE_VERIFICATION_FAILED";

/// An assertion by ES512, before it is signed.
struct Asserted {
    algorithm: JwtAlgorithm,
    pem: String,
    kid: String,
    claims: Value,
}

impl Asserted {
    fn by(world: &World) -> Self {
        let certificate = world.certificate(JwtAlgorithm::Es512);
        let claims = json!({
            "iss": world.account.client_id, "aud": world.at(TOKEN), "scope": ["rest_webservices"],
            "iat": now() - 10, "exp": now() + 290, "jti": nonce().unwrap(),
        });
        Self {
            algorithm: JwtAlgorithm::Es512,
            pem: certificate.private_key.clone(),
            kid: certificate.id.clone(),
            claims,
        }
    }

    fn text(&self) -> String {
        let signer = JwtSigner::new(self.algorithm, self.pem.as_str().into()).with_key_id(&self.kid);
        signer.sign(&self.claims).unwrap().expose().to_owned()
    }
}

async fn exchange(world: &World, assertion: &str) -> (u16, String) {
    let kind = encode("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let form =
        format!("grant_type=client_credentials&client_assertion_type={kind}&client_assertion={assertion}");
    world.send(Request::post(world.at(TOKEN)).with_body("application/x-www-form-urlencoded", form)).await
}

type Claimed = (&'static str, fn(&mut Asserted, i64));

#[tokio::test]
async fn each_fault_of_an_assertion_is_refused_for_what_it_is() {
    let Some(world) = World::given() else { return };
    let faults: [Claimed; 11] = [
        ("unknown kid", |it, _| it.kid = "cert-none".to_owned()),
        (UNSIGNED, |it, _| it.pem = foreign_key()),
        ("ERR_JWT_EXPIRED exp", |it, now| it.claims["exp"] = json!(now - 60)),
        ("exp is too far from iat", |it, now| it.claims["exp"] = json!(now + 3600)),
        ("ERR_JWT_CLAIM_VALIDATION_FAILED iat", |it, now| it.claims["iat"] = json!(now + 60)),
        ("ERR_JWT_CLAIM_VALIDATION_FAILED iss", |it, _| it.claims["iss"] = json!("another")),
        ("ERR_JWT_CLAIM_VALIDATION_FAILED aud", |it, _| {
            it.claims["aud"] = json!(format!("https://1234567-sb1.suitetalk.api.netsuite.com{TOKEN}"));
        }),
        ("ERR_JWT_CLAIM_VALIDATION_FAILED aud", |it, _| it.claims["aud"] = Value::Null),
        ("scope", |it, _| it.claims["scope"] = json!(["mcp"])),
        ("scope", |it, _| it.claims["scope"] = json!([])),
        ("scope", |it, _| it.claims["scope"] = json!("rest_webservices restlets")),
    ];
    for (reason, break_it) in faults {
        let mut asserted = Asserted::by(&world);
        assert_eq!(exchange(&world, &asserted.text()).await, (200, String::new()), "before it is broken");
        asserted.claims["jti"] = json!(nonce().unwrap());
        break_it(&mut asserted, now());
        assert_eq!(exchange(&world, &asserted.text()).await, (400, reason.to_owned()));
    }
}

fn foreign_key() -> String {
    let pair = EcdsaKeyPair::generate(&signature::ECDSA_P521_SHA512_FIXED_SIGNING).unwrap();
    let body = BASE64_STANDARD.encode(pair.to_pkcs8v1().unwrap());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

#[tokio::test]
async fn pkcs1_is_refused_and_so_is_a_certificate_of_another_kind() {
    let Some(world) = World::given() else { return };
    let rsa = world.certificate(JwtAlgorithm::Ps256);
    let mut asserted = Asserted::by(&world);
    (asserted.pem, asserted.kid) = (rsa.private_key.clone(), rsa.id.clone());
    asserted.algorithm = JwtAlgorithm::Rs256;
    let refused = exchange(&world, &asserted.text()).await;
    assert_eq!(refused, (400, "ERR_JOSE_ALG_NOT_ALLOWED".to_owned()));
    asserted.algorithm = JwtAlgorithm::Ps512;
    assert_eq!(exchange(&world, &asserted.text()).await.0, 200);
    let mut asserted = Asserted::by(&world);
    asserted.kid = world.certificate(JwtAlgorithm::Es384).id.clone();
    assert_eq!(exchange(&world, &asserted.text()).await, (400, "alg is not the certificate's".to_owned()));
}

#[tokio::test]
async fn an_assertion_that_was_changed_or_used_is_refused() {
    let Some(world) = World::given() else { return };
    let asserted = Asserted::by(&world);
    let text = asserted.text();
    let parts: Vec<&str> = text.split('.').collect();
    let mut claims = asserted.claims.clone();
    claims["scope"] = json!(["rest_webservices", "restlets"]);
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    let der = der_signed(&asserted, &format!("{}.{}", parts[0], parts[1]));
    for (changed, reason) in [
        ([parts[0], &claims, parts[2]].join("."), UNSIGNED),
        ([parts[0], parts[1], &der].join("."), UNSIGNED),
        ([parts[0], parts[1], ""].join("."), UNSIGNED),
        ([parts[0], parts[1]].join("."), "ERR_JWS_INVALID"),
    ] {
        assert_eq!(exchange(&world, &changed).await, (400, reason.to_owned()));
    }
    assert_eq!(exchange(&world, &text).await.0, 200, "a refusal has not used it up");
    assert_eq!(exchange(&world, &text).await, (400, "jti was used".to_owned()));
}

/// The same signature in the form that certificates use and a JWS does not.
fn der_signed(asserted: &Asserted, text: &str) -> String {
    let body: String = asserted.pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = BASE64_STANDARD.decode(body).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P521_SHA512_ASN1_SIGNING, &der).unwrap();
    BASE64_URL_SAFE_NO_PAD.encode(pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap())
}

/// A signed request: what is signed, and what is sent instead.
struct Signed {
    method: &'static str,
    path: String,
    query: Option<&'static str>,
    realm: Option<String>,
    name: &'static str,
    hash: hmac::Algorithm,
    consumer_key: String,
    consumer_secret: String,
    token: String,
    token_secret: String,
    timestamp: i64,
    nonce: String,
    sent_path: String,
    sent_query: Option<&'static str>,
}

impl Signed {
    fn by(world: &World) -> Self {
        let tba = &world.account.tba;
        Self {
            method: "POST",
            path: SUITEQL.to_owned(),
            query: Some("limit=5&offset=10"),
            realm: Some(world.account.realm.clone()),
            name: "HMAC-SHA256",
            hash: hmac::HMAC_SHA256,
            consumer_key: tba.consumer_key.clone(),
            consumer_secret: tba.consumer_secret.clone(),
            token: tba.token.clone(),
            token_secret: tba.token_secret.clone(),
            timestamp: now(),
            nonce: nonce().unwrap(),
            sent_path: SUITEQL.to_owned(),
            sent_query: Some("limit=5&offset=10"),
        }
    }

    fn header(&self, url: &str) -> String {
        let timestamp = self.timestamp.to_string();
        let fields = [
            ("oauth_consumer_key", self.consumer_key.as_str()),
            ("oauth_nonce", &self.nonce),
            ("oauth_signature_method", self.name),
            ("oauth_timestamp", &timestamp),
            ("oauth_token", &self.token),
            ("oauth_version", "1.0"),
        ];
        let own = self.query.into_iter().flat_map(|query| query.split('&')).map(str::to_owned);
        let mut pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.extend(own);
        pairs.sort();
        let base = format!(
            "{}&{}&{}",
            self.method,
            encode(&format!("{url}{}", self.path)),
            encode(&pairs.join("&"))
        );
        let key = format!("{}&{}", encode(&self.consumer_secret), encode(&self.token_secret));
        let signature = hmac::sign(&hmac::Key::new(self.hash, key.as_bytes()), base.as_bytes());
        let signature = encode(&BASE64_STANDARD.encode(signature));
        let realm = self.realm.iter().map(|realm| format!("realm=\"{realm}\""));
        let fields = fields.iter().map(|(name, value)| format!("{name}=\"{}\"", encode(value)));
        let parts: Vec<String> =
            realm.chain(fields).chain([format!("oauth_signature=\"{signature}\"")]).collect();
        format!("OAuth {}", parts.join(", "))
    }

    async fn send(&self, world: &World) -> (u16, String) {
        let mut url = world.at(&self.sent_path);
        url.set_query(self.sent_query);
        let request = Request::post(url)
            .with_header(AUTHORIZATION, &self.header(&world.url))
            .with_header(HeaderName::from_static("prefer"), "transient")
            .with_json(r#"{"q":"SELECT id FROM location"}"#);
        world.send(request).await
    }
}

type Altered = (&'static str, fn(&mut Signed));

#[tokio::test]
async fn each_fault_of_a_signature_is_refused_for_what_it_is() {
    let Some(world) = World::given() else { return };
    let faults: [Altered; 19] = [
        ("oauth_signature_method", |it| {
            (it.name, it.hash) = ("HMAC-SHA1", hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY);
        }),
        ("oauth_signature", |it| it.hash = hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        ("realm", |it| it.realm = Some("1234567-sb1".to_owned())),
        ("realm", |it| it.realm = None),
        ("oauth_signature", |it| it.sent_query = Some("limit=5&offset=15")),
        ("oauth_signature", |it| it.sent_query = Some("limit=5&offset=10&more=1")),
        ("oauth_signature", |it| it.sent_query = None),
        ("oauth_signature", |it| it.query = None),
        ("oauth_signature", |it| it.query = Some("offset=10")),
        ("oauth_signature", |it| it.method = "GET"),
        ("oauth_signature", |it| it.sent_path = "/services/rest/record/v1/fault".to_owned()),
        ("oauth_signature", |it| it.consumer_secret.push('x')),
        ("oauth_signature", |it| it.token_secret.clear()),
        ("oauth_consumer_key", |it| it.consumer_key.push('x')),
        ("oauth_token", |it| it.token.push('x')),
        ("oauth_timestamp", |it| it.timestamp -= 600),
        ("oauth_timestamp", |it| it.timestamp += 600),
        ("oauth_nonce", |it| it.nonce = "short".to_owned()),
        ("oauth_nonce", |it| it.nonce.clear()),
    ];
    for (reason, break_it) in faults {
        let mut signed = Signed::by(&world);
        assert_eq!(signed.send(&world).await, (200, String::new()), "before it is broken");
        signed.nonce = nonce().unwrap();
        break_it(&mut signed);
        assert_eq!(signed.send(&world).await, (401, reason.to_owned()));
    }
    assert_eq!(world.verified("/fault"), [""; 0], "what is refused is not counted");
}

#[tokio::test]
async fn a_signed_request_is_taken_once() {
    let Some(world) = World::given() else { return };
    let signed = Signed::by(&world);
    assert_eq!(signed.send(&world).await.0, 200);
    assert_eq!(signed.send(&world).await, (401, "oauth_nonce was used".to_owned()));
}
