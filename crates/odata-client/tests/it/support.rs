//! A small connector's table, and a service on a mock server.

use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind};
use erp_core::id::SystemId;
use erp_http::{Authorize, Call, Classify, HttpClient, HttpClientBuilder, Response, Safety};
use odata_client::{ODataError, ODataService};
use serde::Deserialize;
use std::sync::Arc;
use wiremock::MockServer;

pub(crate) const ROOT: &str = "/odata/API_X";
pub(crate) const READ: Call = Call::read("test.read");
pub(crate) const WRITE: Call = Call::once("test.write");

/// The plainest table that a connector could have.
#[derive(Debug)]
pub(crate) struct Table;

impl Classify for Table {
    fn classify(&self, call: &Call, response: &Response) -> Option<Error> {
        if response.status.is_success() {
            return None;
        }
        let said = ODataError::of(response);
        let kind = match response.status.as_u16() {
            403 => ErrorKind::Permission { missing: Vec::new() },
            404 => ErrorKind::NotFound,
            412 => ErrorKind::Conflict,
            500.. => ErrorKind::Transient,
            _ => ErrorKind::Invalid { fields: Vec::new() },
        };
        let lost = response.status.is_server_error() && call.safety != Safety::Read;
        let effect = if lost { Effect::Unknown } else { Effect::None };
        let upstream = said.upstream(SystemId::new("sap"));
        Some(Error::new(kind, "refused").with_effect(effect).with_upstream(upstream))
    }
}

pub(crate) fn client(server: &MockServer) -> HttpClientBuilder {
    HttpClient::builder(SystemId::new("sap"), server.uri(), Arc::new(Table))
}

pub(crate) fn authorised(server: &MockServer, authorize: Arc<dyn Authorize>) -> HttpClient {
    client(server).authorize(authorize).build().unwrap()
}

pub(crate) fn service(server: &MockServer) -> ODataService {
    ODataService::v2(client(server).build().unwrap(), ROOT)
}

pub(crate) fn cx() -> Context {
    Context::new()
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Order {
    #[serde(rename = "SalesOrder")]
    pub(crate) number: String,
    #[serde(default, rename = "Net", with = "odata_client::v2::decimal_option")]
    pub(crate) net: Option<erp_core::Decimal>,
}

pub(crate) fn order(number: u32) -> String {
    format!(r#"{{"__metadata":{{"etag":"W/\"{number}\""}},"SalesOrder":"{number}","Net":"1.10"}}"#)
}
