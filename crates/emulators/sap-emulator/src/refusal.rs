//! What SAP says when it refuses, in its own error shape.

use erp_testkit::emulator::Reply;
use serde_json::{Value, json};

/// A refused request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) text: String,
    /// The property at fault.
    pub(crate) property: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, text: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), text: text.into(), property: None }
    }

    /// A malformed or impossible request.
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::new(400, "/IWFND/CM_MGW_RT/022", text)
    }

    /// What the business refuses.
    pub(crate) fn business(code: &str, text: impl Into<String>) -> Self {
        Self::new(400, code, text)
    }

    pub(crate) fn on(mut self, property: &str) -> Self {
        self.property = Some(property.to_owned());
        self
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(404, "/IWBEP/CM_MGW_RT/020", format!("Resource not found for the segment '{what}'"))
    }

    /// The error body in V2 JSON. `transaction` identifies the request to SAP's support.
    pub(crate) fn body(&self, service: &str, transaction: &str) -> Value {
        let mut details = vec![json!({
            "code": self.code,
            "message": self.text,
            "propertyref": self.property.clone().unwrap_or_default(),
            "severity": "error",
            "transition": false,
            "target": self.property.clone().unwrap_or_default(),
        })];
        if !self.code.starts_with("/IW") {
            details.push(json!({
                "code": "/IWBEP/CX_MGW_BUSI_EXCEPTION",
                "message": "An exception was raised",
                "propertyref": "",
                "severity": "error",
                "transition": false,
                "target": "",
            }));
        }
        json!({"error": {
            "code": self.code,
            "message": {"lang": "en", "value": self.text},
            "innererror": {
                "application": {
                    "component_id": component(service),
                    "service_namespace": "/SAP/",
                    "service_id": service.split(';').next().unwrap_or(service),
                    "service_version": if service.ends_with("v=0002") { "0002" } else { "0001" },
                },
                "transactionid": transaction,
                "timestamp": "",
                "Error_Resolution": {
                    "SAP_Transaction": "Run transaction /IWFND/ERROR_LOG on the hub system",
                    "SAP_Note": "See SAP Note 1797736 for error analysis",
                },
                "errordetails": details,
            },
        }})
    }

    /// The answer: JSON where it was asked for, XML else.
    pub(crate) fn reply(&self, service: &str, transaction: &str, json: bool) -> Reply {
        let reply = Reply::status(self.status).with_header("dataserviceversion", "1.0");
        if json {
            return reply
                .with_body("application/json;charset=utf-8", self.body(service, transaction).to_string());
        }
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
             <error xmlns=\"http://schemas.microsoft.com/ado/2007/08/dataservices/metadata\">\
             <code>{}</code><message xml:lang=\"en\">{}</message>\
             <innererror><transactionid>{transaction}</transactionid></innererror></error>",
            escape(&self.code),
            escape(&self.text)
        );
        reply.with_body("application/xml;charset=utf-8", text)
    }
}

fn component(service: &str) -> &'static str {
    match service.split(';').next() {
        Some("API_SALES_ORDER_SRV") => "SD-SLS-API",
        Some("API_MATERIAL_STOCK_SRV") => "MM-IM-GF-API",
        Some("API_BUSINESS_PARTNER") => "LO-MD-BP",
        Some("API_OUTBOUND_DELIVERY_SRV") => "LE-SHP-API",
        _ => "OPU-BSE-SDE",
    }
}

/// Text made safe for XML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
