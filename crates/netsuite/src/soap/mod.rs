//! SOAP, for the two things that REST cannot do: sales orders in accounts with legacy tax
//! ([`NetsuiteClient::upsert_list`], which the order sink uses with
//! [`TaxMode::Legacy`](crate::config::TaxMode::Legacy)) and stock with its own time of change
//! ([`NetsuiteClient::get_item_availability`]). Everything else goes by REST, also for such accounts.
//!
//! # How long it lasts
//!
//! | release | what ends |
//! | --- | --- |
//! | 2025.2 | the last endpoint of SOAP that is planned; it is the one that is called here |
//! | 2027.1 | it is the only endpoint that is supported, and no new integration can be made that logs on with tokens |
//! | 2028.1 (tentative) | tokens end for existing integrations |
//! | 2028.2 | SOAP is gone |
//!
//! (Oracle's online help, sections N3418621 and 0525020842.) SOAP takes token-based authentication only, so that after
//! 2027.1 nobody can begin with it. Whoever begins now does better to let NetSuite compute tax, to move to SuiteTax, or to
//! carry tax as a line.
//!
//! # What `upsertList` means for a second create
//!
//! It finds a record by its external id and *overwrites* it: head, and all lines. NetSuite therefore does not refuse a
//! second create as it does by REST, and amendments that people made in between would be lost. So the order sink
//!
//! 1. looks the external id up before it sends anything, and takes an order that is there for what it is;
//! 2. never repeats a request whose answer was lost: the order is looked up when no request can be under way any more;
//! 3. says that lines replace lines (`replaceAll`), so that an original that comes late makes the order what was ordered,
//!    and not twice as much;
//! 4. compares, when it reads the order back, when NetSuite made it: one that is older than the request was overwritten,
//!    and the receipt warns of it.

mod availability;
mod country;
mod fault;
mod order;
mod passport;
mod xml;

pub use availability::ItemAvailability;

use crate::account::Hosts;
use crate::auth::NetsuiteAuth;
use crate::client::NetsuiteClient;
use crate::config::NetsuiteConfig;
use crate::error::NetsuiteErrors;
use crate::wire::{Body, Node};
use bytes::Bytes;
use erp_core::context::Context;
use erp_core::error::{Effect, Error, Result};
use erp_core::id::SystemId;
use erp_core::time::Clock;
use erp_http::auth::oauth1::OAuth1Keys;
use erp_http::quota::Quota;
use erp_http::{Call, Classify, HttpClient, Request, Response, Safety, Transport};
use fault::{Fault, Status};
use http::HeaderName;
use passport::Passport;
use std::collections::BTreeSet;
use std::sync::Arc;
use xml::Element;

/// The endpoint's version: the last one that is planned.
pub const VERSION: &str = "2025.2";

/// What Oracle has announced.
pub const SOAP_ENDS: &str =
    "SOAP ends: from release 2027.1 only endpoint 2025.2 is supported, and with 2028.2 it is gone";

const PATH: &str = "/services/NetSuitePort_2025_2";
/// As many records as one request may hold here; NetSuite takes a few more.
const RECORDS_MAX: usize = 100;
/// The largest request that is sent, in bytes.
const REQUEST_MAX: usize = 10 << 20;
/// The largest answer that is read, in bytes.
const ANSWER_MAX: usize = 16 << 20;

/// How each envelope begins. The passport comes right after it, anew for each try.
const OPENING: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"",
    " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"",
    " xmlns:msgs=\"urn:messages_2025_2.platform.webservices.netsuite.com\"",
    " xmlns:core=\"urn:core_2025_2.platform.webservices.netsuite.com\"",
    " xmlns:common=\"urn:common_2025_2.platform.webservices.netsuite.com\"",
    " xmlns:sales=\"urn:sales_2025_2.transactions.webservices.netsuite.com\">",
    "<soapenv:Header>"
);
const MIDDLE: &str = "</soapenv:Header><soapenv:Body>";
const CLOSING: &str = "</soapenv:Body></soapenv:Envelope>";

fn envelope(operation: &Element) -> Result<Vec<u8>> {
    Ok([OPENING.as_bytes(), MIDDLE.as_bytes(), &operation.to_xml()?, CLOSING.as_bytes()].concat())
}

/// The SOAP body of an envelope.
fn envelope_of(answer: &[u8]) -> Result<Element> {
    let mut envelope = Element::parse(answer)?;
    let body = if envelope.local() == "Envelope" { envelope.take("Body") } else { None };
    body.ok_or_else(|| Error::malformed("NetSuite's answer is no SOAP envelope"))
}

/// What an operation answered.
fn body_of(answer: &[u8], name: &str) -> Result<Element> {
    let missing = || Error::malformed(format!("{name} in NetSuite's answer is not there"));
    envelope_of(answer)?.take(name).ok_or_else(missing)
}

/// The table of SOAP: faults come with status 500, and with 200 from what stands before some accounts.
#[derive(Debug)]
struct SoapErrors {
    system: SystemId,
    rest: NetsuiteErrors,
}

impl Classify for SoapErrors {
    fn classify(&self, call: &Call, response: &Response) -> Option<Error> {
        let lost = if call.safety == Safety::Read { Effect::None } else { Effect::Unknown };
        let status = response.status.as_u16();
        match envelope_of(&response.body) {
            Ok(body) => match Fault::of(&body) {
                Some(fault) => Some(fault.error(lost).with_upstream(fault.upstream(&self.system, status))),
                None if response.status.is_success() => {
                    refused_as_a_whole(&body).map(|status| status.error(&self.system, lost, &nowhere))
                }
                None => self.rest.classify(call, response),
            },
            Err(error) if response.status.is_success() => Some(error.with_effect(lost)),
            Err(_) => self.rest.classify(call, response),
        }
    }
}

fn nowhere(_: &str) -> String {
    String::new()
}

/// The status of a whole operation that did not succeed, which decides as a fault does. Where records have answers of
/// their own, some of them may have been written.
fn refused_as_a_whole(body: &Element) -> Option<Status> {
    let answer = body.children().next()?;
    let result = answer.child("getItemAvailabilityResult").or_else(|| answer.child("writeResponseList"))?;
    if result.child("writeResponse").is_some() {
        return None;
    }
    Status::of(result).ok().filter(|status| !status.is_success())
}

/// The way to the SOAP service, or `None` for a log-on that it does not take. It shares the account's concurrent requests
/// with REST.
pub(crate) fn connect(
    system: &SystemId,
    config: &NetsuiteConfig,
    hosts: &Hosts,
    quota: Quota,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
) -> Result<Option<HttpClient>> {
    let NetsuiteAuth::Tba { consumer_key, consumer_secret, token, token_secret } = &config.auth else {
        return Ok(None);
    };
    let keys =
        OAuth1Keys::new(consumer_key.clone(), consumer_secret.clone(), token.clone(), token_secret.clone());
    let passport = Passport::new(config.account.realm(), keys, Arc::clone(&clock));
    let errors = SoapErrors { system: system.clone(), rest: NetsuiteErrors::new(system.clone()) };
    let mut http = HttpClient::builder(system.clone(), &hosts.suitetalk, Arc::new(errors))
        .authorize(Arc::new(passport))
        .clock(clock)
        .quota(quota)
        .body_max(ANSWER_MAX)
        .timeout(config.read_timeout);
    if let Some(transport) = transport {
        http = http.transport(transport);
    }
    http.build().map(Some)
}

/// A record that `upsertList` wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Its internal id.
    pub id: String,
    /// What NetSuite warned of, such as a script that failed after the record was saved.
    pub warnings: Vec<String>,
}

impl NetsuiteClient {
    /// Creates or **overwrites** sales orders by `upsertList`, each found by the `externalId` of its body, and says of each
    /// what became of it, in the order of `orders`. Bodies are those of REST's `salesOrder`; custom fields are free-form
    /// texts. Prefer the order sink, which looks up first and overwrites nothing. The request is never repeated once it may
    /// have arrived.
    ///
    /// # Errors
    /// `Config` unless the client logs on with tokens; `Invalid` for more than a hundred orders, one without an external
    /// id, or two with the same. Whatever keeps NetSuite from answering ends the whole call; with effect `Unknown` each
    /// order may have been written.
    pub async fn upsert_list(&self, cx: &Context, orders: &[Body]) -> Result<Vec<Result<Written>>> {
        let call = Call::once("netsuite.upsert_list").with_timeout(self.config().write_timeout);
        let operation =
            self.upsert_operation(orders).map_err(|error| error.with_operation(call.operation))?;
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let response = self.soap_call(cx, call, "upsertList", &operation).await?;
        let written = self
            .written(&response.body, orders)
            .map_err(|error| error.with_effect(Effect::Unknown).with_operation(call.operation))?;
        let named = |told: Result<Written>| told.map_err(|error| error.with_operation(call.operation));
        Ok(written.into_iter().map(named).collect())
    }

    fn upsert_operation(&self, orders: &[Body]) -> Result<Element> {
        if orders.len() > RECORDS_MAX {
            let text = format!("{} orders are more than {RECORDS_MAX}", orders.len());
            return Err(Error::invalid("orders", "netsuite.too_many_records", text));
        }
        let mut operation = Element::new("msgs:upsertList");
        let mut known = BTreeSet::new();
        for order in orders {
            operation.push(order::sales_order(order, self.config().time_zone.as_ref())?);
            if !known.insert(external_of(order)) {
                let text = "two orders of one request have the same external id: the second would overwrite the first";
                return Err(Error::invalid("externalId", "netsuite.external_id_repeated", text));
            }
        }
        Ok(operation)
    }

    fn written(&self, answer: &[u8], orders: &[Body]) -> Result<Vec<Result<Written>>> {
        let body = body_of(answer, "upsertListResponse")?;
        let list = body
            .child("writeResponseList")
            .ok_or_else(|| Error::malformed("writeResponseList in NetSuite's answer is not there"))?;
        let answers: Vec<&Element> = list.all("writeResponse").collect();
        if answers.len() != orders.len() {
            let text = format!("NetSuite answers {} of {} records", answers.len(), orders.len());
            return Err(Error::malformed(text));
        }
        Ok(answers.iter().zip(orders).map(|(answer, order)| self.written_one(answer, order)).collect())
    }

    fn written_one(&self, answer: &Element, order: &Body) -> Result<Written> {
        let unclear = |error: Error| error.with_effect(Effect::Unknown);
        let status = Status::of(answer).map_err(unclear)?;
        if !status.is_saved() {
            let place = |sentence: &str| order::place(order, sentence);
            return Err(status.error(&self.0.system, Effect::Unknown, &place));
        }
        let reference = answer.child("baseRef");
        let held = reference.and_then(|reference| reference.attribute("externalId"));
        if held.is_some_and(|held| held != external_of(order)) {
            return Err(unclear(Error::malformed("NetSuite answers for another record than was sent")));
        }
        let id = reference.and_then(|reference| reference.attribute("internalId")).unwrap_or_default();
        if !crate::wire::record::is_plain(id) {
            return Err(unclear(Error::malformed("NetSuite wrote a record and did not say which")));
        }
        Ok(Written { id: id.to_owned(), warnings: status.warnings() })
    }

    async fn soap_call(
        &self,
        cx: &Context,
        call: Call,
        action: &'static str,
        operation: &Element,
    ) -> Result<Response> {
        let http = self.0.soap.as_ref().ok_or_else(|| {
            let text = "SOAP takes token-based authentication only; say auth.type = \"tba\", and no authoriser of one's own";
            Error::config(text).with_operation(call.operation)
        })?;
        let body = envelope(operation)?;
        if body.len() > REQUEST_MAX {
            let text =
                format!("a request of {} bytes is larger than {REQUEST_MAX}; send less at once", body.len());
            return Err(Error::invalid("body", "netsuite.too_large", text).with_operation(call.operation));
        }
        let request = Request::post(http.rebase(PATH)?)
            .with_header(HeaderName::from_static("soapaction"), &format!("\"{action}\""))
            .with_body("text/xml; charset=utf-8", Bytes::from(body));
        http.execute(cx, call, request).await
    }
}

fn external_of(order: &Body) -> &str {
    match order.get("externalId") {
        Some(Node::Text(external)) => external,
        _ => "",
    }
}

#[cfg(test)]
mod tests;
