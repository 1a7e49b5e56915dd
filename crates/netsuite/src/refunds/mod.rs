//! Refunds of the shop: the refund sink.
//!
//! What shipped comes back by a return authorisation of its sales order, is received, and is then credited; a cash sale is
//! refunded at once. Each document has an external id that is made of the refund's key and its step, so that a document
//! whose answer was lost is found and never made twice: submitting again goes on where it ended. A refund is whole only when
//! the document that gives the money back is there.
//!
//! A credit stands on the customer's account afterwards: what it is applied to, or whether it is paid out, is left to the
//! account's own rules.

mod body;

use crate::client::NetsuiteClient;
use crate::config::{OrderRecord, RefundDocument};
use crate::key::external_id;
use crate::lookup::Item;
use crate::map::{self, Head, Held, Status, item_ids};
use crate::posting::{Document, Posted};
use crate::wire::{Body, Record, RecordRef};
use async_trait::async_trait;
use body::{Plan, ships};
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::id::{Key, NativeId, Sku};
use erp_core::model::{Allowance, Refund, RefundSubmission};
use erp_core::money::{Currency, Side};
use erp_core::outcome::{Found, Outcome, Outcomes, Receipt};
use erp_core::roles::RefundSink;
use std::collections::{BTreeMap, BTreeSet};

/// What a refund takes in documents, each made once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Return,
    Receipt,
    Money,
}

impl Step {
    /// The external id of this step's document. No key of the shop ends so.
    fn external_id(self, key: &Key) -> Result<String> {
        let step = match self {
            Self::Return => "return",
            Self::Receipt => "receipt",
            Self::Money => "refund",
        };
        external_id(&Key::from(format!("{key}:{step}")))
    }
}

/// How a document comes to be: out of what, and whether of the body's lines alone.
struct Origin<'a> {
    kind: &'static str,
    id: &'a str,
    lines_alone: bool,
}

#[async_trait]
impl RefundSink for NetsuiteClient {
    async fn submit_refunds(&self, cx: &Context, items: &[RefundSubmission]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(items.len());
        for item in items {
            let result = Box::pin(self.refund(cx, item)).await;
            let key = item.refund.key.as_str();
            outcomes.push(result.map_err(|e| e.with_operation("netsuite.refund").with_context("key", key)));
        }
        outcomes.into_vec()
    }

    async fn find_refund(&self, cx: &Context, key: &Key, _: &NativeId) -> Result<Found> {
        if let Some(document) = self.money_document(cx, key).await? {
            return Ok(Found::Whole(self.refund_receipt(cx, &document).await?));
        }
        for (kind, step) in [("itemReceipt", Step::Receipt), ("returnAuthorization", Step::Return)] {
            let found = self.document(cx, kind, &step.external_id(key)?).await;
            let found = match self.config().orders.record {
                // A cash sale is refunded at once: its account need not have returns at all.
                OrderRecord::CashSale => may_be_unseen(found)?,
                OrderRecord::SalesOrder => found?,
            };
            if let Some(begun) = found {
                return Ok(Found::Partial(begun.receipt()?));
            }
        }
        Ok(Found::Absent)
    }
}

impl NetsuiteClient {
    /// The document that gives the money back, of either kind: the configuration may have changed since.
    async fn money_document(&self, cx: &Context, key: &Key) -> Result<Option<Document>> {
        let external = Step::Money.external_id(key)?;
        let usual = self.money_kind();
        let other = match usual {
            RefundDocument::CreditMemo => RefundDocument::CashRefund,
            RefundDocument::CashRefund => RefundDocument::CreditMemo,
        };
        match self.document(cx, usual.path(), &external).await? {
            Some(document) => Ok(Some(document)),
            // Whoever makes credit memos alone need not be allowed to read the other kind.
            None => may_be_unseen(self.document(cx, other.path(), &external).await),
        }
    }

    fn money_kind(&self) -> RefundDocument {
        match self.config().orders.record {
            OrderRecord::CashSale => RefundDocument::CashRefund,
            OrderRecord::SalesOrder => self.config().refunds.document,
        }
    }

    /// Proof of what NetSuite gives back.
    async fn refund_receipt(&self, cx: &Context, document: &Document) -> Result<Receipt> {
        let (config, record) = (&self.config().orders, &document.record);
        let lines = Held::of(config, record)?;
        let currency = self.document_currency(cx, record).await?;
        let skus = self.skus(cx, &item_ids(&lines)).await?;
        let holding = map::holding(config, Status::Billed, currency, Head::of(record)?, &lines, &skus);
        Ok(document.receipt()?.with_holding(holding))
    }

    async fn document_currency(&self, cx: &Context, record: &Record) -> Result<Currency> {
        match record.ref_id("currency")? {
            Some(id) => self.currency_of(cx, &id).await,
            None => Err(Error::malformed("currency in NetSuite's answer is not there")),
        }
    }

    async fn refund(&self, cx: &Context, item: &RefundSubmission) -> Result<Receipt> {
        let refund = &item.refund;
        if let Some(document) = self.money_document(cx, &refund.key).await? {
            return self.refund_receipt(cx, &document).await;
        }
        refund.check(Allowance::rounding)?;
        let orders = self.config().orders.record.path();
        let Some((order, _)) = self.record(cx, orders, &RecordRef::id(item.order.as_str())).await? else {
            let text = format!("NetSuite holds no order {}", item.order);
            return Err(Error::invalid("order", "netsuite.order_unknown", text));
        };
        let currency = self.document_currency(cx, &order).await?;
        let plan = Plan::new(self.config(), item, &order, currency)?;
        let skus: BTreeSet<&Sku> = refund.lines.iter().map(|line| &line.sku).collect();
        let items = self.items(cx, &skus).await?;
        let mut warnings = Vec::new();
        let made = match (plan.lines.is_empty(), self.config().orders.record) {
            (true, _) => self.give_back(cx, refund, None, &plan.alone()?, &mut warnings).await?,
            (false, OrderRecord::CashSale) => {
                warnings.extend(plan.unsaid());
                let origin = Origin { kind: "cashSale", id: item.order.as_str(), lines_alone: true };
                self.give_back(cx, refund, Some(origin), &plan.refund_of_sale()?, &mut warnings).await?
            }
            (false, OrderRecord::SalesOrder) => {
                self.take_back(cx, item, &plan, &items, &mut warnings).await?
            }
        };
        let receipt = self.refund_receipt(cx, &made).await.map_err(|e| e.with_effect(Effect::Applied))?;
        warnings.extend(difference(refund, &receipt, self.config().orders.currency_side));
        Ok(receipt.with_warnings(warnings))
    }

    /// Return, receipt and money of a sales order. What was made before a failure says that the refund is begun.
    async fn take_back(
        &self,
        cx: &Context,
        item: &RefundSubmission,
        plan: &Plan<'_>,
        items: &BTreeMap<Sku, Item>,
        warnings: &mut Vec<String>,
    ) -> Result<Document> {
        let refund = &item.refund;
        let begun = |error: Error| match error.effect() {
            Effect::None => error.with_effect(Effect::Partial),
            _ => error,
        };
        let origin = Origin { kind: "salesOrder", id: item.order.as_str(), lines_alone: true };
        let body = plan.authorization();
        let back = self.make(cx, refund, Step::Return, Some(origin), &body, warnings).await?;
        let receivable = plan.lines.iter().any(|line| ships(items, line.sku));
        if self.config().refunds.receive && receivable {
            let body = plan.receipt(&back.record, items).map_err(begun)?;
            let origin = Origin { kind: "returnAuthorization", id: &back.id, lines_alone: false };
            self.make(cx, refund, Step::Receipt, Some(origin), &body, warnings).await.map_err(begun)?;
        }
        let origin = Origin { kind: "returnAuthorization", id: &back.id, lines_alone: false };
        let body = plan.money(Some(&back.record)).map_err(begun)?;
        self.give_back(cx, refund, Some(origin), &body, warnings).await.map_err(|error| {
            let waits = !self.config().refunds.receive && matches!(error.kind(), ErrorKind::Invalid { .. });
            let error = if waits {
                let text = format!("return {} waits to be received; submit the refund again then", back.id);
                error.with_context("why", text)
            } else {
                error
            };
            begun(error)
        })
    }

    async fn give_back(
        &self,
        cx: &Context,
        refund: &Refund,
        origin: Option<Origin<'_>>,
        body: &Body,
        warnings: &mut Vec<String>,
    ) -> Result<Document> {
        self.make(cx, refund, Step::Money, origin, body, warnings).await
    }

    /// Makes one step's document, unless it is there.
    async fn make(
        &self,
        cx: &Context,
        refund: &Refund,
        step: Step,
        origin: Option<Origin<'_>>,
        body: &Body,
        warnings: &mut Vec<String>,
    ) -> Result<Document> {
        let kind = match step {
            Step::Return => "returnAuthorization",
            Step::Receipt => "itemReceipt",
            Step::Money => self.money_kind().path(),
        };
        let external = step.external_id(&refund.key)?;
        if let Some(document) = self.document(cx, kind, &external).await? {
            return Ok(document);
        }
        let body = body.clone().with("externalId", external.as_str()).with("memo", refund.number.as_str());
        let origin = &origin;
        let post = |body: Body| async move {
            match origin {
                None => self.create_record(cx, kind, &body).await,
                Some(from) if from.lines_alone => {
                    self.transform_lines(cx, from.kind, &RecordRef::id(from.id), kind, &body).await
                }
                Some(from) => {
                    self.transform_record(cx, from.kind, &RecordRef::id(from.id), kind, &body).await
                }
            }
        };
        let posted = self.post_dated(cx, refund.refunded_at, &body, post).await;
        match posted {
            Ok(Posted { warnings: told, .. }) => {
                warnings.extend(told);
                let gone = || {
                    let text = format!("the {kind} was posted and is not there any more");
                    Error::new(ErrorKind::Conflict, text)
                };
                let found = self.document(cx, kind, &external).await;
                let happened = if step == Step::Money { Effect::Applied } else { Effect::Partial };
                found.and_then(|found| found.ok_or_else(gone)).map_err(|e| e.with_effect(happened))
            }
            // Made meanwhile by a request whose answer was lost.
            Err(error) if *error.kind() == ErrorKind::Conflict => {
                match self.document(cx, kind, &external).await? {
                    Some(document) => Ok(document),
                    None => Err(error),
                }
            }
            Err(error) => Err(error.with_context("step", kind)),
        }
    }
}

/// A document of a kind that this account does not make: a role that may not see the kind, or a feature that is off, for which
/// NetSuite says that there is no such record type, has none.
fn may_be_unseen(found: Result<Option<Document>>) -> Result<Option<Document>> {
    match found {
        Err(error) if matches!(error.kind(), ErrorKind::Permission { .. } | ErrorKind::Config) => Ok(None),
        found => found,
    }
}

/// What a person should know where NetSuite gives back another sum than the shop.
fn difference(refund: &Refund, receipt: &Receipt, side: Side) -> Option<String> {
    let holding = receipt.holding.as_ref()?;
    let (ours, theirs) = (map::coin(refund.total.side(side), holding.currency), holding.totals.total);
    (ours != theirs).then(|| {
        format!(
            "refund {}: the shop gave back {} {}, and {} gives back {}",
            refund.number,
            ours.normalize(),
            holding.currency,
            receipt.number,
            theirs.normalize()
        )
    })
}
