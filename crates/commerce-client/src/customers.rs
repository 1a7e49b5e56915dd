//! Customers: read, matched, fed by `updated_at`, and written as whole objects.
//!
//! The shop has no optimistic lock, so a write reads the whole object right before, compares it with what the caller knows,
//! changes what the patch states and sends all of it back, one write at a time in this process. The revision is a digest of
//! the object by id. Our key is kept in the merchant's attribute that `fields.customer_key` names; without one, customers
//! are recognised by e-mail and website, which the shop itself keeps unique. The shop greets a new customer by e-mail.

use crate::client::{CommerceClient, RawRow, to_json};
use crate::feed::{Read, Shelf, changes};
use crate::map::{customer as map, filled};
use crate::orders::whole_id;
use crate::wire::customer::CustomerRow;
use crate::wire::page::{RowHead, Search};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::context::Context;
use erp_core::digest::Digest;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::feed::{Feed, Observed, Poison, Version, Watermark};
use erp_core::id::{EntityTag, Key, NativeId};
use erp_core::model::{Customer, CustomerIdentity, CustomerPatch};
use erp_core::outcome::Receipt;
use erp_core::roles::CustomerStore;
use erp_http::{Call, json};
use http::Method;
use serde_json::{Value, json};

const READ: &str = "commerce.read_customer";
const MATCH: &str = "commerce.match_customer";
const WRITE: &str = "commerce.write_customer";
/// How many customers with one e-mail or tax number are proposed.
const MATCHES_MAX: u32 = 10;
/// The most of a broken row that is kept as evidence.
const RAW_MAX: usize = 256 * 1024;

#[async_trait]
impl CustomerStore for CommerceClient {
    async fn customer(&self, cx: &Context, id: &NativeId) -> Result<Option<Observed<Customer>>> {
        let Some(id) = whole_id(id.as_str()) else { return Ok(None) };
        let Some(row) = self.customer_row(cx, READ, id).await? else { return Ok(None) };
        self.observed(cx, READ, row).await.map(Some)
    }

    async fn matching_customers(
        &self,
        cx: &Context,
        identity: &CustomerIdentity,
    ) -> Result<Vec<Observed<Customer>>> {
        let mut searches = Vec::new();
        if let Some(key) = &identity.key {
            if let Some(id) = key.native_in(self.system()).and_then(whole_id) {
                searches.push(Search::new().and("entity_id", "eq", id));
            } else if let Some(search) = self.by_key(key) {
                searches.push(search);
            }
        }
        if let Some(email) = filled(identity.email.as_deref()) {
            searches.push(Search::new().and("email", "eq", email));
        }
        if let Some(tax) = filled(identity.tax_id.as_deref()) {
            searches.push(Search::new().and("taxvat", "eq", tax));
        }
        for search in searches {
            let rows = self.customer_rows(cx, search).await?;
            let mut found = Vec::with_capacity(rows.len());
            for row in rows {
                found.push(self.observed(cx, MATCH, row).await?);
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    async fn upsert_customer(
        &self,
        cx: &Context,
        patch: &CustomerPatch,
        expected: Option<&EntityTag>,
    ) -> Result<Receipt> {
        self.upsert(cx, patch, expected).await.map_err(|error| error.with_operation(WRITE))
    }

    fn customer_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Customer> {
        changes::changes(Customers(self.clone()), cx, since)
    }
}

impl CommerceClient {
    async fn customer_row(&self, cx: &Context, operation: &'static str, id: i64) -> Result<Option<RawRow>> {
        let path = format!("customers/{id}");
        match self.send(cx, Call::read(operation), Method::GET, &path, "", None).await {
            Ok(response) => Ok(Some(RawRow::new(response.body, response.started))),
            Err(error) if error.kind() == &ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn customer_rows(&self, cx: &Context, search: Search) -> Result<Vec<RawRow>> {
        let search = search.ascending("entity_id").page(MATCHES_MAX, 1);
        Ok(self.page(cx, MATCH, "customers/search", &search).await?.rows)
    }

    /// The search for our key, where the shop keeps it.
    fn by_key(&self, key: &Key) -> Option<Search> {
        let name = self.config().fields.customer_key.clone()?;
        Some(Search::new().and(name, "eq", key))
    }

    async fn observed(
        &self,
        cx: &Context,
        operation: &'static str,
        row: RawRow,
    ) -> Result<Observed<Customer>> {
        match (Customers(self.clone())).read(cx, row).await? {
            Read::Good(observed) => Ok(*observed),
            Read::Bad(poison) => Err(Error::malformed(poison.error.clone())
                .with_operation(operation)
                .with_context("customer", poison.key.to_string())),
        }
    }

    async fn upsert(
        &self,
        cx: &Context,
        patch: &CustomerPatch,
        expected: Option<&EntityTag>,
    ) -> Result<Receipt> {
        let _lane = self.caches().customer_lane.lock().await;
        let gone = || Error::new(ErrorKind::NotFound, "the shop has no such customer");
        let known = match &patch.native_id {
            Some(id) => Some(whole_id(id.as_str()).ok_or_else(gone)?),
            None => match patch.customer.key.native_in(self.system()) {
                Some(id) => Some(whole_id(id).ok_or_else(gone)?),
                None => self.recognised(cx, &patch.customer).await?,
            },
        };
        match known {
            Some(id) => {
                let row = self.customer_row(cx, WRITE, id).await?.ok_or_else(gone)?;
                self.update_customer(cx, id, &row, &patch.customer, expected).await
            }
            None if expected.is_some() => {
                Err(Error::new(ErrorKind::Conflict, "the customer is not there any more"))
            }
            None => self.create_customer(cx, &patch.customer).await,
        }
    }

    /// Which of the shop's customers this is. With a key attribute an equal e-mail proves nothing, and would keep the shop
    /// from making another: somebody must link the two.
    async fn recognised(&self, cx: &Context, customer: &Customer) -> Result<Option<i64>> {
        let by_key = self.by_key(&customer.key);
        let keeps_keys = by_key.is_some();
        if let Some(search) = by_key {
            let rows = self.customer_rows(cx, search).await?;
            match rows.as_slice() {
                [] => {}
                [row] => return nameable(row).map(Some),
                _ => return Err(conflict(customer, "several customers of the shop carry this key")),
            }
        }
        let Some(email) = filled(Some(&customer.email)) else {
            let text = "the shop makes no customer without an e-mail";
            return Err(Error::invalid("email", "commerce.email", text));
        };
        let website = self.website_of(cx, &customer.scope).await?;
        let search = Search::new().and("email", "eq", email).and("website_id", "eq", website);
        let rows = self.customer_rows(cx, search).await?;
        match rows.as_slice() {
            [] => Ok(None),
            [row] if !keeps_keys => nameable(row).map(Some),
            [_] => Err(conflict(
                customer,
                "a customer of the shop has this e-mail and not this key; link the two",
            )),
            _ => Err(conflict(customer, "several customers of the shop have this e-mail")),
        }
    }

    /// A customer's website: by its code; else the configured store view's; else the only one.
    async fn website_of(&self, cx: &Context, scope: &str) -> Result<i64> {
        let directory = self.stores(cx).await?;
        let store = directory.stores().find(|channel| channel.store == self.config().store);
        let code = filled(Some(scope)).or_else(|| store.map(|channel| channel.website.clone()));
        let sites: Vec<_> = directory.websites().collect();
        let found = match code {
            Some(code) => sites.iter().find(|(_, known)| *known == code),
            None if sites.len() == 1 => sites.first(),
            None => None,
        };
        found.map(|(id, _)| *id).ok_or_else(|| {
            let known: Vec<_> = sites.iter().take(20).map(|(_, code)| *code).collect();
            let text =
                format!("the customer's scope must be one of the shop's websites: {}", known.join(", "));
            Error::invalid("scope", "commerce.website", text)
        })
    }

    async fn create_customer(&self, cx: &Context, customer: &Customer) -> Result<Receipt> {
        let mut object = json!({"website_id": self.website_of(cx, &customer.scope).await?});
        map::apply(&mut object, customer, Some(&customer.key), &self.config().fields)?;
        let body = to_json(&json!({"customer": object}))?;
        let response = self.send(cx, Call::once(WRITE), Method::POST, "customers", "", Some(body)).await?;
        let made: CustomerRow =
            json::decode(WRITE, &response).map_err(|error| error.with_effect(Effect::Applied))?;
        let nameless = || Error::malformed("the shop's new customer has no id");
        let id = made.id.ok_or_else(nameless).map_err(|error| error.with_effect(Effect::Applied))?;
        self.proof(cx, id).await
    }

    async fn update_customer(
        &self,
        cx: &Context,
        id: i64,
        row: &RawRow,
        customer: &Customer,
        expected: Option<&EntityTag>,
    ) -> Result<Receipt> {
        let held: Value = json::decode_bytes(WRITE, &row.raw)?;
        let revision = revision(&held);
        if expected.is_some_and(|expected| *expected != revision) {
            return Err(conflict(customer, "the customer was changed meanwhile"));
        }
        let mut object = held.clone();
        // A customer that was born here carries no key of ours.
        let key = customer.key.native_in(self.system()).is_none().then_some(&customer.key);
        map::apply(&mut object, customer, key, &self.config().fields)?;
        if object == held {
            return Ok(
                Receipt::new(id.to_string().into(), id.to_string(), row.started).with_revision(revision)
            );
        }
        let body = to_json(&json!({"customer": object}))?;
        let path = format!("customers/{id}");
        self.send(cx, Call::once(WRITE), Method::PUT, &path, "", Some(body)).await?;
        self.proof(cx, id).await
    }

    /// Reads back what was written: the revision must be that of the next read.
    async fn proof(&self, cx: &Context, id: i64) -> Result<Receipt> {
        let applied = |error: Error| error.with_effect(Effect::Applied);
        let row = self.customer_row(cx, WRITE, id).await.map_err(applied)?;
        let gone = || applied(Error::new(ErrorKind::Conflict, "the customer is not there any more"));
        let row = row.ok_or_else(gone)?;
        let held: Value = json::decode_bytes(WRITE, &row.raw).map_err(applied)?;
        let receipt = Receipt::new(id.to_string().into(), id.to_string(), row.started);
        Ok(receipt.with_revision(revision(&held)))
    }
}

fn nameable(row: &RawRow) -> Result<i64> {
    row.key().ok_or_else(|| Error::malformed("the shop's customer has no id"))
}

fn conflict(customer: &Customer, text: &str) -> Error {
    Error::new(ErrorKind::Conflict, text.to_owned()).with_context("customer", customer.key.to_string())
}

fn revision(held: &Value) -> EntityTag {
    EntityTag::from(Digest::of(held).to_string())
}

/// The shelf of customers.
struct Customers(CommerceClient);

#[async_trait]
impl Shelf for Customers {
    type Record = Customer;
    const PATH: &'static str = "customers/search";
    const OPERATION: &'static str = "commerce.read_customers";
    const RECORD: &'static str = "customers";
    const HEAD_FIELDS: &'static str = "items[id,created_at,updated_at],total_count";

    fn client(&self) -> &CommerceClient {
        &self.0
    }

    fn query(&self) -> String {
        String::new()
    }

    async fn prepare(&mut self, _cx: &Context) -> Result<()> {
        Ok(())
    }

    fn restrict(&self, search: Search) -> Search {
        search
    }

    fn admits(&self, _head: &RowHead) -> bool {
        true
    }

    async fn read(&self, cx: &Context, row: RawRow) -> Result<Read<Customer>> {
        let system = self.0.system();
        let parsed: Result<CustomerRow> = json::decode_bytes(Self::OPERATION, &row.raw);
        let mapped = match parsed {
            Err(error) => Err(error.message().to_owned()),
            Ok(parsed) => {
                let directory = self.0.stores(cx).await?;
                let website = parsed.website_id.and_then(|id| directory.website(id)).unwrap_or_default();
                map::customer(&parsed, system, website, &self.0.config().fields)
            }
        };
        let label = row.key().map_or_else(|| "unreadable".to_owned(), |id| id.to_string());
        Ok(match mapped {
            Ok(customer) => {
                let changed = customer.updated_at.map(Version::of_time);
                let observed = Observed::new(customer.key.clone(), label, row.started, customer);
                let observed = observed.with_raw(row.raw.clone());
                Read::Good(Box::new(match changed {
                    Some(changed) => observed.with_version(changed),
                    None => observed,
                }))
            }
            Err(reason) => {
                let raw: Bytes = row.raw.slice(..row.raw.len().min(RAW_MAX));
                let key = Key::of(system, &label);
                Read::Bad(Box::new(Poison::new(key, label, row.started, reason, raw)))
            }
        })
    }
}
