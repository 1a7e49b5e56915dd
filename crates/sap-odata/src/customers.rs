//! Business partners: the customer store, and guests who get a partner of their own.
//!
//! The native id is the *customer* number, because that is what orders want; it is usually the partner's number too. Our
//! key is kept in `BusinessPartnerIDByExtSystem`, which holds 20 characters and stores them in capitals.

use crate::client::SapClient;
use crate::config::GuestPolicy;
use crate::map;
use crate::route::SalesArea;
use crate::wire::{PartnerRecord, Row};
use async_trait::async_trait;
use erp_core::context::Context;
use erp_core::digest::Digest;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::feed::{Feed, FeedEvent, Observed, Poison, Version, Watermark};
use erp_core::id::{EntityTag, Key, NativeId};
use erp_core::model::{Customer, CustomerIdentity, CustomerKind, CustomerPatch, Order};
use erp_core::outcome::Receipt;
use erp_core::roles::CustomerStore;
use erp_core::time::{Date, Timestamp};
use futures_util::{StreamExt as _, stream};
use odata_client::{Filter, IfMatch, KeyPredicate, Query, ResourcePath};
use std::collections::VecDeque;

/// What is read of a partner.
const EXPAND: [&str; 4] = [
    "to_BusinessPartnerAddress",
    "to_BusinessPartnerAddress/to_EmailAddress",
    "to_BusinessPartnerAddress/to_PhoneNumber",
    "to_BusinessPartnerTax",
];
/// How many partners with one e-mail are proposed.
const MATCHES_MAX: u64 = 10;

#[async_trait]
impl CustomerStore for SapClient {
    async fn customer(&self, cx: &Context, id: &NativeId) -> Result<Option<Observed<Customer>>> {
        let found = self.partners_by(cx, Filter::eq("Customer", id.as_str()), 2).await?;
        Ok(found.into_iter().next().map(|(partner, at)| self.observed(&partner, at)))
    }

    async fn matching_customers(
        &self,
        cx: &Context,
        identity: &CustomerIdentity,
    ) -> Result<Vec<Observed<Customer>>> {
        if let Some(key) = &identity.key {
            let id = map::external_id(key)?;
            let found =
                self.partners_by(cx, Filter::eq("BusinessPartnerIDByExtSystem", id), MATCHES_MAX).await?;
            if !found.is_empty() {
                return Ok(self.all_observed(&found));
            }
        }
        if let Some(email) = identity.email.as_deref().map(str::trim).filter(|email| !email.is_empty()) {
            let found = self.partners_by_email(cx, email).await?;
            if !found.is_empty() {
                return Ok(self.all_observed(&found));
            }
        }
        match identity.tax_id.as_deref().map(str::trim).filter(|tax| !tax.is_empty()) {
            Some(tax) => Ok(self.all_observed(&self.partners_by_tax(cx, tax).await?)),
            None => Ok(Vec::new()),
        }
    }

    async fn upsert_customer(
        &self,
        cx: &Context,
        patch: &CustomerPatch,
        expected: Option<&EntityTag>,
    ) -> Result<Receipt> {
        let known = match &patch.native_id {
            Some(id) => self.partners_by(cx, Filter::eq("Customer", id.as_str()), 2).await?,
            None => {
                let id = map::external_id(&patch.customer.key)?;
                self.partners_by(cx, Filter::eq("BusinessPartnerIDByExtSystem", id), 2).await?
            }
        };
        match (known.as_slice(), &patch.native_id) {
            ([(partner, _)], _) => self.update_partner(cx, partner, patch, expected).await,
            ([], Some(id)) => Err(Error::new(ErrorKind::NotFound, format!("SAP holds no customer {id}"))),
            ([], None) => {
                let id = map::external_id(&patch.customer.key)?;
                let areas = self.sales_areas()?;
                self.create_partner(cx, &patch.customer, &id, &areas).await
            }
            _ => Err(Error::new(ErrorKind::Conflict, "SAP holds several partners under this key")),
        }
    }

    fn customer_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Customer> {
        changes(self.clone(), cx.clone(), since)
    }
}

impl SapClient {
    async fn partners_by(
        &self,
        cx: &Context,
        filter: Filter,
        top: u64,
    ) -> Result<Vec<(PartnerRecord, Timestamp)>> {
        let query = Query::new("A_BusinessPartner")
            .filter(filter)
            .expand(&EXPAND)
            .order_by("BusinessPartner")
            .top(top);
        let rows = self.rows(&self.0.partners, cx, self.read_call("sap.customers"), &query).await?;
        rows.iter().map(|(row, at)| Ok((PartnerRecord::read(row)?, *at))).collect()
    }

    /// SAP finds an address by its e-mail, and a partner by its address.
    async fn partners_by_email(&self, cx: &Context, email: &str) -> Result<Vec<(PartnerRecord, Timestamp)>> {
        let call = self.read_call("sap.match_customer");
        // SAP compares e-mails letter by letter; shops write them as typed or in small letters.
        let spellings = std::collections::BTreeSet::from([email.to_owned(), email.to_lowercase()]);
        let mut mails = Vec::new();
        for filter in Filter::any_of("EmailAddress", spellings) {
            let query = Query::new("A_AddressEmailAddress").filter(filter).top(MATCHES_MAX);
            mails.extend(self.rows(&self.0.partners, cx, call, &query).await?);
        }
        let addresses = mails.iter().map(|(row, _)| row.required("AddressID")).collect::<Result<Vec<_>>>()?;
        let mut numbers = std::collections::BTreeSet::new();
        for filter in Filter::any_of("AddressID", addresses) {
            let query = Query::new("A_BusinessPartnerAddress").filter(filter).top(MATCHES_MAX);
            for (row, _) in self.rows(&self.0.partners, cx, call, &query).await? {
                numbers.insert(row.required("BusinessPartner")?);
            }
        }
        self.partners_numbered(cx, numbers).await
    }

    async fn partners_by_tax(&self, cx: &Context, tax: &str) -> Result<Vec<(PartnerRecord, Timestamp)>> {
        let query =
            Query::new("A_BusinessPartnerTaxNumber").filter(Filter::eq("BPTaxNumber", tax)).top(MATCHES_MAX);
        let rows = self.rows(&self.0.partners, cx, self.read_call("sap.match_customer"), &query).await?;
        let numbers = rows.iter().map(|(row, _)| row.required("BusinessPartner")).collect::<Result<_>>()?;
        self.partners_numbered(cx, numbers).await
    }

    async fn partners_numbered(
        &self,
        cx: &Context,
        numbers: std::collections::BTreeSet<String>,
    ) -> Result<Vec<(PartnerRecord, Timestamp)>> {
        let mut found = Vec::new();
        for filter in Filter::any_of("BusinessPartner", numbers) {
            found.extend(self.partners_by(cx, filter, MATCHES_MAX).await?);
        }
        found.retain(|(partner, _)| !partner.blocked && !partner.customer.is_empty());
        Ok(found)
    }

    fn observed(&self, partner: &PartnerRecord, at: Timestamp) -> Observed<Customer> {
        let customer = map::customer(&self.0.system, &self.config().time_zone, partner);
        let (key, label) = (customer.key.clone(), partner.business_partner.clone());
        let observed = Observed::new(key, label, at, customer);
        match map::changed_at(partner, &self.config().time_zone) {
            Some(changed) => observed.with_version(Version::of_time(changed)),
            None => observed,
        }
    }

    fn all_observed(&self, found: &[(PartnerRecord, Timestamp)]) -> Vec<Observed<Customer>> {
        found.iter().map(|(partner, at)| self.observed(partner, *at)).collect()
    }

    fn sales_areas(&self) -> Result<Vec<SalesArea>> {
        self.config().customers.sales_areas.iter().map(|area| SalesArea::parse(area)).collect()
    }

    async fn create_partner(
        &self,
        cx: &Context,
        customer: &Customer,
        external_id: &str,
        areas: &[SalesArea],
    ) -> Result<Receipt> {
        let body = map::partner_body(self.config(), customer, external_id, areas);
        let call = self.create_call("sap.create_customer");
        let written = self.0.partners.create::<Row, _>(cx, call, "A_BusinessPartner", &body).await?;
        let entity = written.into_entity()?;
        let number = entity.value.required("BusinessPartner").map_err(|e| e.with_effect(Effect::Applied))?;
        self.proof(cx, &number).await.map_err(|e| e.with_effect(Effect::Applied))
    }

    async fn update_partner(
        &self,
        cx: &Context,
        partner: &PartnerRecord,
        patch: &CustomerPatch,
        expected: Option<&EntityTag>,
    ) -> Result<Receipt> {
        if let (Some(expected), Some(held)) = (expected, &partner.etag)
            && expected != held
        {
            return Err(Error::new(ErrorKind::Conflict, "the partner was changed meanwhile"));
        }
        for (done, change) in map::partner_update(partner, &patch.customer).into_iter().enumerate() {
            let path = ResourcePath::set(change.set).key(&KeyPredicate::composite(change.key));
            let service = &self.0.partners;
            let changed = match change.add_to {
                Some(navigation) => {
                    let call = self.create_call("sap.add_to_customer");
                    service.create::<Row, _>(cx, call, path.then(navigation), &change.body).await
                }
                None => {
                    let call = self.update_call("sap.change_customer");
                    service.update::<Row, _>(cx, call, path, &IfMatch::None, &change.body).await
                }
            };
            changed.map(drop).map_err(|error| {
                let partial = done > 0 && error.effect() == Effect::None;
                if partial { error.with_effect(Effect::Partial) } else { error }
            })?;
        }
        self.proof(cx, &partner.business_partner).await.map_err(|e| e.with_effect(Effect::Applied))
    }

    /// Reads a partner back.
    async fn proof(&self, cx: &Context, number: &str) -> Result<Receipt> {
        let found = self.partners_by(cx, Filter::eq("BusinessPartner", number), 2).await?;
        let Some((partner, at)) = found.into_iter().next() else {
            return Err(Error::new(ErrorKind::Conflict, "the partner is not there any more"));
        };
        if partner.customer.is_empty() {
            let text =
                format!("partner {number} got no customer number; customers.roles lack the customer's role");
            return Err(Error::config(text));
        }
        let receipt = Receipt::new(NativeId::new(&partner.customer), partner.business_partner.as_str(), at);
        Ok(match partner.etag {
            Some(etag) => receipt.with_revision(etag),
            None => receipt,
        })
    }

    /// The customer number of a guest who gets a partner: matched by e-mail if that is the policy, else found by an id that
    /// is derived from the order or the e-mail, else created under it.
    pub(crate) async fn guest_partner(
        &self,
        cx: &Context,
        area: &SalesArea,
        order: &Order,
    ) -> Result<String> {
        let email = order.buyer.email().trim().to_lowercase();
        let matching = self.config().orders.guests == GuestPolicy::MatchThenCreate && !email.is_empty();
        if matching {
            let found = self.partners_by_email(cx, &email).await?;
            match found.as_slice() {
                [] => {}
                [(partner, _)] => return Ok(map::alpha(&partner.customer).to_owned()),
                _ => {
                    let text = "several customers in SAP have the buyer's e-mail; link the right one";
                    return Err(Error::invalid("buyer", "sap.email_ambiguous", text));
                }
            }
        }
        let seed = if matching { email.as_str() } else { order.key.as_str() };
        // A digest shows its first 16 hexadecimal digits: short enough for the field, and the same on every try.
        let id = format!("G-{}", Digest::of(seed)).to_uppercase();
        // Two orders of one guest at the same time would both find no partner.
        let _gate = self.0.partner_gate.lock().await;
        let known = self.partners_by(cx, Filter::eq("BusinessPartnerIDByExtSystem", id.as_str()), 2).await?;
        if let Some((partner, _)) = known.first() {
            if partner.customer.is_empty() {
                let text = format!("partner {} is no customer; give it the role", partner.business_partner);
                return Err(Error::invalid("buyer", "sap.partner_without_role", text));
            }
            return Ok(map::alpha(&partner.customer).to_owned());
        }
        let kind = if order.billing.company.is_some() { CustomerKind::Company } else { CustomerKind::Person };
        let mut customer = Customer::new(Key::new(&id), kind, email)
            .with_name(order.billing.first_name.clone(), order.billing.last_name.clone())
            .with_addresses(vec![order.billing.clone()]);
        customer.tax_id.clone_from(&order.billing.vat_id);
        let mut areas = self.sales_areas()?;
        if !areas.contains(area) {
            areas.push(area.clone());
        }
        let made = self.create_partner(cx, &customer, &id, &areas).await;
        // Whether the partner was made is not known: the order waits for the horizon, and the partner is found by its id.
        let receipt = made.map_err(|error| {
            if error.effect() == Effect::None { error } else { error.with_effect(Effect::Unknown) }
        })?;
        Ok(map::alpha(receipt.native_id.as_str()).to_owned())
    }
}

/// Where the feed stands.
struct State {
    client: SapClient,
    cx: Context,
    from: Option<Date>,
    mark: Date,
    after: Option<String>,
    ready: VecDeque<Result<FeedEvent<Customer>>>,
    started: bool,
    done: bool,
}

const FORMAT: u16 = 1;

/// Partners by `LastChangeDate`, which is a day without a time: a feed begins again on the day before its mark, and
/// repeats rather than skips. A partner that nobody has changed has no such day, so `CreationDate` counts too.
fn changes(client: SapClient, cx: Context, since: Option<Watermark>) -> Feed<Customer> {
    let issuer = Watermark::issuer_of(&client.0.system, "customers", &());
    let from = match since {
        None => None,
        Some(mark) if mark.issuer == issuer && mark.format == FORMAT => match Date::parse(&mark.token) {
            Ok(day) => Some(day),
            Err(_) => return expired(),
        },
        Some(_) => return expired(),
    };
    let now = client.0.http.clock().now();
    // A day back from the mark, and the mark itself is in the system's own zone.
    let mark = now.minus(std::time::Duration::from_secs(24 * 3600)).date_in(&client.config().time_zone);
    let state =
        State { client, cx, from, mark, after: None, ready: VecDeque::new(), started: false, done: false };
    stream::unfold((state, issuer), |(mut state, issuer)| async move {
        loop {
            if let Some(event) = state.ready.pop_front() {
                return Some((event, (state, issuer)));
            }
            if state.done {
                return None;
            }
            if !state.started {
                state.started = true;
                if state.from.is_none() {
                    state.ready.push_back(Ok(FeedEvent::SnapshotStart));
                }
            }
            if let Err(error) = Box::pin(state.next_page(&issuer)).await {
                state.done = true;
                state.ready.push_back(Err(error.with_operation("sap.customer_changes")));
            }
        }
    })
    .boxed()
}

fn expired() -> Feed<Customer> {
    let text = "the mark is not one of this feed's";
    stream::iter([Err(Error::new(ErrorKind::WatermarkExpired, text))]).boxed()
}

impl State {
    async fn next_page(&mut self, issuer: &str) -> Result<()> {
        let size = self.client.config().page_size as usize;
        let mut query =
            Query::new("A_BusinessPartner").expand(&EXPAND).order_by("BusinessPartner").top(size as u64);
        if let Some(from) = self.from {
            query = query.filter(Filter::ge("LastChangeDate", from).or(Filter::ge("CreationDate", from)));
        }
        if let Some(after) = &self.after {
            query = query.filter(Filter::gt("BusinessPartner", after.as_str()));
        }
        let call = self.client.read_call("sap.customer_changes");
        let rows = self.client.rows(&self.client.0.partners, &self.cx, call, &query).await?;
        let last = rows.last().map(|(row, _)| row.required("BusinessPartner")).transpose()?;
        let end = rows.len() < size;
        if !end && last == self.after {
            return Err(Error::malformed("SAP sent the same page again"));
        }
        for (row, at) in rows {
            match PartnerRecord::read(&row) {
                Ok(partner) if partner.customer.is_empty() => {}
                Ok(partner) => {
                    let observed = self.client.observed(&partner, at).with_raw(row.evidence());
                    self.ready.push_back(Ok(FeedEvent::Upsert(Box::new(observed))));
                }
                Err(error) => {
                    let number = row.text("BusinessPartner").unwrap_or_default();
                    let key = Key::of(&self.client.0.system, &number);
                    let raw = row.evidence();
                    self.ready.push_back(Ok(FeedEvent::Poison(Box::new(Poison::new(
                        key,
                        number,
                        at,
                        error.message(),
                        raw,
                    )))));
                }
            }
        }
        self.after = last.or(self.after.take());
        if end {
            if self.from.is_none() {
                self.ready.push_back(Ok(FeedEvent::SnapshotEnd));
            }
            let mark = Watermark { issuer: issuer.to_owned(), format: FORMAT, token: self.mark.to_string() };
            self.ready.push_back(Ok(FeedEvent::Checkpoint(mark)));
            self.done = true;
        }
        Ok(())
    }
}
