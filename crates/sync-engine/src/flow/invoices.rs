//! What was billed: ERP → shop.

use super::fulfillments::order_in;
use super::{Answer, Env, Flow, IntoFlow, Options, Pipe, map_event, shared_options};
use crate::entry::{Admission, Cause, Desired, Entry};
use crate::ledger::{Report, Sighting, Turn};
use crate::release::Start;
use crate::step::{Action, LookResult, WriteResult};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::connector::Identity;
use erp_core::context::{Context, Priority};
use erp_core::digest::Digest;
use erp_core::error::{Error, Result};
use erp_core::feed::{Feed, Freshness, Observed, Watermark};
use erp_core::id::SystemId;
use erp_core::model::{Allowance, Invoice, InvoiceSubmission};
use erp_core::money::Money;
use erp_core::outcome::{Found, Receipt};
use erp_core::roles::{InvoiceSink, InvoiceSource};
use erp_core::time::Timestamp;
use futures_util::StreamExt as _;
use std::sync::Arc;
use std::time::Duration;

/// Builds a flow of invoices. See [`Flow::invoices`].
#[derive(Debug, Clone)]
pub struct InvoiceFlow {
    pub(super) options: Options,
    source: Arc<dyn InvoiceSource>,
    sink: Arc<dyn InvoiceSink>,
    orders_by: String,
    start: Option<Start>,
    capture: bool,
    notify_within: Option<Duration>,
}

shared_options!(InvoiceFlow);

impl Flow {
    /// Invoices of an ERP, told to the shop whose orders the flow `orders` (see [`orders_by`](InvoiceFlow::orders_by))
    /// brought there.
    pub fn invoices<S: InvoiceSource + Clone, T: InvoiceSink + Clone>(source: &S, sink: &T) -> InvoiceFlow {
        Self::invoices_between(Arc::new(source.clone()), Arc::new(sink.clone()))
    }

    /// As [`Flow::invoices`], for roles found behind doors.
    #[must_use]
    pub fn invoices_between(source: Arc<dyn InvoiceSource>, sink: Arc<dyn InvoiceSink>) -> InvoiceFlow {
        InvoiceFlow {
            options: Options::named("invoices"),
            source,
            sink,
            orders_by: "orders".to_owned(),
            start: None,
            capture: false,
            notify_within: None,
        }
    }
}

impl InvoiceFlow {
    /// Which invoices it takes: those billed after the first run, or at or after a time. There is no default: the first run
    /// must not invoice years of orders. A source that tells an invoice when it is approved still says when it was made: one
    /// that was made before the start and approved after it is excluded, and said so in the ledger.
    #[must_use]
    pub fn starting(mut self, start: Start) -> Self {
        self.start = Some(start);
        self
    }

    /// The flow whose orders are billed. Default `orders`.
    #[must_use]
    pub fn orders_by(mut self, flow: impl Into<String>) -> Self {
        self.orders_by = flow.into();
        self
    }

    /// The shop takes the money of each invoice, by the payment that the buyer authorised. Default: it does not, because
    /// whoever bills may have taken it already.
    #[must_use]
    pub fn capture(mut self) -> Self {
        self.capture = true;
        self
    }

    /// Buyers are told of invoices that were billed at most this long ago; older ones are recorded in silence. Default: never
    /// told.
    #[must_use]
    pub fn notify_within(mut self, span: Duration) -> Self {
        self.notify_within = Some(span);
        self
    }
}

impl IntoFlow for InvoiceFlow {
    fn into_flow(self) -> Result<Flow> {
        self.options.check()?;
        let Some(sink) = self.sink.capabilities().invoice_sink else {
            return Err(Error::config(format!("{} takes no invoices", self.sink.identity().system)));
        };
        let start = self.options.begins(self.start.as_ref(), "invoices")?;
        let Options { name, triggers, hints, late_after, mut policy } = self.options;
        policy.write_horizon = sink.write_horizon;
        policy.look_up = true;
        Ok(Flow {
            name,
            triggers,
            hints,
            late_after,
            policy,
            workers: sink.concurrency.max(1),
            batch: sink.bulk_limit.max(1),
            priority: Priority::Orders,
            needs: None,
            orders_of: Some(self.orders_by.clone()),
            beside: Vec::new(),
            // Sinks list no invoices yet, so that there is nothing to compare the source's with.
            tie_out: None,
            pipe: Arc::new(Invoices {
                source: self.source,
                sink: self.sink,
                orders_by: self.orders_by,
                start,
                capture: self.capture,
                notify_within: self.notify_within,
            }),
        })
    }
}

#[derive(Debug)]
struct Invoices {
    source: Arc<dyn InvoiceSource>,
    sink: Arc<dyn InvoiceSink>,
    orders_by: String,
    /// Without a time, when the flow first ran.
    start: Option<Timestamp>,
    capture: bool,
    notify_within: Option<Duration>,
}

/// Over what is told: the order, quantities and money by line, and the sums. An invoice that changed after it was told shows
/// by it; one that was paid meanwhile does not.
fn digest(invoice: &Invoice) -> Digest {
    let text = |money: erp_core::Decimal| money.normalize().to_string();
    let lines: Vec<_> = invoice
        .lines
        .iter()
        .map(|line| {
            let (quantity, net) = (text(line.quantity), text(line.net));
            (&line.native_line, &line.sku, quantity, net, line.tax.map(text))
        })
        .collect();
    let beside = [invoice.shipping, invoice.fees, invoice.discount, invoice.tax, invoice.total].map(text);
    Digest::of(&(&invoice.order, lines, beside, invoice.currency, invoice.voided))
}

fn admit(invoice: &Invoice, start: Timestamp, shop: &SystemId) -> Admission {
    let never = |why: &str| Admission::Never(Cause::new(why, why, ""));
    if invoice.billed_at < start {
        return never("billed before the flow's start");
    }
    if invoice.order_key.as_ref().is_some_and(|key| key.native_in(shop).is_none()) {
        return never("billed for an order of another system");
    }
    Admission::Due
}

fn sight(observed: Observed<Invoice>, start: Timestamp, shop: &SystemId) -> Sighting {
    let freshness = Freshness { version: observed.version, read_started: observed.read_started };
    let Observed { key, label, record, raw, .. } = observed;
    Sighting {
        // Two invoices of one order go one after the other: the second bills what the first left.
        ordering: Some(format!("order {}", record.order)),
        desired: Desired {
            digest: digest(&record),
            freshness,
            admission: admit(&record, start, shop),
            alive: !record.voided,
            after: Vec::new(),
        },
        units: record.lines.iter().map(|line| line.quantity).sum(),
        money: Some(Money::new(record.total, record.currency)),
        payload: serde_json::to_vec(&record).map(Bytes::from).unwrap_or_default(),
        raw,
        reserves: Vec::new(),
        moves: Vec::new(),
        retell: None,
        key,
        label,
    }
}

/// What was told is told: an invoice that is another one now, or none, is for a person.
fn changed(turn: &Turn, source: &SystemId) -> Error {
    let number = turn.entry.receipt.as_ref().map(|receipt| receipt.number.as_str()).unwrap_or_default();
    let (what, code) =
        if turn.entry.desired.alive { ("changed", "invoice.changed") } else { ("voided", "invoice.voided") };
    let text = format!(
        "{source} {what} this invoice after it was told as {number}; correct {number} by hand, then write this entry off"
    );
    Error::invalid("invoice", code, text)
}

/// The shop adds up by itself, so that its figure may be another one.
fn differs(invoice: &Invoice, receipt: &Receipt) -> Option<Cause> {
    let held = receipt.holding.as_ref()?;
    let theirs = Money::new(held.totals.total, held.currency);
    let ours = Money::new(invoice.total, invoice.currency);
    let allowance = Allowance::rounding(invoice.currency);
    // Sums of two currencies cannot be compared, and a person must.
    let gap = theirs.minus(ours).ok().map(|gap| gap.amount);
    if gap.is_some_and(|gap| allowance.covers(gap, invoice.lines.len().max(1))) {
        return None;
    }
    let text = format!("{} comes to {theirs} in the shop, and to {ours} where it was billed", receipt.number);
    let remedy = "find out which is right (shipping, discounts, tax); release it to accept the difference";
    Some(Cause::new("an invoice comes to another sum in the shop", text, remedy))
}

/// The answer with what a person must see of it.
fn compared(mut answer: Answer, invoice: &Invoice) -> Answer {
    match &mut answer.report {
        Report::Written(WriteResult::Applied(proof)) | Report::Looked(_, LookResult::Equal(proof)) => {
            proof.mismatch = differs(invoice, &proof.receipt);
        }
        _ => {}
    }
    answer
}

impl Invoices {
    async fn submission(&self, turn: &Turn, env: &Env) -> Result<InvoiceSubmission> {
        let invoice: Invoice = serde_json::from_slice(&turn.payload)
            .map_err(|e| Error::unexpected("a stored invoice cannot be read").with_source(e))?;
        let shop = self.sink.identity().system;
        let (native, lines) = order_in(&shop, &invoice.order, &self.orders_by, env).await?;
        let notify = self.notify_within.is_some_and(|span| env.clock.now().since(invoice.billed_at) <= span);
        let item = InvoiceSubmission::new(invoice, native, lines);
        Ok(item.with_capture(self.capture).with_notify(notify))
    }

    async fn look(&self, cx: &Context, turn: &Turn, env: &Env) -> Answer {
        let began = env.clock.now();
        let submission = match self.submission(turn, env).await {
            Err(error) => return Answer::untried(Report::Looked(began, LookResult::Failed(error))),
            Ok(submission) => submission,
        };
        let found = self.sink.find_invoice(cx, &turn.entry.key, &submission.order).await;
        if matches!(found, Ok(Found::Absent)) && self.may_be_paid(&turn.entry, began) {
            return Answer::new(Report::Looked(began, LookResult::Unclear(self.perhaps_paid(turn))));
        }
        compared(Answer::found(began, found, turn, "invoices"), &submission.invoice)
    }

    /// Whether a capture was sent, so long ago that its invoice would be there, and no person has said that it may be sent
    /// again.
    fn may_be_paid(&self, entry: &Entry, now: Timestamp) -> bool {
        let horizon =
            self.sink.capabilities().invoice_sink.map(|sink| sink.write_horizon).unwrap_or_default();
        let is_over = entry.last_send.is_some_and(|sent| now >= sent.plus(horizon));
        self.capture && entry.sent.is_some() && !entry.released && is_over
    }

    /// A shop that failed while it took the money has no invoice, and the money may be taken all the same.
    fn perhaps_paid(&self, turn: &Turn) -> Cause {
        let shop = self.sink.identity().system;
        Cause::new(
            "the money may have been taken without an invoice",
            format!(
                "{} was sent to {shop} to be captured, its answer was lost, and no invoice is there; the money may have been taken",
                turn.entry.label
            ),
            "look at the payment's gateway: if nothing was taken, release it; else make the invoice by hand without capture, and write this entry off",
        )
    }

    async fn submit(&self, cx: &Context, turn: &Turn, env: &Env) -> Answer {
        let items = match self.submission(turn, env).await {
            Err(error) => return Answer::untried(Report::Written(WriteResult::Failed(error))),
            Ok(submission) => [submission],
        };
        let answer = Answer::of_one(self.sink.submit_invoices(cx, &items)).await;
        let [item] = &items;
        compared(answer, &item.invoice)
    }
}

#[async_trait]
impl Pipe for Invoices {
    fn record(&self) -> &'static str {
        "invoices"
    }

    fn source(&self) -> Identity {
        self.source.identity()
    }

    fn target(&self) -> Identity {
        self.sink.identity()
    }

    fn changes(&self, cx: &Context, since: Option<Watermark>, env: &Env) -> Feed<Sighting> {
        let start = self.start.unwrap_or(env.began);
        let shop = self.sink.identity().system;
        let events = self.source.invoice_changes(cx, since);
        events.map(move |event| event.map(|event| map_event(event, |seen| sight(seen, start, &shop)))).boxed()
    }

    async fn act(&self, cx: &Context, turns: &[Turn], env: &Env) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(turns.len());
        for turn in turns {
            let answer = match turn.action {
                Action::LookUp | Action::Poll => self.look(cx, turn, env).await,
                Action::Submit => self.submit(cx, turn, env).await,
                Action::Revise => {
                    let error = changed(turn, &self.source.identity().system);
                    Answer::untried(Report::Written(WriteResult::Failed(error)))
                }
            };
            answers.push(answer);
        }
        answers
    }
}
