//! Customer deposits: money that the shop has taken before anything is billed.
//!
//! Each tender makes one deposit under an external id of its own, so that a deposit whose answer was lost is not made twice.

use super::Document;
use crate::client::NetsuiteClient;
use crate::map::{self, coin, document_currency};
use crate::suiteql::SuiteQl;
use crate::suiteql::scan::count;
use crate::wire::{Body, RecordRef};
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::model::{Order, OrderSubmission};

/// What is paid by one tender.
struct Paid {
    external_id: String,
    amount: Decimal,
    kind: String,
    reference: Option<String>,
}

impl NetsuiteClient {
    /// What the order's deposits should be: one for each tender with an amount, or one for the whole.
    fn paid(&self, order: &Order, order_id: &str) -> Vec<Paid> {
        let config = &self.config().orders;
        if map::deposits_of(config, order) == 0 {
            return Vec::new();
        }
        let side = config.currency_side;
        let currency = document_currency(side, order);
        let tenders: Vec<_> =
            order.payment.tenders.iter().filter(|tender| !tender.amount.side(side).is_zero()).collect();
        if tenders.is_empty() {
            let amount = coin(order.totals.total.side(side), currency);
            let external_id = deposit_id(order_id, 1);
            return vec![Paid { external_id, amount, kind: order.payment.method.clone(), reference: None }];
        }
        (1..)
            .zip(tenders)
            .map(|(number, tender)| Paid {
                external_id: deposit_id(order_id, number),
                amount: coin(tender.amount.side(side), currency),
                kind: tender.kind.clone(),
                reference: tender.reference.clone(),
            })
            .collect()
    }

    /// Makes the deposits that are not there yet.
    pub(super) async fn make_deposits(
        &self,
        cx: &Context,
        submission: &OrderSubmission,
        order_id: &str,
    ) -> Result<()> {
        let order = &submission.order;
        let wanted = self.paid(order, order_id);
        let Some(config) = self.config().orders.deposits.as_ref().filter(|_| !wanted.is_empty()) else {
            return Ok(());
        };
        let Some(document) = self.read_order(cx, order_id).await? else { return Ok(()) };
        let entity = document.record.ref_id("entity")?.unwrap_or_default();
        let currency = document.record.ref_id("currency")?;
        for paid in wanted {
            let method = config
                .payment_methods
                .get(&paid.kind)
                .or_else(|| config.payment_methods.get(&order.payment.method))
                .ok_or_else(|| {
                    let text = format!(
                        "nothing says what tender {} is in NetSuite; add it to orders.deposits.payment_methods",
                        paid.kind
                    );
                    Error::invalid("payment.tenders", "netsuite.no_payment_method", text)
                })?;
            let mut body = Body::new()
                .with("externalId", paid.external_id.as_str())
                .with("customer", RecordRef::id(&entity))
                .with("salesOrder", RecordRef::id(order_id))
                .with("payment", paid.amount)
                .with("paymentMethod", RecordRef::id(method))
                .with("tranDate", order.placed_at.date_in(&order.channel.zone).to_string());
            body.put_some("currency", currency.as_ref().map(RecordRef::id));
            body.put_some("memo", paid.reference);
            match &config.account {
                Some(account) => {
                    body.put("undepFunds", false);
                    body.put("account", RecordRef::id(account));
                }
                None => body.put("undepFunds", true),
            }
            match self.create_record(cx, "customerDeposit", &body).await {
                Ok(_) => {}
                // It was made before, and its answer was lost.
                Err(error) if *error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error.with_context("deposit", paid.external_id)),
            }
        }
        Ok(())
    }

    /// Whether the deposits were made that the order's memo says it has. What was captured is known to the shop alone, so
    /// the order itself says how many there are to be.
    pub(super) async fn deposits_are_whole(&self, cx: &Context, document: &Document) -> Result<bool> {
        let expected = map::deposits_in(&document.record.text("memo")?);
        if expected == 0 {
            return Ok(true);
        }
        let id = document.record.required("id")?;
        let ids = (1..=expected).map(|number| deposit_id(&id, number));
        let query =
            SuiteQl::new("SELECT COUNT(*) AS n FROM transaction WHERE type = 'CustDep' AND externalid IN ")
                .bind_list(ids.collect::<Vec<_>>());
        let made = count(self, cx, "netsuite.find_deposits", &query).await?;
        Ok(made >= expected as u64)
    }
}

fn deposit_id(order_id: &str, number: usize) -> String {
    format!("deposit-{order_id}-{number}")
}
