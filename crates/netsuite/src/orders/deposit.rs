//! Customer deposits: money that the shop has taken before anything is billed.
//!
//! What a tender has brought so far and no deposit holds makes a deposit, under an external id of the tender's place and of how
//! many it has already: so one whose answer was lost is not made twice, and what is captured later is made for the difference.

use super::{Document, order_status};
use crate::client::NetsuiteClient;
use crate::map::{self, Status, Taken, status_of};
use crate::suiteql::SuiteQl;
use crate::wire::{Body, RecordRef};
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::model::Order;
use erp_core::time::Timestamp;

/// As many tenders as an order may have.
const TENDERS_MAX: usize = 9;
/// As many deposits as one tender may make.
const PARTS_MAX: usize = 12;
/// How often what is there is read again, where another request makes deposits of the same order meanwhile.
const ROUNDS_MAX: usize = 3;

/// A deposit of an order that NetSuite holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deposit {
    /// The place of its tender, from one.
    tender: usize,
    /// Which of its tender's deposits it is, from one.
    part: usize,
    pub(super) amount: Decimal,
}

/// A deposit that is to be made: for which tender, as which of its deposits, and how much.
#[derive(Debug, PartialEq, Eq)]
struct Lacking {
    tender: usize,
    part: usize,
    amount: Decimal,
}

/// What became of an order's deposits.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Whether any was made.
    pub(super) made: bool,
    /// All that are there, where any money was taken.
    pub(super) deposits: Option<Vec<Deposit>>,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

/// The external id of a tender's deposit; a tender's first one needs no part.
fn deposit_id(order_id: &str, tender: usize, part: usize) -> String {
    match part {
        1 => format!("deposit-{order_id}-{tender}"),
        part => format!("deposit-{order_id}-{tender}-{part}"),
    }
}

/// All ids that deposits of an order may have.
fn deposit_ids(order_id: &str) -> impl Iterator<Item = (usize, usize, String)> {
    (1..=TENDERS_MAX).flat_map(move |tender| {
        (1..=PARTS_MAX).map(move |part| (tender, part, deposit_id(order_id, tender, part)))
    })
}

/// What is not there yet of what was taken, tender by tender.
///
/// # Errors
/// `Invalid` if what is there belongs to other tenders, so that money could be booked twice, or if there is too much of it.
fn lacking(taken: &[Taken<'_>], held: &[Deposit]) -> Result<Vec<Lacking>> {
    let refused = |code: &str, text: String| Err(Error::invalid("payment.tenders", code, text));
    let sum = |deposits: &mut dyn Iterator<Item = &Deposit>| -> Decimal {
        deposits.map(|deposit| deposit.amount).sum()
    };
    let mut wanted = Vec::new();
    for (tender, taken) in (1..).zip(taken) {
        let own = || held.iter().filter(move |deposit| deposit.tender == tender);
        let amount = taken.amount.saturating_sub(sum(&mut own()));
        if amount > Decimal::ZERO {
            let part = own().map(|deposit| deposit.part).max().unwrap_or_default() + 1;
            wanted.push(Lacking { tender, part, amount });
        }
    }
    let whole: Decimal = taken.iter().map(|taken| taken.amount).sum();
    let there = sum(&mut held.iter());
    let left = whole.saturating_sub(there).max(Decimal::ZERO);
    let missing: Decimal = wanted.iter().map(|one| one.amount).sum();
    if left.is_zero() {
        return Ok(Vec::new());
    }
    if missing > left {
        let text = format!(
            "{} were taken and deposits hold {}, but not by the order's tenders: {} would be booked twice; {} is missing: correct the deposits in NetSuite, then retry, or write the change off",
            whole.normalize(),
            there.normalize(),
            missing.saturating_sub(left).normalize(),
            left.normalize()
        );
        return refused("netsuite.deposits_differ", text);
    }
    if let Some(over) = wanted.iter().find(|one| one.tender > TENDERS_MAX || one.part > PARTS_MAX) {
        let text = format!(
            "tender {} would make its deposit number {}; {TENDERS_MAX} tenders and {PARTS_MAX} deposits for each are the most: make the deposit of {} in NetSuite, and write the change off",
            over.tender,
            over.part,
            over.amount.normalize()
        );
        return refused("netsuite.too_many_deposits", text);
    }
    Ok(wanted)
}

impl NetsuiteClient {
    /// The deposits of an order that are there; `None` where nobody asks for any.
    pub(super) async fn deposits(&self, cx: &Context, document: &Document) -> Result<Option<Vec<Deposit>>> {
        if self.config().orders.deposits.is_none() && map::deposits_in(&document.record.text("memo")?) == 0 {
            return Ok(None);
        }
        self.deposits_of(cx, &document.record.required("id")?).await.map(Some)
    }

    async fn deposits_of(&self, cx: &Context, order_id: &str) -> Result<Vec<Deposit>> {
        let query =
            SuiteQl::new("SELECT externalid FROM transaction WHERE type = 'CustDep' AND externalid IN ")
                .bind_list(deposit_ids(order_id).map(|(.., id)| id).collect::<Vec<_>>())
                .then(" ORDER BY externalid");
        let most = u32::try_from(TENDERS_MAX * PARTS_MAX).unwrap_or(u32::MAX);
        let page = self.suiteql_page(cx, "netsuite.find_deposits", &query, most, 0).await?;
        let mut deposits = Vec::new();
        for (tender, part, id) in deposit_ids(order_id) {
            if !page.rows.iter().any(|row| row.text("externalid") == id) {
                continue;
            }
            // The record says how much was paid; a sum of the list could be what is left of it.
            let read = self.record(cx, "customerDeposit", &RecordRef::external(id.as_str())).await?;
            let amount = match &read {
                Some((record, _)) => record.decimal("payment")?,
                None => continue,
            };
            let amount = amount.ok_or_else(|| {
                Error::malformed(format!("payment in NetSuite's deposit {id} is not there"))
            })?;
            deposits.push(Deposit { tender, part, amount });
        }
        Ok(deposits)
    }

    /// Makes the deposits that are not there yet, dated at `at`, and has the order's memo say how many there are. What is billed
    /// takes none any more, which is told.
    ///
    /// # Errors
    /// With the effect `Partial` if some were made.
    pub(super) async fn settle_deposits(
        &self,
        cx: &Context,
        order: &Order,
        document: &Document,
        at: Timestamp,
    ) -> Result<Settled> {
        let taken = map::taken(&self.config().orders, order);
        let mut settled = Settled::default();
        if taken.iter().all(|taken| taken.amount.is_zero()) {
            return Ok(settled);
        }
        let id = document.record.required("id")?;
        let begun = |error: Error, made: bool| match error.effect() {
            Effect::None if made => error.with_effect(Effect::Partial),
            _ => error,
        };
        for _ in 0..ROUNDS_MAX {
            let mut held = self.deposits_of(cx, &id).await.map_err(|error| begun(error, settled.made))?;
            let wanted = lacking(&taken, &held).map_err(|error| begun(error, settled.made))?;
            if !wanted.is_empty()
                && let Some(warning) = takes_no_deposit(document, &wanted)?
            {
                settled.warnings.push(warning);
                settled.deposits = Some(held);
                return Ok(settled);
            }
            let mut raced = false;
            for one in wanted {
                let made = self.make_deposit(cx, order, document, &taken, &one, at).await;
                match made.map_err(|error| begun(error, settled.made))? {
                    Some(warnings) => {
                        settled.made = true;
                        settled.warnings.extend(warnings);
                        held.push(Deposit { tender: one.tender, part: one.part, amount: one.amount });
                    }
                    None => raced = true,
                }
            }
            // Somebody made one meanwhile, of an amount that is to be read.
            if !raced {
                let counted = self.count_deposits(cx, document, &id, held.len()).await;
                settled.deposits = Some(held);
                return counted.map(|()| settled).map_err(|error| error.with_effect(Effect::Partial));
            }
        }
        let text = format!("deposits of order {id} are made by somebody else at this moment; retry");
        Err(begun(Error::new(ErrorKind::Conflict, text), settled.made))
    }

    /// Makes one deposit; `None` if its external id is taken by a deposit that was not there before.
    async fn make_deposit(
        &self,
        cx: &Context,
        order: &Order,
        document: &Document,
        taken: &[Taken<'_>],
        lacking: &Lacking,
        at: Timestamp,
    ) -> Result<Option<Vec<String>>> {
        let Some(config) = self.config().orders.deposits.as_ref() else { return Ok(Some(Vec::new())) };
        let order_id = document.record.required("id")?;
        let external = deposit_id(&order_id, lacking.tender, lacking.part);
        let Some(tender) = taken.get(lacking.tender - 1) else { return Ok(Some(Vec::new())) };
        let method = map::deposit_method(config, order, tender.kind)
            .map_err(|field| Error::invalid(field.path, field.code, field.message))?;
        let entity = document.record.ref_id("entity")?.unwrap_or_default();
        let mut body = Body::new()
            .with("externalId", external.as_str())
            .with("customer", RecordRef::id(entity))
            .with("salesOrder", RecordRef::id(order_id))
            .with("payment", lacking.amount)
            .with("paymentMethod", RecordRef::id(method));
        body.put_some("currency", document.record.ref_id("currency")?.map(RecordRef::id));
        body.put_some("memo", tender.reference);
        match &config.account {
            Some(account) => {
                body.put("undepFunds", false);
                body.put("account", RecordRef::id(account));
            }
            None => body.put("undepFunds", true),
        }
        let day = at.date_in(&order.channel.zone);
        let post = |body: Body| async move { self.create_record(cx, "customerDeposit", &body).await };
        match self.post_on(day, &body, post).await {
            Ok(posted) => Ok(Some(
                posted.warnings.into_iter().map(|told| format!("deposit {external}: {told}")).collect(),
            )),
            Err(error) if *error.kind() == ErrorKind::Conflict => {
                let read =
                    self.record(cx, "customerDeposit", &RecordRef::external(external.as_str())).await?;
                if read.is_some() {
                    return Ok(None);
                }
                // Other conflicts pass by themselves: somebody saved the order in this moment.
                let Some(holder) = self.holder_of(cx, &external).await else {
                    return Err(error.with_context("deposit", external));
                };
                let text = format!(
                    "the external id {external} is taken by {holder}, which is no deposit; free it in NetSuite, then retry"
                );
                Err(Error::invalid("payment.tenders", "netsuite.external_id_taken", text))
            }
            Err(error) => Err(error.with_context("deposit", external)),
        }
    }

    /// Has the order's memo say how many deposits it has, and keeps whatever else it says.
    async fn count_deposits(&self, cx: &Context, document: &Document, id: &str, count: usize) -> Result<()> {
        let memo = document.record.text("memo")?;
        if map::deposits_in(&memo) == count {
            return Ok(());
        }
        let body = Body::new().with("memo", map::memo_with(&memo, count));
        self.update_record(cx, self.order_path(), &RecordRef::id(id), &body, &[]).await
    }
}

/// Whether the deposits are there that the order's memo says it has. What was captured is known to the shop alone, so the
/// order itself says how many there are to be.
pub(super) fn are_whole(document: &Document, deposits: Option<&[Deposit]>) -> Result<bool> {
    let expected = map::deposits_in(&document.record.text("memo")?);
    Ok(deposits.map_or(0, <[Deposit]>::len) >= expected)
}

/// Why an order takes no deposit any more: whatever was billed is paid by a payment of its invoice, or was by a cash sale.
fn takes_no_deposit(document: &Document, wanted: &[Lacking]) -> Result<Option<String>> {
    let what = match status_of(&order_status(&document.record)?) {
        Status::Billed => "billed",
        Status::Closed => "closed",
        Status::Cancelled => "cancelled",
        Status::PendingApproval | Status::Open | Status::Unknown => return Ok(None),
    };
    let amount: Decimal = wanted.iter().map(|one| one.amount).sum();
    let number = document.record.filled("tranId")?.unwrap_or_default();
    Ok(Some(format!(
        "order {number} is {what} and takes no deposit; accept a payment of {} for its invoice at Transactions > Customers > Accept Customer Payments, unless a cash sale has it already",
        amount.normalize()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(amounts: &[i64]) -> Vec<Taken<'static>> {
        let one = |amount: &i64| Taken { kind: "card", reference: None, amount: Decimal::from(*amount) };
        amounts.iter().map(one).collect()
    }

    fn held(deposits: &[(usize, usize, i64)]) -> Vec<Deposit> {
        let one = |(tender, part, amount): &(usize, usize, i64)| Deposit {
            tender: *tender,
            part: *part,
            amount: Decimal::from(*amount),
        };
        deposits.iter().map(one).collect()
    }

    #[test]
    fn each_tender_makes_what_it_lacks_and_money_is_never_booked_twice() {
        type Case<'a> = (&'a [i64], &'a [(usize, usize, i64)], Option<&'a [(usize, usize, i64)]>);
        let cases: [Case<'_>; 8] = [
            (&[100, 10], &[], Some(&[(1, 1, 100), (2, 1, 10)])),
            (&[100, 10], &[(1, 1, 100)], Some(&[(2, 1, 10)])),
            (&[100, 0], &[(1, 1, 40)], Some(&[(1, 2, 60)])),
            (&[100, 10], &[(1, 1, 40), (1, 2, 20)], Some(&[(1, 3, 40), (2, 1, 10)])),
            (&[100], &[(1, 1, 40), (1, 2, 60)], Some(&[])),
            // What came back, or was more from the start, is no deposit.
            (&[50], &[(1, 1, 100)], Some(&[])),
            // The tenders have changed places: as much is there as was taken.
            (&[10, 100], &[(1, 1, 100), (2, 1, 10)], Some(&[])),
            (&[10, 110], &[(1, 1, 100), (2, 1, 10)], None),
        ];
        for (of, there, wanted) in cases {
            let found = lacking(&taken(of), &held(there));
            let found = found.map(|found| {
                found
                    .into_iter()
                    .map(|one| Deposit { tender: one.tender, part: one.part, amount: one.amount })
                    .collect()
            });
            match wanted {
                Some(wanted) => assert_eq!(found.unwrap(), held(wanted), "{of:?} {there:?}"),
                None => {
                    let error = found.map(|found: Vec<Deposit>| found.len()).unwrap_err();
                    assert_eq!(error.fields()[0].code, "netsuite.deposits_differ");
                    assert!(error.to_string().contains("10 is missing: correct the deposits"), "{error}");
                }
            }
        }
    }

    #[test]
    fn there_is_a_last_part() {
        let there: Vec<_> = (1..=PARTS_MAX).map(|part| (1, part, 1)).collect();
        let error = lacking(&taken(&[100]), &held(&there)).unwrap_err();
        assert_eq!(error.fields()[0].code, "netsuite.too_many_deposits");
    }

    #[test]
    fn an_id_is_one_deposits_alone() {
        let mut ids: Vec<_> = deposit_ids("7").map(|(.., id)| id).collect();
        assert_eq!((ids[0].as_str(), ids[1].as_str()), ("deposit-7-1", "deposit-7-1-2"));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), TENDERS_MAX * PARTS_MAX);
    }
}
