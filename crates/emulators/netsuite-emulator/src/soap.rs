//! SOAP, as far as somebody needs it beside REST: `upsertList` of sales orders with legacy tax, and `getItemAvailability`.
//!
//! A request is read as the schema says, in its order and its namespaces. Log-on is one token passport per request. What is
//! wrong with a request is a fault; what is wrong with a record stands in its status, in an answer of HTTP 200.

mod country;
mod order;
mod tree;

use crate::access::{self, Level};
use crate::auth::Passport;
use crate::doc::{Doc, Val};
use crate::lanes::work;
use crate::meta::{self, Family, RecordMeta};
use crate::product::System;
use crate::records::{self, Ask};
use crate::refusal::Refusal;
use crate::state::World;
use erp_core::Decimal;
use erp_core::exact;
use erp_core::time::Timestamp;
use erp_testkit::emulator::{Exchange, Reply};
use order::{Sent, Unreadable};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tree::{Node, escape};

/// Every endpoint begins so; its version follows.
pub(crate) const PORTS: &str = "/services/NetSuitePort_";
const VERSION: &str = "2025_2";
const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const MESSAGES: &str = "urn:messages_2025_2.platform.webservices.netsuite.com";
const CORE: &str = "urn:core_2025_2.platform.webservices.netsuite.com";
const COMMON: &str = "urn:common_2025_2.platform.webservices.netsuite.com";
const SALES: &str = "urn:sales_2025_2.transactions.webservices.netsuite.com";
const FAULTS: &str = "urn:faults_2025_2.platform.webservices.netsuite.com";

/// As many records as one list may have.
const RECORDS_MAX: usize = 200;
/// As many rows as an answer about availability may have.
const ROWS_MAX: usize = 10_000;

/// Why a request came to nothing.
struct Fault {
    /// The fault's element; empty if the machinery below NetSuite complains.
    kind: &'static str,
    code: &'static str,
    text: String,
}

impl Fault {
    fn new(kind: &'static str, code: &'static str, text: impl Into<String>) -> Self {
        Self { kind, code, text: text.into() }
    }

    fn machinery(text: impl Into<String>) -> Self {
        Self::new("", "", text)
    }

    fn log_on() -> Self {
        Self::new("invalidCredentialsFault", "INVALID_LOGIN_CREDENTIALS", "Invalid login attempt.")
    }

    fn reply(&self) -> Reply {
        let own = if self.kind.is_empty() {
            String::new()
        } else {
            format!(
                "<platformFaults:{0} xmlns:platformFaults=\"{FAULTS}\"><platformFaults:code>{1}</platformFaults:code><platformFaults:message>{2}</platformFaults:message></platformFaults:{0}>",
                self.kind,
                self.code,
                escape(&self.text)
            )
        };
        let fault = format!(
            "<soapenv:Fault><faultcode>soapenv:Server.userException</faultcode><faultstring>{}</faultstring><detail>{own}<ns1:hostname xmlns:ns1=\"http://xml.apache.org/axis/\">emulator</ns1:hostname></detail></soapenv:Fault>",
            escape(&self.text)
        );
        Reply::status(500).with_body("text/xml;charset=utf-8", enveloped("", &fault))
    }
}

impl From<Unreadable> for Fault {
    fn from(unreadable: Unreadable) -> Self {
        Self::machinery(unreadable.0)
    }
}

fn enveloped(header: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"{ENVELOPE}\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">{header}<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
}

impl System {
    /// Answers a request to a SOAP endpoint.
    pub(crate) async fn soap(self: &Arc<Self>, exchange: &Exchange) -> Reply {
        if exchange.method != http::Method::POST {
            return Reply::status(405);
        }
        let operation = match self.soap_entered(exchange) {
            Ok(operation) => operation,
            Err(fault) => return fault.reply(),
        };
        let Some((lane, span)) = self.lanes.enter() else {
            let text =
                "The maximum number of concurrent requests has been reached. Your request has been blocked.";
            return Fault::new("exceededConcurrentRequestLimitFault", "WS_REQUEST_BLOCKED", text).reply();
        };
        work(&*self.clock, span).await;
        let answer = self.operate(exchange, &operation);
        drop(lane);
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let header = format!(
            "<soapenv:Header><platformMsgs:documentInfo xmlns:platformMsgs=\"{MESSAGES}\"><platformMsgs:nsId>WEBSERVICES_{}_{number}</platformMsgs:nsId></platformMsgs:documentInfo></soapenv:Header>",
            escape(&self.door.credentials.account)
        );
        match answer {
            Ok(body) => Reply::status(200).with_body("text/xml;charset=utf-8", enveloped(&header, &body)),
            Err(fault) => fault.reply(),
        }
    }

    /// The operation, after everything that every request must have.
    fn soap_entered(&self, exchange: &Exchange) -> Result<Node, Fault> {
        let version = exchange.path.strip_prefix(PORTS).unwrap_or_default();
        let unknown = || {
            let text = format!("Version {version} of the schema is not supported.");
            Fault::new("invalidVersionFault", "UNSUPPORTED_WS_VERSION", text)
        };
        if version != VERSION {
            return Err(unknown());
        }
        if !exchange.header("content-type").is_some_and(|kind| kind.starts_with("text/xml")) {
            return Err(Fault::machinery("Bad envelope: the content type must be text/xml"));
        }
        let action = exchange.header("soapaction").map(|action| action.trim_matches('"').to_owned());
        let action = action.ok_or_else(|| Fault::machinery("no SOAPAction header!"))?;
        let envelope = Node::parse(&exchange.body)
            .map_err(|why| Fault::machinery(format!("org.xml.sax.SAXParseException: {why}")))?;
        if !envelope.is(ENVELOPE, "Envelope") {
            return Err(Fault::machinery("Bad envelope"));
        }
        self.admit(exchange, envelope.child(ENVELOPE, "Header"))?;
        let mut body = envelope.child(ENVELOPE, "Body").map(|body| body.children.clone()).unwrap_or_default();
        let operation = body.pop().filter(|_| body.is_empty());
        let operation = operation.ok_or_else(|| Fault::machinery("Bad envelope: one operation per body"))?;
        if operation.name.space != MESSAGES {
            return Err(unknown());
        }
        if operation.name.local != action {
            return Err(Fault::machinery(format!("The SOAPAction {action} is not the operation")));
        }
        Ok(operation)
    }

    /// Log-on, feature, permissions.
    fn admit(&self, exchange: &Exchange, header: Option<&Node>) -> Result<(), Fault> {
        let refuse = |reason: &str| {
            self.door.note(exchange.at, reason, false);
            Fault::log_on()
        };
        if exchange.headers.contains_key("authorization") {
            return Err(refuse("Ambiguous authentication"));
        }
        let passports: Vec<&Node> = header
            .iter()
            .flat_map(|header| &header.children)
            .filter(|child| child.is(MESSAGES, "tokenPassport"))
            .collect();
        let [passport] = passports.as_slice() else {
            let reason = if passports.is_empty() { "MissingCredentials" } else { "Ambiguous authentication" };
            return Err(refuse(reason));
        };
        self.door.show(exchange.at, &read_passport(passport)).map_err(|reason| {
            if reason == "InvalidAccount" {
                Fault::new("invalidAccountFault", "INVALID_ACCT", "The account is not valid.")
            } else {
                Fault::log_on()
            }
        })?;
        if self.is_off("tba") {
            return Err(refuse("FeatureDisabled"));
        }
        if self.is_off("soap") {
            let text = "The SOAP Web Services feature is not enabled in NetSuite.";
            return Err(Fault::new("insufficientPermissionFault", "WS_FEATURE_REQD", text));
        }
        self.store.read(|world| {
            if !access::may(world, "ADMI_LOGIN_OAUTH", Level::Full) {
                return Err(refuse("permission_denied"));
            }
            if !access::may(world, "ADMI_WEBSERVICES", Level::Full) {
                let text = "You need the SOAP Web Services permission to use this service.";
                return Err(Fault::new("insufficientPermissionFault", "WS_PERMISSION_REQD", text));
            }
            Ok(())
        })
    }

    fn operate(&self, exchange: &Exchange, operation: &Node) -> Result<String, Fault> {
        match operation.name.local.as_str() {
            "upsertList" => self.upsert_list(exchange, operation),
            "getItemAvailability" => self.availability(exchange, operation),
            other => Err(Fault::machinery(format!("The operation {other} is not emulated"))),
        }
    }

    fn upsert_list(&self, exchange: &Exchange, operation: &Node) -> Result<String, Fault> {
        if operation.children.len() > RECORDS_MAX {
            let text = format!("Only {RECORDS_MAX} records are allowed in one request.");
            return Err(Fault::new("exceededRecordCountFault", "MAX_RCRDS_EXCEEDED", text));
        }
        // All of it is read before any of it is written.
        let sent = self.store.read(|world| {
            let record = |node: &Node| {
                if node.is(MESSAGES, "record") {
                    order::read(world, node)
                } else {
                    Err(Unreadable(format!("Invalid element {}", node.name.local)))
                }
            };
            operation.children.iter().map(record).collect::<Result<Vec<Sent>, Unreadable>>()
        })?;
        let answers: Vec<String> = sent.iter().map(|sent| self.write_order(exchange, sent)).collect();
        Ok(format!(
            "<upsertListResponse xmlns=\"{MESSAGES}\"><writeResponseList>{}</writeResponseList></upsertListResponse>",
            answers.concat()
        ))
    }

    fn write_order(&self, exchange: &Exchange, sent: &Sent) -> String {
        let done = match (meta::record("salesOrder"), &sent.wrong) {
            (_, Some(wrong)) => Err(wrong.clone()),
            (None, _) => Err(Refusal::user("There are no sales orders.")),
            (Some(record), None) => self.upsert_order(exchange, record, sent),
        };
        let external = escape(&sent.external);
        let (status, id) = match done {
            Ok(id) => (status(None), format!(" internalId=\"{id}\"")),
            Err(refusal) => (status(Some(&refusal)), String::new()),
        };
        format!(
            "<writeResponse>{status}<baseRef{id} externalId=\"{external}\" type=\"salesOrder\" xsi:type=\"platformCore:RecordRef\" xmlns:platformCore=\"{CORE}\"/></writeResponse>"
        )
    }

    /// Overwrites the order with this external id, or makes it.
    fn upsert_order(
        &self,
        exchange: &Exchange,
        record: &'static RecordMeta,
        sent: &Sent,
    ) -> Result<u64, Refusal> {
        self.store.commit(|world| {
            let ask = Ask { codes: true, ..self.ask(world, exchange.at) };
            let held = world.by_external(Family::Transaction, &sent.external);
            let held = held.filter(|(kind, _)| *kind == record.name);
            let held = held.and_then(|(_, at)| Some((at, world.get(record.name, at)?)));
            let level = if held.is_some() { Level::Edit } else { Level::Create };
            if !access::may(world, record.permission, level) {
                let sentence = access::sentence(world, record.permission);
                return Err(Refusal::new(403, "INSUFFICIENT_PERMISSION", sentence));
            }
            let mut parsed = records::parse(ask, record, sent.json.as_bytes())?;
            taxed(world, &mut parsed.doc, sent)?;
            match held {
                Some((at, stored)) => {
                    let replace = if sent.replace { vec!["item".to_owned()] } else { Vec::new() };
                    let changes = records::update(ask, record, at, stored, parsed.doc, &replace)?;
                    Ok((changes, at))
                }
                None => {
                    let (at, changes) = records::create(ask, record, parsed.doc)?;
                    Ok((changes, at))
                }
            }
        })
    }

    fn availability(&self, exchange: &Exchange, operation: &Node) -> Result<String, Fault> {
        let strays =
            || Fault::machinery("org.xml.sax.SAXException: Invalid element in ItemAvailabilityFilter");
        let filter = operation.child(MESSAGES, "itemAvailabilityFilter").ok_or_else(strays)?;
        let (items, since) = match filter.children.as_slice() {
            [items] if items.is(CORE, "item") => (items, None),
            [items, since] if items.is(CORE, "item") && since.is(CORE, "lastQtyAvailableChange") => {
                (items, Some(since))
            }
            _ => return Err(strays()),
        };
        let since = since.filter(|since| !since.text().is_empty());
        let since = since.map(|since| Timestamp::parse(since.text())).transpose().map_err(|_| strays())?;
        let rows = self.store.read(|world| {
            if !access::may(world, "LIST_ITEM", Level::View) {
                let sentence = access::sentence(world, "LIST_ITEM");
                return Err(Refusal::new(403, "INSUFFICIENT_PERMISSION", sentence));
            }
            rows(world, items, since, exchange.at)
        });
        let (status, rows) = match rows {
            Ok(rows) => (status(None), rows),
            Err(refusal) => (status(Some(&refusal)), Vec::new()),
        };
        let list = if rows.is_empty() {
            String::new()
        } else {
            format!(
                "<platformCore:itemAvailabilityList>{}</platformCore:itemAvailabilityList>",
                rows.concat()
            )
        };
        Ok(format!(
            "<getItemAvailabilityResponse xmlns=\"{MESSAGES}\"><platformCore:getItemAvailabilityResult xmlns:platformCore=\"{CORE}\">{status}{list}</platformCore:getItemAvailabilityResult></getItemAvailabilityResponse>"
        ))
    }
}

/// The passport's parts; what is missing, comes twice or out of order is nothing.
fn read_passport(node: &Node) -> Passport<'_> {
    const PARTS: [&str; 6] = ["account", "consumerKey", "token", "nonce", "timestamp", "signature"];
    let whole = node.children.len() == PARTS.len()
        && node.children.iter().zip(PARTS).all(|(child, part)| child.is(CORE, part));
    let text = |at: usize| node.children.get(at).filter(|_| whole).map(Node::text).unwrap_or_default();
    let algorithm =
        node.children.get(5).filter(|_| whole).and_then(|signature| signature.attribute("algorithm"));
    Passport {
        account: text(0),
        consumer_key: text(1),
        token: text(2),
        nonce: text(3),
        timestamp: text(4),
        signature: text(5),
        algorithm: algorithm.unwrap_or_default(),
    }
}

/// What a record's status says; REST's refusals in SOAP's words.
fn status(refusal: Option<&Refusal>) -> String {
    let Some(refusal) = refusal else {
        return format!("<platformCore:status isSuccess=\"true\" xmlns:platformCore=\"{CORE}\"/>");
    };
    let (code, text) = refusal.said();
    let (code, text) = match code {
        "INVALID_CONTENT" => match text
            .strip_prefix("Invalid Field Value ")
            .and_then(|rest| rest.split_once(" for the following field: "))
        {
            Some((id, name)) => {
                ("INVALID_KEY_OR_REF", format!("Invalid {} reference key {id}.", name.to_lowercase()))
            }
            None if text.contains("reference key") => ("INVALID_KEY_OR_REF", text.to_owned()),
            None => ("USER_ERROR", text.to_owned()),
        },
        code => (code, text.to_owned()),
    };
    format!(
        "<platformCore:status isSuccess=\"false\" xmlns:platformCore=\"{CORE}\"><platformCore:statusDetail type=\"ERROR\"><platformCore:code>{code}</platformCore:code><platformCore:message>{}</platformCore:message></platformCore:statusDetail></platformCore:status>",
        escape(&text)
    )
}

/// Tax codes are for accounts with legacy tax, which want one on each line; rates may be stated beside them.
fn taxed(world: &World, doc: &mut Doc, sent: &Sent) -> Result<(), Refusal> {
    let legacy = world.setting("tax") == Some("legacy");
    let rate = |text: &Option<String>| text.as_ref().and_then(|text| exact::parse(text).ok());
    if let Some(rate) = rate(&sent.rates.shipping) {
        doc.set("shippingTax1Rate", Val::Num(rate));
    }
    for (line, stated) in doc.lines_mut("item").iter_mut().zip(&sent.rates.lines) {
        if let Some(rate) = rate(stated) {
            line.set("taxRate1", Val::Num(rate));
        }
    }
    let known = |code: &str| world.setting(&format!("taxcode/{code}")).is_some();
    let shipping = Some(doc.text("shippingTaxCode")).filter(|code| !code.is_empty());
    let coded: Vec<&str> = doc.lines("item").iter().map(|line| line.text("taxCode")).collect();
    if !legacy {
        let any = shipping.is_some() || coded.iter().any(|code| !code.is_empty());
        let text = "You do not have permissions to set a value for element taxCode due to one of the following reasons: 1) The field is read-only; 2) An associated feature is disabled; 3) The field is available either when a record is created or updated, but not in both cases.";
        return if any { Err(Refusal::new(403, "INSUFFICIENT_PERMISSION", text)) } else { Ok(()) };
    }
    if coded.iter().any(|code| code.is_empty()) {
        return Err(Refusal::user("Please enter value(s) for: Tax Code"));
    }
    match coded.into_iter().chain(shipping).find(|code| !known(code)) {
        Some(code) => {
            let text = format!("Invalid taxcode reference key {code}.");
            Err(Refusal::new(400, "INVALID_KEY_OR_REF", text))
        }
        None => Ok(()),
    }
}

/// What is available of the items at each location. Of a location that never had any, only the location.
fn rows(
    world: &World,
    items: &Node,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<String>, Refusal> {
    let committed = world.committed();
    let mut rows = Vec::new();
    for reference in &items.children {
        let id = match (reference.attribute("internalId"), reference.attribute("externalId")) {
            (Some(id), _) => id.parse().ok(),
            (None, Some(external)) => world.by_external(Family::Item, external).map(|(_, id)| id),
            (None, None) => None,
        };
        let Some((id, (kind, item))) = id.and_then(|id| Some((id, world.item(id)?))) else {
            return Err(Refusal::new(400, "RCRD_DSNT_EXIST", "That record does not exist."));
        };
        for (location, place) in world.table("location") {
            let changed = last_change(world, id, location).filter(|at| *at <= now);
            if since.is_some_and(|since| changed.is_none_or(|changed| changed < since)) {
                continue;
            }
            let held = world.stock.get(&(id, location)).copied();
            let taken = committed.get(&(id, location)).copied().unwrap_or_default();
            let amount = |name: &str, value: Decimal| {
                let text = value.normalize().to_string();
                let text = if text.contains('.') { text } else { format!("{text}.0") };
                format!("<platformCore:{name}>{text}</platformCore:{name}>")
            };
            let quantities = held.map(|held| {
                [
                    amount("quantityOnHand", held),
                    amount("quantityOnOrder", Decimal::ZERO),
                    amount("quantityCommitted", taken.min(held.max(Decimal::ZERO))),
                    amount("quantityBackOrdered", (taken - held.max(Decimal::ZERO)).max(Decimal::ZERO)),
                    amount("quantityAvailable", (held - taken).max(Decimal::ZERO)),
                ]
                .concat()
            });
            let changed = changed.map(|at| {
                format!("<platformCore:lastQtyAvailableChange>{at}</platformCore:lastQtyAvailableChange>")
            });
            rows.push(format!(
                "<platformCore:itemAvailability><platformCore:item internalId=\"{id}\" type=\"{kind}\"><platformCore:name>{}</platformCore:name></platformCore:item>{}<platformCore:locationId internalId=\"{location}\" type=\"location\"><platformCore:name>{}</platformCore:name></platformCore:locationId>{}</platformCore:itemAvailability>",
                escape(item.doc.text("itemId")),
                changed.unwrap_or_default(),
                escape(place.doc.text("name")),
                quantities.unwrap_or_default()
            ));
        }
    }
    if rows.len() > ROWS_MAX {
        return Err(Refusal::new(400, "MAX_RCRDS_EXCEEDED", "The result has more than 10,000 records."));
    }
    Ok(rows)
}

/// When a document last touched an item at a location. What a seed lays down has no time.
fn last_change(world: &World, item: u64, location: u64) -> Option<Timestamp> {
    let item = item.to_string();
    let location = location.to_string();
    let touches = |doc: &Doc| {
        let homes = [doc.text("location"), doc.text("adjLocation"), doc.text("transferLocation")];
        ["item", "inventory"].into_iter().flat_map(|list| doc.lines(list)).any(|line| {
            let at = line.text("location");
            line.text("item") == item && (at == location || (at.is_empty() && homes.contains(&&*location)))
                || line.text("item") == item && doc.text("transferLocation") == location
        })
    };
    let of = |record: &'static RecordMeta| world.table(record.name);
    let touched = meta::transactions().flat_map(of).filter(|(_, stored)| touches(&stored.doc));
    touched.map(|(_, stored)| stored.modified).max()
}
