//! The SOAP service: passports fault by fault, `upsertList`, `getItemAvailability`.

use crate::town::{Answer, Asked, TIME, Town, encode, number};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use erp_core::Decimal;
use netsuite_emulator::{Item, Level, NetsuiteSeed};
use serde_json::json;
use std::time::Duration;

const PORT: &str = "/services/NetSuitePort_2025_2";

/// A passport of which a test may break one part.
#[derive(Debug, Clone)]
struct Passport {
    account: String,
    consumer: String,
    token: String,
    nonce: String,
    stamp: String,
    algorithm: String,
    secret: String,
    hex: bool,
    sorted: bool,
}

impl Passport {
    fn xml(&self, consumer_secret: &str) -> String {
        let parts = [&self.account, &self.consumer, &self.token, &self.nonce, &self.stamp];
        let base: Vec<String> = parts.iter().map(|part| encode(part)).collect();
        let key = format!("{}&{}", encode(consumer_secret), encode(&self.secret));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), base.join("&").as_bytes());
        let signature = if self.hex {
            tag.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
        } else {
            BASE64_STANDARD.encode(tag.as_ref())
        };
        let names = ["account", "consumerKey", "token", "nonce", "timestamp"];
        let mut parts: Vec<String> = names
            .iter()
            .zip(parts)
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("<c:{name}>{value}</c:{name}>"))
            .collect();
        parts.push(format!("<c:signature algorithm=\"{}\">{signature}</c:signature>", self.algorithm));
        if !self.sorted {
            parts.reverse();
        }
        format!("<m:tokenPassport>{}</m:tokenPassport>", parts.concat())
    }
}

impl Town {
    fn passport(&self) -> Passport {
        let signing = self.signing();
        Passport {
            account: signing.realm,
            consumer: signing.consumer,
            token: signing.token,
            nonce: signing.nonce,
            stamp: signing.stamp.to_string(),
            algorithm: "HMAC-SHA256".to_owned(),
            secret: signing.secret,
            hex: false,
            sorted: true,
        }
    }

    async fn shown(&self, passport: &Passport) -> Answer {
        let header = passport.xml(&self.world.tba().consumer_secret);
        let body = availability(&[100], "");
        self.send(&asked("getItemAvailability", envelope(&header, &body))).await
    }

    async fn soap(&self, action: &str, body: &str) -> Answer {
        let header = self.passport().xml(&self.world.tba().consumer_secret);
        self.send(&asked(action, envelope(&header, body))).await
    }

    async fn upsert(&self, records: &str) -> Answer {
        self.soap("upsertList", &format!("<m:upsertList>{records}</m:upsertList>")).await
    }

    async fn available(&self, items: &[u64], since: &str) -> Answer {
        self.soap("getItemAvailability", &availability(items, since)).await
    }
}

fn envelope(header: &str, body: &str) -> String {
    format!(
        "<?xml version='1.0'?><s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' xmlns:x='http://www.w3.org/2001/XMLSchema-instance' xmlns:m='urn:messages_2025_2.platform.webservices.netsuite.com' xmlns:c='urn:core_2025_2.platform.webservices.netsuite.com' xmlns:o='urn:common_2025_2.platform.webservices.netsuite.com' xmlns:t='urn:sales_2025_2.transactions.webservices.netsuite.com'><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn asked(action: &str, envelope: String) -> Asked {
    let asked = Asked::new("POST", PORT).with("content-type", "text/xml; charset=utf-8");
    asked.with("soapaction", format!("\"{action}\"")).body(envelope)
}

fn availability(items: &[u64], since: &str) -> String {
    let items: Vec<String> = items.iter().map(|id| format!("<c:recordRef internalId='{id}'/>")).collect();
    format!(
        "<m:getItemAvailability><m:itemAvailabilityFilter><c:item>{}</c:item>{since}</m:itemAvailabilityFilter></m:getItemAvailability>",
        items.concat()
    )
}

fn line(item: u64, quantity: &str, amount: &str, tax: &str) -> String {
    format!(
        "<t:item><t:item internalId='{item}'/><t:quantity>{quantity}</t:quantity><t:price internalId='-1'/><t:amount>{amount}</t:amount>{tax}</t:item>"
    )
}

fn order(external: &str, entity: u64, lines: &str) -> String {
    format!(
        "<m:record x:type='t:SalesOrder' externalId='{external}'><t:entity internalId='{entity}'/><t:tranDate>2026-05-28T12:00:00Z</t:tranDate><t:orderStatus>_pendingFulfillment</t:orderStatus><t:itemList>{lines}</t:itemList></m:record>"
    )
}

fn legacy() -> NetsuiteSeed {
    NetsuiteSeed::new()
        .with_tax("legacy")
        .with_tax_code(19, Decimal::from(19))
        .with_tax_code(7, Decimal::from(7))
        .with_item(Item::new(102, "Rock & <Roll>"))
}

const TAX: &str = "<t:taxCode internalId='19'/>";

/// What stands between two marks, each time.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    text.split(start).skip(1).map(|rest| rest.split(end).next().unwrap_or_default()).collect()
}

fn codes(answer: &Answer) -> Vec<&str> {
    said(&answer.text, "code")
}

/// What the elements of this name say, whatever their prefix.
fn said<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let mut said = between(text, &format!(":{name}>"), "<");
    // Behind a closing tag stands nothing.
    said.retain(|text| !text.is_empty());
    said
}

#[tokio::test]
async fn passports_are_refused_fault_by_fault() {
    let town = Town::new();
    let good = || town.passport();
    let with = |change: &dyn Fn(&mut Passport)| {
        let mut passport = town.passport();
        change(&mut passport);
        passport
    };
    assert_eq!(town.shown(&good()).await.status, 200);
    let used = good();
    assert_eq!(town.shown(&used).await.status, 200);
    let late = (town.now() - 301).to_string();
    let early = (town.now() + 301).to_string();
    let other = "invalidAccountFault";
    for (passport, reason, fault) in [
        (with(&|p| p.algorithm = "HMAC-SHA1".to_owned()), "UnknownAlgorithm", ""),
        (with(&|p| p.algorithm = "HMAC_SHA256".to_owned()), "UnknownAlgorithm", ""),
        (used, "NonceUsed", ""),
        (with(&|p| p.nonce = "short".to_owned()), "nonce_rejected", ""),
        (with(&|p| p.stamp.clone_from(&late)), "InvalidTimestamp", ""),
        (with(&|p| p.stamp.clone_from(&early)), "InvalidTimestamp", ""),
        (with(&|p| p.stamp = "now".to_owned()), "InvalidTimestamp", ""),
        (with(&|p| p.account = "1234567_sb1".to_owned()), "InvalidAccount", other),
        (with(&|p| p.account = "1234567-SB1".to_owned()), "InvalidAccount", other),
        (with(&|p| p.consumer = "nobody".to_owned()), "consumer_key_unknown", ""),
        (with(&|p| p.token = "nothing".to_owned()), "token_rejected", ""),
        (with(&|p| p.secret = "wrong".to_owned()), "InvalidSignature", ""),
        (with(&|p| p.hex = true), "InvalidSignature", ""),
        (with(&|p| p.token = String::new()), "MissingTokenPassportRequiredFields", ""),
        (with(&|p| p.algorithm = String::new()), "MissingTokenPassportRequiredFields", ""),
        (with(&|p| p.sorted = false), "MissingTokenPassportRequiredFields", ""),
    ] {
        let answer = town.shown(&passport).await;
        let fault = if fault.is_empty() { "invalidCredentialsFault" } else { fault };
        assert!(answer.status == 500 && answer.text.contains(fault), "{reason}: {}", answer.text);
        assert_eq!(town.world.audit().last().map(String::as_str), Some(reason), "{passport:?}");
        assert_eq!(town.shown(&good()).await.status, 200, "a good one ends the count of bad ones");
    }
    let xml = || good().xml(&town.world.tba().consumer_secret);
    let body = availability(&[100], "");
    for (header, reason) in
        [(String::new(), "MissingCredentials"), (xml() + &xml(), "Ambiguous authentication")]
    {
        let request = asked("getItemAvailability", envelope(&header, &body));
        assert_eq!(codes(&town.send(&request).await), ["INVALID_LOGIN_CREDENTIALS"]);
        assert_eq!(town.world.audit().last().map(String::as_str), Some(reason));
    }
    let request = asked("getItemAvailability", envelope(&xml(), &body));
    let both = request.with("authorization", town.bearer().await);
    assert_eq!(codes(&town.send(&both).await), ["INVALID_LOGIN_CREDENTIALS"], "two log-ons are ambiguous");
    town.world.block_integration(true);
    assert_eq!(town.shown(&good()).await.status, 500);
    assert_eq!(town.world.audit().last().map(String::as_str), Some("consumer_key_refused"));
}

#[tokio::test]
async fn five_refusals_lock_the_user_for_rest_as_well() {
    let town = Town::new();
    for _ in 0..5 {
        let mut passport = town.passport();
        passport.hex = true;
        town.shown(&passport).await;
    }
    assert_eq!(town.ask(Asked::new("GET", TIME)).await.status, 401);
    assert_eq!(town.world.audit().last().map(String::as_str), Some("temporary_locked"));
    town.clock.advance(Duration::from_secs(30 * 60 + 1));
    assert_eq!(town.shown(&town.passport()).await.status, 200);
}

#[tokio::test]
async fn a_nonce_is_used_once_by_whichever_service() {
    let town = Town::new();
    let signing = town.signing();
    assert_eq!(town.signed(Asked::new("GET", TIME), &signing).await.status, 200);
    let passport = Passport { nonce: signing.nonce, stamp: signing.stamp.to_string(), ..town.passport() };
    assert_eq!(town.shown(&passport).await.status, 500);
    assert_eq!(town.world.audit().last().map(String::as_str), Some("NonceUsed"));
}

#[tokio::test]
async fn features_and_permissions_are_asked_for() {
    let town = Town::new();
    for (feature, code) in [("tba", "INVALID_LOGIN_CREDENTIALS"), ("soap", "WS_FEATURE_REQD")] {
        town.world.set_feature(feature, false);
        assert_eq!(codes(&town.shown(&town.passport()).await), [code], "{feature}");
        town.world.set_feature(feature, true);
    }
    for (permission, code) in
        [("ADMI_LOGIN_OAUTH", "INVALID_LOGIN_CREDENTIALS"), ("ADMI_WEBSERVICES", "WS_PERMISSION_REQD")]
    {
        town.world.deny(permission);
        let answer = town.shown(&town.passport()).await;
        assert_eq!((answer.status, codes(&answer)), (500, vec![code]), "{permission}");
        town.world.grant(permission, Level::Full);
    }
    town.world.deny("ADMI_RESTWEBSERVICES");
    assert_eq!(town.shown(&town.passport()).await.status, 200, "REST's permission is REST's");
    assert_eq!(town.ask(Asked::new("GET", TIME)).await.status, 401);
}

#[tokio::test]
async fn the_accounts_lanes_are_shared_with_rest() {
    let town = Town::new();
    town.world.set_lanes(3, 3);
    let answer = town.shown(&town.passport()).await;
    assert!(answer.text.contains("exceededConcurrentRequestLimitFault"), "{}", answer.text);
    assert_eq!(codes(&answer), ["WS_REQUEST_BLOCKED"]);
    assert_eq!(town.ask(Asked::new("GET", TIME)).await.status, 429);
    town.world.set_lanes(3, 0);
    assert_eq!(town.shown(&town.passport()).await.status, 200);
    let count = town.world.lanes();
    assert_eq!((count.refused, count.passed), (2, 1), "one count for both");
}

#[tokio::test]
async fn what_is_no_request_of_this_version_is_a_fault() {
    let town = Town::new();
    let header = || town.passport().xml(&town.world.tba().consumer_secret);
    let body = availability(&[100], "");
    let whole = || envelope(&header(), &body);
    let at = |path: &str| {
        Asked::new("POST", path).with("content-type", "text/xml").with("soapaction", "getItemAvailability")
    };
    for (asked, says) in [
        (at("/services/NetSuitePort_2019_1").body(whole()), "UNSUPPORTED_WS_VERSION"),
        (at(PORT).body(whole().replace("messages_2025_2", "messages_2023_2")), "INVALID_LOGIN_CREDENTIALS"),
        (at(PORT).body("<a>"), "SAXParseException"),
        (at(PORT).body("<a/>"), "Bad envelope"),
        (Asked::new("POST", PORT).with("content-type", "text/xml").body(whole()), "no SOAPAction header!"),
        (Asked::new("POST", PORT).with("soapaction", "x").body(whole()), "content type"),
        (asked("upsertList", whole()), "not the operation"),
        (asked("search", envelope(&header(), "<m:search/>")), "not emulated"),
        (asked("search", envelope(&header(), "<c:search/>")), "UNSUPPORTED_WS_VERSION"),
        (asked("search", envelope(&header(), "")), "one operation"),
        (
            asked(
                "upsertList",
                envelope(&header(), &format!("<m:upsertList>{}</m:upsertList>", "<m:record/>".repeat(201))),
            ),
            "MAX_RCRDS_EXCEEDED",
        ),
    ] {
        let answer = town.send(&asked).await;
        assert!(answer.status == 500 && answer.text.contains(says), "{says}: {}", answer.text);
    }
    assert_eq!(town.ask(Asked::new("GET", PORT)).await.status, 405);
}

#[tokio::test]
async fn an_order_with_legacy_tax_is_made_with_a_code_and_rate_per_line() {
    let town = Town::with(&[], &legacy());
    let lines = line(100, "2", "60.00", TAX)
        + &line(102, "1.5E0", "10", "<t:taxCode internalId='7'/><t:taxRate1>8.0</t:taxRate1>");
    let answer = town.upsert(&order("shop_1", 500, &lines)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.text.contains("isSuccess=\"true\"") && answer.text.contains("externalId=\"shop_1\""));
    let id = between(&answer.text, "internalId=\"", "\"")[0];
    let held = town.get(&format!("salesOrder/{id}?expandSubResources=true")).await;
    assert_eq!(held.body["externalId"], "shop_1");
    assert_eq!(held.body["orderStatus"]["id"], "B");
    assert_eq!(held.body["tranDate"], "2026-05-28");
    assert_eq!((number(&held, "taxTotal"), number(&held, "total")), ("12.2".to_owned(), "82.2".to_owned()));
    let lines = held.body["item"]["items"].as_array().unwrap();
    assert_eq!((&lines[0]["taxCode"]["id"], &lines[1]["taxCode"]["id"]), (&json!("19"), &json!("7")));
    // REST leaves the codes alone: it closes a line, and adds none with a code.
    let close = json!({"item": {"items": [{"line": 1, "isClosed": true}]}});
    let closed = town.write("PATCH", &format!("salesOrder/{id}"), &close).await;
    assert_eq!(closed.status, 204, "{}", closed.text);
    let add = json!({"item": {"items": [{"item": {"id": "100"}, "taxCode": {"id": "19"}}]}});
    assert_eq!(town.write("PATCH", &format!("salesOrder/{id}"), &add).await.code(), "USER_ERROR");
}

/// What makes `upsertList` dangerous: it refuses no second create.
#[tokio::test]
async fn a_second_upsert_overwrites_the_order() {
    let town = Town::with(&[], &legacy());
    let first = line(100, "2", "60.00", TAX) + &line(101, "1", "20.00", TAX);
    town.upsert(&order("shop_1", 500, &first)).await;
    let id = town.world.orders()[0].id;
    town.world.change_order(id, "memo", "call first");
    let again = order("shop_1", 500, &line(100, "3", "90.00", TAX))
        .replace("<t:itemList>", "<t:memo>from the shop</t:memo><t:itemList replaceAll='true'>");
    let answer = town.upsert(&again).await;
    assert!(answer.text.contains(&format!("internalId=\"{id}\"")), "{}", answer.text);
    let orders = town.world.orders();
    assert_eq!(orders.len(), 1);
    let lines: Vec<_> = orders[0].lines.iter().map(|line| line.amount).collect();
    assert_eq!((lines, orders[0].body["memo"].as_str()), (vec![Decimal::from(90)], "from the shop"));
    // Without replacement the goods double.
    let more = order("shop_1", 500, &line(100, "3", "90.00", TAX));
    town.upsert(&more.replace("<t:itemList>", "<t:itemList replaceAll='false'>")).await;
    assert_eq!(town.world.orders()[0].lines.len(), 2);
    // What has shipped cannot be replaced.
    town.world.fulfil(id, 1, &[]).unwrap();
    let answer = town.upsert(&again).await;
    assert_eq!(codes(&answer), ["USER_ERROR"]);
}

#[tokio::test]
async fn each_record_has_a_status_of_its_own() {
    let town = Town::with(&[], &legacy());
    let deposit = json!({"externalId": "taken", "customer": {"id": "500"}, "payment": 1});
    town.post("customerDeposit", &deposit).await.id();
    let good = line(100, "1", "30.00", TAX);
    let custom = "</t:itemList><t:customFieldList><c:customField x:type='c:StringCustomFieldRef' scriptId='custbody_gone'><c:value>x</c:value></c:customField></t:customFieldList>";
    let records = [
        order("a", 500, &good),
        order("b", 999, &good),
        order("c", 500, &line(100, "1", "30.00", "<t:taxCode internalId='77'/>")),
        order("d", 500, &line(100, "1", "30.00", "")),
        order("", 500, &good),
        order("taken", 500, &good),
        order("e", 500, &line(777, "1", "30.00", TAX)),
        order("f", 500, &good).replace("</t:itemList>", custom),
        order("g", 500, &good),
    ];
    let answer = town.upsert(&records.concat()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told: Vec<bool> =
        between(&answer.text, "isSuccess=\"", "\"").iter().map(|flag| *flag == "true").collect();
    assert_eq!(told, [true, false, false, false, false, false, false, false, true], "{}", answer.text);
    assert_eq!(
        codes(&answer),
        [
            "INVALID_KEY_OR_REF",
            "INVALID_KEY_OR_REF",
            "USER_ERROR",
            "EXTERNALID_REQD",
            "DUP_RCRD",
            "INVALID_KEY_OR_REF",
            "INVALID_CSTM_FIELD_REF"
        ]
    );
    let texts = said(&answer.text, "message");
    assert_eq!(texts[0], "Invalid entity reference key 999.");
    assert_eq!(texts[1], "Invalid taxcode reference key 77.");
    assert_eq!(town.world.orders().len(), 2);
    town.world.grant("TRAN_SALESORD", Level::View);
    let answer = town.upsert(&order("h", 500, &good)).await;
    assert_eq!((answer.status, codes(&answer)), (200, vec!["INSUFFICIENT_PERMISSION"]), "inside a 200");
    town.world.grant("TRAN_SALESORD", Level::Create);
    assert_eq!(
        codes(&town.upsert(&order("a", 500, &good)).await),
        ["INSUFFICIENT_PERMISSION"],
        "to overwrite takes Edit"
    );
}

#[tokio::test]
async fn tax_codes_are_for_accounts_with_legacy_tax() {
    let town = Town::new();
    let answer = town.upsert(&order("a", 500, &line(100, "1", "30.00", TAX))).await;
    assert_eq!(codes(&answer), ["INSUFFICIENT_PERMISSION"], "SuiteTax has no such field");
    let plain = town.upsert(&order("a", 500, &line(100, "1", "30.00", ""))).await;
    assert!(plain.text.contains("isSuccess=\"true\""), "{}", plain.text);
}

#[tokio::test]
async fn what_is_not_of_the_schema_ends_the_request_and_nothing_is_written() {
    let town = Town::with(&[], &legacy());
    let good = order("a", 500, &line(100, "1", "30.00", TAX));
    let head = "<t:entity internalId='500'/>";
    let date = "<t:tranDate>2026-05-28T12:00:00Z</t:tranDate>";
    for (bad, says) in [
        (good.replace(head, &format!("{head}<t:nonsense/>")), "SalesOrder - nonsense"),
        (good.replace(head, &format!("{head}{head}")), "SalesOrder - entity"),
        (good.replace(head, "").replace(date, &format!("{date}{head}")), "SalesOrder - entity"),
        (good.replace(head, "<c:entity internalId='500'/>"), "SalesOrder - entity"),
        (good.replace(head, "<t:entity>500</t:entity>"), "Bad value for entity"),
        (good.replace("_pendingFulfillment", "B"), "Bad value for orderStatus"),
        (good.replace("T12:00:00Z", ""), "Bad value for tranDate"),
        (good.replace("30.00", "thirty"), "NumberFormatException: amount"),
        (good.replace("t:SalesOrder", "t:CashSale"), "CashSale is no record"),
        (good.replace("t:SalesOrder", "c:SalesOrder"), "SalesOrder is no record"),
        (good.replace("externalId=", "internalId='7' externalId="), "internal ids"),
        (good.replace("<t:itemList>", "<t:billingAddress><o:country>DE</o:country></t:billingAddress><t:itemList>"), "Bad value for country"),
        (good.replace("<t:itemList>", "<t:billingAddress><o:city>x</o:city><o:country>_germany</o:country></t:billingAddress><t:itemList>"), "Address - country"),
    ] {
        let answer = town.upsert(&format!("{good}{bad}")).await;
        assert!(answer.status == 500 && answer.text.contains(says), "{says}: {}", answer.text);
        assert!(town.world.orders().is_empty(), "{says}: the whole request is read first");
    }
    let address = "<t:billingAddress><o:country>_germany</o:country><o:city>Berlin</o:city></t:billingAddress><t:itemList>";
    town.upsert(&good.replace("<t:itemList>", address)).await;
    let id = town.world.orders()[0].id;
    let held = town.get(&format!("salesOrder/{id}?expandSubResources=true")).await;
    assert_eq!(held.body["billingAddress"]["country"]["id"], "DE");
}

/// An instant becomes the day that it is for the user: midnight UTC is the day before in California.
#[tokio::test]
async fn a_day_is_that_of_the_users_time_zone() {
    let town = Town::with(&[], &legacy().with_zone("America/Los_Angeles"));
    let at = |external: &str, time: &str| {
        order(external, 500, &line(100, "1", "30.00", TAX)).replace("12:00:00Z", time)
    };
    town.upsert(&(at("a", "00:00:00Z") + &at("b", "12:00:00Z") + &at("c", "00:00:00.000-07:00"))).await;
    let days: Vec<String> = town.world.orders().iter().map(|order| order.date.clone()).collect();
    assert_eq!(days, ["2026-05-27", "2026-05-28", "2026-05-28"]);
}

#[tokio::test]
async fn availability_is_told_by_item_and_location() {
    let town = Town::with(&[], &legacy());
    town.world.set_stock(102, 2, Decimal::from(-1));
    town.order(60).await;
    let answer = town.available(&[100, 102], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.text.contains("Rock &amp; &lt;Roll&gt;"));
    let rows = between(&answer.text, "<platformCore:itemAvailability>", "</platformCore:itemAvailability>");
    assert_eq!(rows.len(), 4, "each item at each location");
    let told = |row: &str, name: &str| {
        between(row, &format!(":{name}>"), "<").first().map(|text| (*text).to_owned())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        ["quantityOnHand", "quantityCommitted", "quantityBackOrdered", "quantityAvailable"]
            .map(|name| told(rows[0], name)),
        [some("50.0"), some("50.0"), some("10.0"), some("0.0")]
    );
    assert_eq!(
        told(rows[1], "quantityOnHand"),
        None,
        "of a location without stock only the location is named"
    );
    assert!(rows[1].contains("locationId internalId=\"2\""));
    assert_eq!(told(rows[3], "quantityOnHand"), some("-1.0"));
    let unknown = town.available(&[100, 999], "").await;
    assert_eq!((unknown.status, codes(&unknown)), (200, vec!["RCRD_DSNT_EXIST"]));
    town.world.deny("LIST_ITEM");
    let denied = town.available(&[100], "").await;
    assert_eq!((denied.status, codes(&denied)), (200, vec!["INSUFFICIENT_PERMISSION"]));
    assert!(!denied.text.contains("itemAvailability>"), "no rows");
}

#[tokio::test]
async fn availability_since_a_time_is_what_changed_since() {
    let town = Town::new();
    town.order(1).await;
    town.clock.advance(Duration::from_secs(3600));
    let since = format!("<c:lastQtyAvailableChange>{}</c:lastQtyAvailableChange>", {
        use erp_core::time::Clock as _;
        town.clock.now()
    });
    let rows = |answer: &Answer| answer.text.matches("<platformCore:itemAvailability>").count();
    assert_eq!(rows(&town.available(&[100, 101], &since).await), 0);
    assert_eq!(
        rows(&town.available(&[100, 101], "<c:lastQtyAvailableChange/>").await),
        4,
        "nothing said is everything"
    );
    let body = json!({"account": {"id": "58"}, "adjLocation": {"id": "2"}, "inventory": {"items": [{"item": {"id": "101"}, "adjustQtyBy": 1}]}});
    town.post("inventoryAdjustment", &body).await.id();
    let answer = town.available(&[100, 101], &since).await;
    assert_eq!(rows(&answer), 1, "{}", answer.text);
    assert!(
        answer.text.contains("item internalId=\"101\"")
            && answer.text.contains("locationId internalId=\"2\"")
    );
}
