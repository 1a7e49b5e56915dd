//! Money given back: shop → ERP.

use super::{Answer, Env, Flow, IntoFlow, Options, Pipe, map_event, no_ledger, shared_options};
use crate::entry::{Admission, Cause, Desired};
use crate::ledger::{Ledger, Report, Select, Sighting, Turn};
use crate::release::Start;
use crate::step::{Action, LookResult, Proof, WriteResult};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::Decimal;
use erp_core::connector::Identity;
use erp_core::context::{Context, Priority};
use erp_core::digest::Digest;
use erp_core::error::{Error, Result};
use erp_core::feed::{Feed, Freshness, Observed, Watermark};
use erp_core::id::NativeId;
use erp_core::model::{Refund, RefundSubmission};
use erp_core::money::Money;
use erp_core::outcome::{LineLink, Receipt};
use erp_core::roles::{RefundSink, RefundSource};
use erp_core::time::Timestamp;
use futures_util::StreamExt as _;
use std::sync::Arc;

/// Builds a flow of refunds. See [`Flow::refunds`].
#[derive(Debug, Clone)]
pub struct RefundFlow {
    pub(super) options: Options,
    source: Arc<dyn RefundSource>,
    sink: Arc<dyn RefundSink>,
    orders_by: String,
    start: Option<Start>,
}

shared_options!(RefundFlow);

impl Flow {
    /// Refunds of a shop, booked in the ERP to which the flow `orders` (see [`orders_by`](RefundFlow::orders_by)) brought the
    /// orders that they are of.
    ///
    /// No system lists what it booked by our keys, so the tie-out reads all refunds of the shop and asks the ERP for each of
    /// its window that is settled, the newest 500. It compares that there is one, and the sum where the ERP says it.
    pub fn refunds<S: RefundSource + Clone, T: RefundSink + Clone>(source: &S, sink: &T) -> RefundFlow {
        Self::refunds_between(Arc::new(source.clone()), Arc::new(sink.clone()))
    }

    /// As [`Flow::refunds`], for roles found behind doors.
    #[must_use]
    pub fn refunds_between(source: Arc<dyn RefundSource>, sink: Arc<dyn RefundSink>) -> RefundFlow {
        RefundFlow {
            options: Options::named("refunds"),
            source,
            sink,
            orders_by: "orders".to_owned(),
            start: None,
        }
    }
}

impl RefundFlow {
    /// Which refunds it takes: those given back after the first run, or at or after a time. There is no default: refunds
    /// change the books, and the first run must not post years of them.
    #[must_use]
    pub fn starting(mut self, start: Start) -> Self {
        self.start = Some(start);
        self
    }

    /// The flow whose orders are refunded. Default `orders`.
    #[must_use]
    pub fn orders_by(mut self, flow: impl Into<String>) -> Self {
        self.orders_by = flow.into();
        self
    }
}

impl IntoFlow for RefundFlow {
    fn into_flow(self) -> Result<Flow> {
        self.options.check()?;
        let Some(sink) = self.sink.capabilities().refund_sink else {
            return Err(Error::config(format!("{} takes no refunds", self.sink.identity().system)));
        };
        let start = self.options.begins(self.start.as_ref(), "refunds")?;
        let Options { name, triggers, hints, late_after, mut policy } = self.options;
        policy.write_horizon = sink.write_horizon;
        policy.look_up = true;
        let refunds = Arc::new(Refunds {
            source: self.source,
            sink: self.sink,
            orders_by: self.orders_by.clone(),
            start,
        });
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
            orders_of: Some(self.orders_by),
            beside: Vec::new(),
            tie_out: Some(Arc::clone(&refunds) as Arc<dyn crate::tie_out::Tieable>),
            pipe: refunds,
        })
    }
}

/// The flow at work.
#[derive(Debug)]
pub(crate) struct Refunds {
    pub(crate) source: Arc<dyn RefundSource>,
    pub(crate) sink: Arc<dyn RefundSink>,
    orders_by: String,
    /// Without a time, when the flow first ran.
    start: Option<Timestamp>,
}

/// Over what is booked: the order, quantities and money by line, and the sums. A refund that changed after it was booked
/// shows by it.
pub(crate) fn digest(refund: &Refund) -> Digest {
    let text = |money: erp_core::money::Dual| {
        (money.order.normalize().to_string(), money.base.normalize().to_string())
    };
    let lines: Vec<_> = refund
        .lines
        .iter()
        .map(|line| {
            let quantity = line.quantity.normalize().to_string();
            (&line.line, &line.sku, quantity, text(line.net), text(line.tax), line.restock)
        })
        .collect();
    let beside = (text(refund.shipping), text(refund.adjustment_positive), text(refund.adjustment_negative));
    Digest::of(&(&refund.order_key, lines, beside, text(refund.tax), text(refund.total)))
}

fn admit(refund: &Refund, start: Timestamp) -> Admission {
    if refund.refunded_at < start {
        return Admission::Never(Cause::new(
            "before the flow's start",
            "given back before the flow's start",
            "",
        ));
    }
    Admission::Due
}

fn sight(observed: Observed<Refund>, start: Timestamp) -> Sighting {
    let freshness = Freshness { version: observed.version, read_started: observed.read_started };
    let Observed { key, label, record, raw, .. } = observed;
    Sighting {
        // Two refunds of one order go one after the other: the second is of what the first left.
        ordering: Some(format!("order {}", record.order_key)),
        desired: Desired {
            digest: digest(&record),
            freshness,
            admission: admit(&record, start),
            alive: true,
            after: Vec::new(),
        },
        units: record.lines.iter().map(|line| line.quantity).sum(),
        money: Some(Money::new(record.total.order, record.currency)),
        payload: serde_json::to_vec(&record).map(Bytes::from).unwrap_or_default(),
        raw,
        reserves: Vec::new(),
        moves: Vec::new(),
        retell: None,
        key,
        label,
    }
}

/// What is booked is booked: a refund that is another one in the shop now is for a person.
fn changed(turn: &Turn) -> Error {
    let number = turn.entry.receipt.as_ref().map(|receipt| receipt.number.as_str()).unwrap_or_default();
    let text = format!(
        "the shop changed this refund after it was booked as {number}; correct {number} by hand, then write this entry off"
    );
    Error::invalid("refund", "refund.changed", text)
}

impl Refunds {
    /// The refund with the order in the sink, and which of its lines are which of the shop's.
    async fn submission(&self, turn: &Turn, env: &Env) -> Result<RefundSubmission> {
        let refund: Refund = serde_json::from_slice(&turn.payload)
            .map_err(|e| Error::unexpected("a stored refund cannot be read").with_source(e))?;
        let (native, lines) = self.order_of(&refund, env.ledger.as_ref()).await?;
        Ok(RefundSubmission::new(refund, native, lines))
    }

    /// The order of a refund in the sink, and which of its lines are which of the shop's.
    pub(crate) async fn order_of(
        &self,
        refund: &Refund,
        ledger: &dyn Ledger,
    ) -> Result<(NativeId, Vec<LineLink>)> {
        let select = Select {
            flow: Some(self.orders_by.clone()),
            name: Some(refund.order_key.to_string()),
            limit: Some(2),
            ..Select::default()
        };
        let entries = ledger.entries(select).await.map_err(|error| no_ledger(&error))?;
        let order = entries.iter().find(|view| view.entry.key == refund.order_key);
        let Some(receipt) = order.and_then(|view| view.entry.receipt.as_ref()) else {
            // The order's own proof may simply not have come yet: this heals, and its deadline bounds it.
            let text = format!("order {} has not been brought by flow {}", refund.order_key, self.orders_by);
            return Err(Error::transient(text));
        };
        Ok((receipt.native_id.clone(), receipt.lines.clone()))
    }

    /// Whether it takes a refund, for a flow that began then.
    pub(crate) fn admit(&self, refund: &Refund, began: Timestamp) -> Admission {
        admit(refund, self.start.unwrap_or(began))
    }

    async fn look(&self, cx: &Context, turn: &Turn, env: &Env) -> Answer {
        let began = env.clock.now();
        let submission = match self.submission(turn, env).await {
            Err(error) => return Answer::untried(Report::Looked(began, LookResult::Failed(error))),
            Ok(submission) => submission,
        };
        let found = self.sink.find_refund(cx, &turn.entry.key, &submission.order).await;
        self.compared(Answer::found(began, found, turn, "refunds"), &submission.refund)
    }

    /// The answer, with what the target gives back compared.
    fn compared(&self, mut answer: Answer, refund: &Refund) -> Answer {
        answer.report = match answer.report {
            Report::Written(WriteResult::Applied(proof)) => {
                Report::Written(WriteResult::Applied(self.prove(proof.receipt, refund)))
            }
            Report::Looked(began, LookResult::Equal(proof)) => {
                Report::Looked(began, LookResult::Equal(self.prove(proof.receipt, refund)))
            }
            report => report,
        };
        answer
    }

    /// Compares what the target gives back with what the shop gave back, in the currency in which the target holds it.
    fn prove(&self, receipt: Receipt, refund: &Refund) -> Proof {
        let mismatch = receipt.holding.as_deref().and_then(|holding| {
            let currency = holding.currency;
            let ours = match currency {
                _ if currency == refund.currency => Some(refund.total.order),
                _ if currency == refund.base_currency => Some(refund.total.base),
                _ => None,
            };
            let theirs = holding.totals.total;
            let limit = Decimal::new(2, currency.minor_digits());
            if ours.is_some_and(|ours| theirs.saturating_sub(ours).abs() <= limit) {
                return None;
            }
            let system = self.sink.identity().system;
            let ours = ours.map_or_else(
                || format!("{} {}", refund.total.order.normalize(), refund.currency),
                |ours| format!("{} {currency}", ours.normalize()),
            );
            let text = format!(
                "the shop gave back {ours}, and {} in {system} gives back {} {currency} (limit {})",
                receipt.number,
                theirs.normalize(),
                limit.normalize()
            );
            let remedy = format!(
                "correct {} in {system} and retry, or release to accept the difference",
                receipt.number
            );
            Some(Cause::new(format!("a refund's money differs in {system}"), text, remedy))
        });
        Proof { receipt, mismatch, acceptable: true }
    }
}

#[async_trait]
impl Pipe for Refunds {
    fn record(&self) -> &'static str {
        "refunds"
    }

    fn source(&self) -> Identity {
        self.source.identity()
    }

    fn target(&self) -> Identity {
        self.sink.identity()
    }

    fn changes(&self, cx: &Context, since: Option<Watermark>, env: &Env) -> Feed<Sighting> {
        let start = self.start.unwrap_or(env.began);
        let events = self.source.refund_changes(cx, since);
        events.map(move |event| event.map(|event| map_event(event, |seen| sight(seen, start)))).boxed()
    }

    async fn act(&self, cx: &Context, turns: &[Turn], env: &Env) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(turns.len());
        for turn in turns {
            let answer = match turn.action {
                Action::LookUp | Action::Poll => self.look(cx, turn, env).await,
                Action::Revise => Answer::untried(Report::Written(WriteResult::Failed(changed(turn)))),
                Action::Submit => match self.submission(turn, env).await {
                    Err(error) => Answer::untried(Report::Written(WriteResult::Failed(error))),
                    Ok(submission) => {
                        let items = [submission];
                        let answer = Answer::of_one(self.sink.submit_refunds(cx, &items)).await;
                        self.compared(answer, &items[0].refund)
                    }
                },
            };
            answers.push(answer);
        }
        answers
    }
}
