//! Customers: one system's customers in another one.

use super::{Answer, Env, Flow, IntoFlow, Options, Pipe, caught, map_event, shared_options};
use crate::entry::{Admission, Cause, Desired};
use crate::ledger::{Report, Sighting, Turn};
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
use erp_core::id::{NativeId, SystemId};
use erp_core::model::{Address, Customer, CustomerIdentity, CustomerPatch};
use erp_core::outcome::Receipt;
use erp_core::roles::CustomerStore;
use erp_core::time::Timestamp;
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A text that the target holds and that is at least this long may be ours cut short: SAP's names have 40 characters.
const CUT_FROM: usize = 35;

/// What to do with a customer whose e-mail or tax number somebody in the target has already, without our key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Namesake {
    /// It is held: two people may share a mailbox, and merging the wrong ones cannot be undone.
    #[default]
    Hold,
    /// If there is exactly one, that is the customer: it is changed and linked.
    Take,
    /// Another one is created.
    Ignore,
}

/// Builds a flow of customers. See [`Flow::customers`].
#[derive(Debug, Clone)]
pub struct CustomerFlow {
    pub(super) options: Options,
    source: Arc<dyn CustomerStore>,
    target: Arc<dyn CustomerStore>,
    start: Option<Start>,
    namesake: Namesake,
    groups: BTreeMap<String, String>,
}

shared_options!(CustomerFlow);

impl Flow {
    /// Customers of one system into another. Needs [`starting`](CustomerFlow::starting) and a trigger. What the source states
    /// is written over; what it leaves empty stays as it is in the target, and nothing is ever deleted there. Orders may wait
    /// for their buyer with [`customers_by`](super::OrderFlow::customers_by).
    pub fn customers<S: CustomerStore + Clone, T: CustomerStore + Clone>(
        source: &S,
        target: &T,
    ) -> CustomerFlow {
        Self::customers_between(Arc::new(source.clone()), Arc::new(target.clone()))
    }

    /// As [`Flow::customers`], for roles found behind doors.
    #[must_use]
    pub fn customers_between(source: Arc<dyn CustomerStore>, target: Arc<dyn CustomerStore>) -> CustomerFlow {
        CustomerFlow {
            options: Options::named("customers"),
            source,
            target,
            start: None,
            namesake: Namesake::default(),
            groups: BTreeMap::new(),
        }
    }
}

impl CustomerFlow {
    /// Which customers it takes, by when they were last changed: the first run on a live shop must not create years of
    /// them. An older one comes along when it changes. Numbers mean nothing here.
    #[must_use]
    pub fn starting(mut self, start: Start) -> Self {
        self.start = Some(start);
        self
    }

    /// What to do where the target has somebody with that e-mail or tax number already.
    #[must_use]
    pub fn same_email(mut self, namesake: Namesake) -> Self {
        self.namesake = namesake;
        self
    }

    /// Customers of this group of the source belong to that group or price list of the target. A group without a rule is not
    /// told.
    #[must_use]
    pub fn group(mut self, source: impl Into<String>, target: impl Into<String>) -> Self {
        self.groups.insert(source.into(), target.into());
        self
    }
}

impl IntoFlow for CustomerFlow {
    fn into_flow(self) -> Result<Flow> {
        self.options.check()?;
        let name = &self.options.name;
        let start = match self.start {
            Some(Start::Now) => None,
            Some(Start::At(at)) => Some(at),
            Some(Start::AfterNumber(_)) | None => {
                return Err(Error::config(format!(
                    "flow {name} has no start: say starting(Start::Now) or At(time), so that the first run does \
                     not create years of customers"
                )));
            }
        };
        let Some(capability) = self.target.capabilities().customer_store else {
            let system = self.target.identity().system;
            return Err(Error::config(format!("flow {name}: {system} keeps no customers")));
        };
        let Options { name, triggers, hints, late_after, mut policy } = self.options;
        policy.write_horizon = capability.write_horizon;
        policy.look_up = true;
        Ok(Flow {
            name,
            triggers,
            hints,
            late_after,
            policy,
            workers: capability.concurrency.max(1),
            batch: 1,
            priority: Priority::Orders,
            needs: None,
            orders_of: None,
            beside: Vec::new(),
            tie_out: None,
            pipe: Arc::new(Customers {
                source: self.source,
                target: self.target,
                rules: Arc::new(Rules { start, namesake: self.namesake, groups: self.groups }),
            }),
        })
    }
}

#[derive(Debug)]
struct Rules {
    /// `None`: when the flow first ran.
    start: Option<Timestamp>,
    namesake: Namesake,
    groups: BTreeMap<String, String>,
}

impl Rules {
    fn admit(&self, customer: &Customer, began: Timestamp) -> Admission {
        let start = self.start.unwrap_or(began);
        if customer.updated_at.is_some_and(|changed| changed < start) {
            let text = "last changed before the flow's start";
            return Admission::Never(Cause::new("before the flow's start", text, ""));
        }
        Admission::Due
    }

    /// The customer in the target's words.
    fn wanted(&self, mut customer: Customer) -> Customer {
        customer.group = customer.group.and_then(|group| self.groups.get(&group).cloned());
        customer
    }

    fn sight(&self, observed: Observed<Customer>, began: Timestamp) -> Sighting {
        let freshness = Freshness { version: observed.version, read_started: observed.read_started };
        let Observed { key, label, record, raw, .. } = observed;
        let admission = self.admit(&record, began);
        let payload = serde_json::to_vec(&record).map(Bytes::from).unwrap_or_default();
        let wanted = self.wanted(record);
        let told = (wanted.kind, wanted.email.to_lowercase(), &wanted.first_name, &wanted.last_name);
        let more = (&wanted.group, &wanted.tax_id, &wanted.external_id, &wanted.addresses);
        Sighting {
            ordering: None,
            desired: Desired {
                digest: Digest::of(&(told, more)),
                freshness,
                admission,
                alive: true,
                after: Vec::new(),
            },
            units: Decimal::ZERO,
            money: None,
            payload,
            raw,
            reserves: Vec::new(),
            moves: Vec::new(),
            retell: None,
            key,
            label,
        }
    }
}

#[derive(Debug)]
struct Customers {
    source: Arc<dyn CustomerStore>,
    target: Arc<dyn CustomerStore>,
    rules: Arc<Rules>,
}

impl Customers {
    fn wanted(&self, turn: &Turn) -> Result<Customer> {
        let customer = serde_json::from_slice(&turn.payload)
            .map_err(|e| Error::unexpected("a stored customer cannot be read").with_source(e))?;
        Ok(self.rules.wanted(customer))
    }

    /// The target's number, where it is known without asking: proven before, or carried by the source.
    fn known(&self, turn: &Turn, wanted: &Customer) -> Option<NativeId> {
        let proven = turn.entry.receipt.as_ref().map(|receipt| receipt.native_id.clone());
        proven.or_else(|| carried(&self.target.identity().system, wanted.external_id.as_deref()?))
    }

    /// Whose number it is to be: known, or found by our key, or by the rule for namesakes. `None`: nobody's yet.
    async fn number(&self, cx: &Context, turn: &Turn, wanted: &Customer) -> Result<Option<NativeId>> {
        if let Some(known) = self.known(turn, wanted) {
            return Ok(Some(known));
        }
        let by_key = CustomerIdentity::new().with_key(turn.entry.key.clone());
        if !self.target.matching_customers(cx, &by_key).await?.is_empty()
            || self.rules.namesake == Namesake::Ignore
        {
            // The store finds its own by key before it creates.
            return Ok(None);
        }
        let mut likeness = CustomerIdentity::new();
        likeness.email = Some(wanted.email.clone()).filter(|email| !email.is_empty());
        likeness.tax_id.clone_from(&wanted.tax_id);
        let namesakes = self.target.matching_customers(cx, &likeness).await?;
        let numbers: Vec<_> = namesakes.iter().filter_map(|one| one.record.native_id.as_ref()).collect();
        match (numbers.as_slice(), self.rules.namesake) {
            ([], _) => Ok(None),
            ([one], Namesake::Take) => Ok(Some((*one).clone())),
            _ => {
                let system = self.target.identity().system;
                let names: Vec<_> = numbers.iter().map(|number| number.as_str()).collect();
                let text = format!(
                    "{system} has this e-mail or tax number already, as {}; give the right one the key {} there, or \
                     its number to the customer here, or say that namesakes are taken",
                    names.join(", "),
                    turn.entry.key,
                );
                Err(Error::invalid("email", "customer.namesake", text))
            }
        }
    }

    async fn write(&self, cx: &Context, turn: &Turn) -> Answer {
        let written = async {
            let wanted = self.wanted(turn)?;
            let number = self.number(cx, turn, &wanted).await?;
            let patch = CustomerPatch::new(wanted, number);
            let receipt = self.target.upsert_customer(cx, &patch, None).await?;
            Ok::<_, Error>((receipt, patch.customer))
        };
        let (receipt, wanted) = match caught(written).await {
            Err(panic) => return Answer::untried(Report::Written(WriteResult::Panicked(panic))),
            Ok(Err(error)) => return Answer::failed(error),
            Ok(Ok(written)) => written,
        };
        // What was written is read again: a store may cut, change or ignore what it is told.
        let result = match self.target.customer(cx, &receipt.native_id).await {
            Ok(Some(held)) => WriteResult::Applied(self.prove(receipt, &wanted, &held.record)),
            Ok(None) => {
                let text = format!("{} was written and cannot be read", receipt.native_id);
                WriteResult::Failed(Error::unexpected(text).with_effect(erp_core::error::Effect::Unknown))
            }
            Err(error) => WriteResult::Failed(error.with_effect(erp_core::error::Effect::Unknown)),
        };
        Answer::new(Report::Written(result))
    }

    fn prove(&self, receipt: Receipt, wanted: &Customer, held: &Customer) -> Proof {
        let mismatch = first_difference(wanted, held).map(|field| {
            let system = self.target.identity().system;
            Cause::new(
                format!("{field} differs in {system}"),
                format!("{field} of customer {} is not what the source says", receipt.number),
                format!("mend it in {system} and retry, or release to accept the difference"),
            )
        });
        Proof { receipt, mismatch, acceptable: true }
    }

    async fn look(&self, cx: &Context, turn: &Turn, env: &Env) -> Answer {
        let began = env.clock.now();
        let looked = |found| Report::Looked(began, found);
        match caught(self.find(cx, turn)).await {
            Ok(Ok(found)) => Answer::new(looked(found)),
            Ok(Err(error)) => Answer::blind(began, error),
            Err(panic) => {
                let text = format!("the mapping panicked: {panic}");
                Answer::untried(looked(LookResult::Failed(Error::unexpected(text))))
            }
        }
    }

    async fn find(&self, cx: &Context, turn: &Turn) -> Result<LookResult> {
        let wanted = self.wanted(turn)?;
        let found = match self.known(turn, &wanted) {
            Some(number) => self.target.customer(cx, &number).await?.into_iter().collect(),
            None => {
                let by_key = CustomerIdentity::new().with_key(turn.entry.key.clone());
                self.target.matching_customers(cx, &by_key).await?
            }
        };
        let held = match found.as_slice() {
            [] => return Ok(LookResult::Absent),
            [one] => &one.record,
            several => {
                let system = self.target.identity().system;
                let names: Vec<_> = several.iter().map(|one| one.label.as_str()).collect();
                let text = format!("{system} holds {} under one key: {}", names.len(), names.join(", "));
                let remedy = "leave our key on one of them, then retry";
                return Ok(LookResult::Unclear(Cause::new("several customers", text, remedy)));
            }
        };
        let Some(native) = held.native_id.clone() else {
            return Err(Error::unexpected("the store gave a customer without its number"));
        };
        let receipt = Receipt::new(native.clone(), native.as_str(), found[0].read_started);
        Ok(match first_difference(&wanted, held) {
            None => LookResult::Equal(self.prove(receipt, &wanted, held)),
            Some(_) => LookResult::Different(receipt),
        })
    }
}

/// The target's own number, where the source carries it: bare, or within the key that the target's customers go by. A key of
/// a third system says nothing here, though its number may be somebody's.
fn carried(target: &SystemId, text: &str) -> Option<NativeId> {
    let number = match text.trim().split_once(':') {
        // SAP keeps keys in capitals.
        Some((system, number)) if system.eq_ignore_ascii_case(target.as_str()) => number,
        Some(_) => return None,
        None => text.trim(),
    };
    Some(number).filter(|number| !number.is_empty()).map(NativeId::from)
}

/// The first field that the source states and the target holds otherwise. Names no value: they are personal.
fn first_difference(wanted: &Customer, held: &Customer) -> Option<&'static str> {
    let pairs = [
        ("email", wanted.email.to_lowercase(), held.email.to_lowercase()),
        ("first name", wanted.first_name.clone(), held.first_name.clone()),
        ("last name", wanted.last_name.clone(), held.last_name.clone()),
    ];
    let differing = pairs.iter().find(|(_, wanted, held)| !agrees(wanted, held)).map(|(field, ..)| *field);
    // Stores merge addresses, so the first one of the source may stand anywhere.
    let address = |first: &Address| held.addresses.iter().any(|address| same_place(first, address));
    differing.or_else(|| wanted.addresses.first().filter(|first| !address(first)).map(|_| "address"))
}

fn same_place(wanted: &Address, held: &Address) -> bool {
    let street = |address: &Address| address.street.first().cloned().unwrap_or_default();
    let postcode = |address: &Address| address.postcode.clone().unwrap_or_default();
    agrees(&street(wanted), &street(held))
        && agrees(&wanted.city, &held.city)
        && agrees(&postcode(wanted), &postcode(held))
        && agrees(&wanted.country, &held.country)
}

/// Whether the target holds what the source states, or as much of it as fits.
fn agrees(wanted: &str, held: &str) -> bool {
    let (wanted, held) = (wanted.trim(), held.trim());
    let cut = held.chars().count() >= CUT_FROM && wanted.starts_with(held);
    wanted.is_empty() || wanted == held || cut
}

#[async_trait]
impl Pipe for Customers {
    fn record(&self) -> &'static str {
        "customers"
    }

    fn source(&self) -> Identity {
        self.source.identity()
    }

    fn target(&self) -> Identity {
        self.target.identity()
    }

    fn changes(&self, cx: &Context, since: Option<Watermark>, env: &Env) -> Feed<Sighting> {
        let (rules, began) = (Arc::clone(&self.rules), env.began);
        self.source
            .customer_changes(cx, since)
            .map(move |event| event.map(|event| map_event(event, |observed| rules.sight(observed, began))))
            .boxed()
    }

    async fn act(&self, cx: &Context, turns: &[Turn], env: &Env) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(turns.len());
        for turn in turns {
            answers.push(match turn.action {
                Action::LookUp | Action::Poll => self.look(cx, turn, env).await,
                Action::Submit | Action::Revise => self.write(cx, turn).await,
            });
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_the_source_carries_is_the_targets_own_or_none() {
        let of = |text: &str| carried(&SystemId::new("shop-eu"), text).map(|number| number.to_string());
        assert_eq!(of(" 0042 ").as_deref(), Some("0042"));
        assert_eq!(of("shop-eu:7").as_deref(), Some("7"));
        assert_eq!(of("SHOP-EU:7").as_deref(), Some("7"));
        for nobody in ["shop-us:7", "shop:7", "shop-eu:", "", "  "] {
            assert_eq!(of(nobody), None, "{nobody}");
        }
    }
}
