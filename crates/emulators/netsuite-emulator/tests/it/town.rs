//! A small account and a client that knows nothing of the connector.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use aws_lc_rs::{hmac, rand::SystemRandom};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use erp_core::Decimal;
use erp_core::time::Timestamp;
use erp_testkit::clock::VirtualClock;
use erp_testkit::emulator::{Exchange, Product, Reply, ServerOptions};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use netsuite_emulator::{Customer, Item, NetsuiteOptions, NetsuiteSeed, NetsuiteWorld, Price, Quirk};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const HOST: &str = "1234567-sb1.suitetalk.api.netsuite.com";
pub(crate) const TOKEN: &str = "/services/rest/auth/oauth2/v1/token";
pub(crate) const TIME: &str = "/services/rest/system/v1/serverTime";
pub(crate) const RECORD: &str = "/services/rest/record/v1";
const START: i64 = 1_780_000_000;

/// What an answer is looked at for.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    fn of(reply: &Reply) -> Self {
        let text = String::from_utf8(reply.body.to_vec()).expect("a test says it right");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status: reply.status, headers: reply.headers.clone(), body, text }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a test says it right"))
    }

    /// The id at the end of `Location`.
    pub(crate) fn id(&self) -> u64 {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        self.header("location")
            .rsplit('/')
            .next()
            .expect("a test says it right")
            .parse()
            .expect("a test says it right")
    }

    pub(crate) fn code(&self) -> &str {
        self.body["o:errorDetails"][0]["o:errorCode"].as_str().unwrap_or_default()
    }

    pub(crate) fn place(&self) -> &str {
        self.body["o:errorDetails"][0]["o:errorPath"].as_str().unwrap_or_default()
    }

    pub(crate) fn detail(&self) -> &str {
        self.body["o:errorDetails"][0]["detail"].as_str().unwrap_or_default()
    }
}

/// A request before it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Asked {
    pub(crate) fn new(method: &str, target: impl Into<String>) -> Self {
        let method = Method::from_bytes(method.as_bytes()).expect("a test says it right");
        Self { method, target: target.into(), headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    fn split(&self) -> (String, Option<String>) {
        match self.target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (self.target.clone(), None),
        }
    }
}

/// An account, the hand behind it and a client in front.
pub(crate) struct Town {
    pub(crate) clock: VirtualClock,
    pub(crate) world: NetsuiteWorld,
    product: Arc<dyn Product>,
    nonces: AtomicU64,
}

/// OAuth 1.0a, so that a test may break one part of it.
#[derive(Debug, Clone)]
pub(crate) struct Signing {
    pub(crate) realm: String,
    pub(crate) nonce: String,
    pub(crate) stamp: i64,
    pub(crate) method: String,
    pub(crate) version: String,
    pub(crate) consumer: String,
    pub(crate) token: String,
    pub(crate) secret: String,
    pub(crate) sign_query: bool,
    pub(crate) hex: bool,
}

pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits =
                    [rest.next().expect("a test says it right"), rest.next().expect("a test says it right")];
                u8::from_str_radix(std::str::from_utf8(&digits).expect("a test says it right"), 16)
                    .expect("a test says it right")
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).expect("a test says it right")
}

impl Signing {
    pub(crate) fn header(&self, asked: &Asked, consumer_secret: &str) -> String {
        let fields = [
            ("oauth_consumer_key", self.consumer.clone()),
            ("oauth_nonce", self.nonce.clone()),
            ("oauth_signature_method", self.method.clone()),
            ("oauth_timestamp", self.stamp.to_string()),
            ("oauth_token", self.token.clone()),
            ("oauth_version", self.version.clone()),
        ];
        let (path, query) = asked.split();
        let query = if self.sign_query { query.unwrap_or_default() } else { String::new() };
        let mut pairs: Vec<(String, String)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (encode(&decode(name)), encode(&decode(value))))
            .chain(fields.iter().map(|(name, value)| (encode(name), encode(value))))
            .collect();
        pairs.sort();
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let base = format!(
            "{}&{}&{}",
            asked.method,
            encode(&format!("http://{HOST}{path}")),
            encode(&pairs.join("&"))
        );
        let key = format!("{}&{}", encode(consumer_secret), encode(&self.secret));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), base.as_bytes());
        let signature = if self.hex {
            tag.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
        } else {
            BASE64_STANDARD.encode(tag.as_ref())
        };
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}=\"{}\"", encode(value))).collect();
        let realm = if self.realm.is_empty() { String::new() } else { format!("realm=\"{}\", ", self.realm) };
        format!("OAuth {realm}{}, oauth_signature=\"{}\"", fields.join(", "), encode(&signature))
    }
}

/// An assertion with these parts, signed by the account's own key.
pub(crate) fn assertion(world: &NetsuiteWorld, header: &Value, claims: &Value) -> String {
    let body: String = world.oauth2().2.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = BASE64_STANDARD.decode(body).expect("a test says it right");
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key).expect("a test says it right");
    sign_with(header, claims, |signed| {
        pair.sign(&SystemRandom::new(), signed).expect("a test says it right").as_ref().to_vec()
    })
}

pub(crate) fn sign_with(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

impl Town {
    pub(crate) fn new() -> Self {
        Self::with(&[], &NetsuiteSeed::new())
    }

    pub(crate) fn with(quirks: &[Quirk], more: &NetsuiteSeed) -> Self {
        let clock = VirtualClock::new(Timestamp::from_secs(START));
        let mut options = NetsuiteOptions::new().with_server(ServerOptions::new().on(&clock));
        for quirk in quirks {
            options = options.with_quirk(*quirk);
        }
        let (world, product) = netsuite_emulator::open(options).expect("a test says it right");
        world.seed(&seed());
        world.seed(more);
        Self { clock, world, product, nonces: AtomicU64::new(1) }
    }

    pub(crate) fn now(&self) -> i64 {
        use erp_core::time::Clock as _;
        self.clock.now().as_secs()
    }

    pub(crate) async fn send(&self, asked: &Asked) -> Answer {
        use erp_core::time::Clock as _;
        let (path, query) = asked.split();
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static(HOST));
        for (name, value) in &asked.headers {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).expect("a test says it right"),
                value.parse().expect("a test says it right"),
            );
        }
        let body = asked.body.clone().into();
        let at = self.clock.now();
        Answer::of(
            &self
                .product
                .handle(Exchange { method: asked.method.clone(), path, query, headers, body, at })
                .await,
        )
    }

    pub(crate) fn signing(&self) -> Signing {
        let keys = self.world.tba();
        Signing {
            realm: "1234567_SB1".to_owned(),
            nonce: format!("nonce{:06}", self.nonces.fetch_add(1, Ordering::Relaxed)),
            stamp: self.now(),
            method: "HMAC-SHA256".to_owned(),
            version: "1.0".to_owned(),
            consumer: keys.consumer_key.clone(),
            token: keys.token.clone(),
            secret: keys.token_secret.clone(),
            sign_query: true,
            hex: false,
        }
    }

    pub(crate) async fn signed(&self, asked: Asked, signing: &Signing) -> Answer {
        let header = signing.header(&asked, &self.world.tba().consumer_secret);
        self.send(&asked.with("authorization", header)).await
    }

    /// Signed as it should be.
    pub(crate) async fn ask(&self, asked: Asked) -> Answer {
        let signing = self.signing();
        self.signed(asked, &signing).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Asked::new("GET", format!("{RECORD}/{path}"))).await
    }

    pub(crate) async fn write(&self, method: &str, path: &str, body: &Value) -> Answer {
        let asked = Asked::new(method, format!("{RECORD}/{path}"))
            .with("content-type", "application/json")
            .with("x-netsuite-propertynamevalidation", "Error");
        self.ask(asked.body(body.to_string())).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.write("POST", path, body).await
    }

    pub(crate) async fn query(&self, text: &str) -> Answer {
        let asked = Asked::new("POST", "/services/rest/query/v1/suiteql").with("prefer", "transient");
        self.ask(asked.body(json!({ "q": text }).to_string())).await
    }

    /// The rows of a query, each as its columns' texts in the order of their names.
    pub(crate) async fn rows(&self, text: &str) -> Vec<Value> {
        let answer = self.query(text).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let mut rows = answer.body["items"].as_array().expect("a test says it right").clone();
        for row in &mut rows {
            row.as_object_mut().expect("a test says it right").remove("links");
        }
        rows
    }

    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.world.oauth2().0, "aud": format!("https://{HOST}{TOKEN}"), "iat": self.now() - 5,
            "exp": self.now() + 300, "scope": ["rest_webservices", "restlets"],
        })
    }

    pub(crate) fn head(&self) -> Value {
        json!({"typ": "JWT", "alg": "ES256", "kid": self.world.oauth2().1})
    }

    pub(crate) async fn exchange(&self, assertion: &str) -> Answer {
        let kind = encode("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let body = format!(
            "grant_type=client_credentials&client_assertion_type={kind}&client_assertion={assertion}"
        );
        let asked = Asked::new("POST", TOKEN).with("content-type", "application/x-www-form-urlencoded");
        self.send(&asked.body(body)).await
    }

    pub(crate) async fn bearer(&self) -> String {
        let answer = self.exchange(&assertion(&self.world, &self.head(), &self.claims())).await;
        format!("Bearer {}", answer.body["access_token"].as_str().expect("a test says it right"))
    }

    /// An order of this many of item 100 at 30.00, ready to be shipped.
    pub(crate) async fn order(&self, quantity: u32) -> u64 {
        let body = json!({
            "entity": {"id": "500"}, "orderStatus": "B", "location": {"id": "1"},
            "item": {"items": [{"item": {"id": "100"}, "quantity": quantity}]},
        });
        self.post("salesOrder", &body).await.id()
    }
}

fn seed() -> NetsuiteSeed {
    NetsuiteSeed::new()
        .with_subsidiary(1, "Retail")
        .with_currency(1, "USD")
        .with_location(1, "East")
        .with_location(2, "West")
        .with_price_level(1, "Base Price")
        .with_ship_item(5, "Parcel")
        .with_account(58, "Shrinkage")
        .with_payment_method(1, "Card")
        .with_custom_field("custbody_commerce_key")
        .with_item(Item::new(100, "24-MB01"))
        .with_item(Item::new(101, "24-MB02"))
        .with_item(Item::new(110, "SETUP").of_kind("Service"))
        .with_item(Item::new(111, "OFF").of_kind("Discount"))
        .with_stock(100, 1, 50)
        .with_stock(101, 1, 50)
        .with_price(Price::level(100, 1, 1, Decimal::from(30)))
        .with_price(Price::level(101, 1, 1, Decimal::new(1999, 2)))
        .with_price(Price::level(110, 1, 1, Decimal::from(10)))
        .with_customer(Customer::company(500, "Guests", "shop@example.test"))
        .with_tax("none")
}

/// A number of a record, exact and without trailing zeros.
pub(crate) fn number(answer: &Answer, name: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Raw(std::collections::BTreeMap<String, Box<serde_json::value::RawValue>>);
    let raw: Raw = serde_json::from_str(&answer.text).expect("a test says it right");
    let text = raw.0.get(name).unwrap_or_else(|| panic!("no {name} in {}", answer.text)).get();
    text.parse::<Decimal>().expect("a test says it right").normalize().to_string()
}
