//! The one request that makes an order: by REST, or with legacy tax by SOAP.

use super::Document;
use crate::client::NetsuiteClient;
use crate::config::TaxMode;
use crate::wire::Body;
use erp_core::context::Context;
use erp_core::error::Result;
use erp_core::time::Timestamp;
use std::time::Duration;

/// An order that is older than the request which should have made it, by more than clocks may differ where a log-on by
/// tokens succeeds.
const OLDER: Duration = Duration::from_secs(6 * 60);

/// What a create brought.
#[derive(Debug)]
pub(super) struct Created {
    pub(super) id: String,
    /// What NetSuite warned of.
    warnings: Vec<String>,
    /// When the request began and the day that it stated, where it could have overwritten an order.
    sent: Option<(Timestamp, String)>,
}

impl Created {
    /// An order that was there, or that nothing could have overwritten.
    pub(super) fn known(id: String) -> Self {
        Self { id, warnings: Vec::new(), sent: None }
    }

    /// What a person should know about the order that was read back.
    pub(super) fn warnings(&self, document: &Document) -> Result<Vec<String>> {
        let mut warnings = self.warnings.clone();
        let Some((began, day)) = &self.sent else { return Ok(warnings) };
        let record = &document.record;
        if let Some(made) = record.instant("createdDate")?
            && made.plus(OLDER) < *began
        {
            warnings.push(format!(
                "NetSuite made this order at {made}, before it was sent at {began}: the create by SOAP wrote over it, and what people changed on it is gone"
            ));
        }
        if let Some(held) = record.date("tranDate")?.map(|held| held.to_string())
            && held != *day
        {
            warnings.push(format!(
                "the order's day is {held} in NetSuite and not {day}; set the integration user's time zone at Home > Set Preferences, and time_zone here"
            ));
        }
        Ok(warnings)
    }
}

impl NetsuiteClient {
    pub(super) async fn create_order(&self, cx: &Context, body: &Body) -> Result<Created> {
        match self.config().orders.tax.mode {
            TaxMode::Legacy => self.create_by_soap(cx, body).await,
            _ => self.create_record(cx, self.order_path(), body).await.map(Created::known),
        }
    }

    #[cfg(feature = "soap")]
    async fn create_by_soap(&self, cx: &Context, body: &Body) -> Result<Created> {
        use crate::wire::Node;
        use erp_core::error::{Effect, Error};

        let began = self.now();
        let day = match body.get("tranDate") {
            Some(Node::Text(day)) => day.clone(),
            _ => String::new(),
        };
        let mut written = self.upsert_list(cx, std::slice::from_ref(body)).await?;
        let none = || Err(Error::malformed("NetSuite answers for no order").with_effect(Effect::Unknown));
        let written = written.pop().unwrap_or_else(none)?;
        Ok(Created { id: written.id, warnings: written.warnings, sent: Some((began, day)) })
    }

    #[cfg(not(feature = "soap"))]
    #[expect(clippy::unused_async, reason = "its twin with SOAP waits for the answer")]
    async fn create_by_soap(&self, _: &Context, _: &Body) -> Result<Created> {
        Err(erp_core::error::Error::config(
            "orders.tax.mode = \"legacy\" needs a build with the feature \"soap\" of the crate netsuite",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(created: &str) -> Document {
        let json = format!(r#"{{"createdDate":"{created}","tranDate":"2026-11-27"}}"#);
        Document { record: serde_json::from_str(&json).unwrap(), at: Timestamp::EPOCH }
    }

    #[test]
    fn an_order_that_was_written_over_is_told() {
        let began = Timestamp::parse("2026-11-27T12:00:30Z").unwrap();
        let created = |sent| Created { id: "7".to_owned(), warnings: vec!["low stock".to_owned()], sent };
        let sent = |day: &str| Some((began, day.to_owned()));
        // The record service cuts to the minute, and clocks differ.
        for (at, day, says) in [
            ("2026-11-27T12:00:00Z", "2026-11-27", ""),
            ("2026-11-27T11:56:00Z", "2026-11-27", ""),
            ("2026-11-27T11:30:00Z", "2026-11-27", "wrote over it"),
            ("2026-11-27T12:00:00Z", "2026-11-26", "not 2026-11-26"),
        ] {
            let told = created(sent(day)).warnings(&document(at)).unwrap().join("; ");
            assert!(told.starts_with("low stock") && told.contains(says), "{at} {day}: {told}");
            assert_eq!(told.contains(';'), !says.is_empty(), "{at} {day}: {told}");
        }
        let old = created(None).warnings(&document("2020-01-01T00:00:00Z")).unwrap();
        assert_eq!(old, ["low stock"], "REST overwrites nothing");
    }
}
