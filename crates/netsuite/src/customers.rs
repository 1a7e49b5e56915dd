//! Customers, read and written.
//!
//! NetSuite keeps external ids unique, so a customer is created once whatever happens. It has no version to write under: a
//! revision is a digest of what was read, compared before a change.

use crate::client::NetsuiteClient;
use crate::feed::{Shelf, changes};
use crate::key::external_id;
use crate::map;
use crate::suiteql::wall::{CUSTOMERS, Wall, Yardstick};
use crate::suiteql::{Column, Row, SuiteQl};
use crate::wire::{Record, RecordRef};
use async_trait::async_trait;
use erp_core::context::Context;
use erp_core::digest::Digest;
use erp_core::error::{Effect, Error, ErrorKind, FieldError, Result};
use erp_core::feed::{Feed, Observed, Version, Watermark};
use erp_core::id::{EntityTag, NativeId};
use erp_core::model::{Customer, CustomerIdentity, CustomerPatch};
use erp_core::outcome::Receipt;
use erp_core::roles::CustomerStore;
use erp_core::time::Timestamp;
use std::collections::BTreeSet;

/// As many namesakes as are read.
const MATCHES_MAX: u32 = 20;

#[async_trait]
impl CustomerStore for NetsuiteClient {
    async fn customer(&self, cx: &Context, id: &NativeId) -> Result<Option<Observed<Customer>>> {
        if !is_id(id) {
            return Ok(None);
        }
        let found = self.record(cx, "customer", &RecordRef::id(id.as_str())).await?;
        found.map(|(record, at)| self.observed(&record, at)).transpose()
    }

    async fn matching_customers(
        &self,
        cx: &Context,
        identity: &CustomerIdentity,
    ) -> Result<Vec<Observed<Customer>>> {
        if let Some(key) = &identity.key
            && let Some((record, at)) =
                self.record(cx, "customer", &RecordRef::external(external_id(key)?)).await?
        {
            return Ok(vec![self.observed(&record, at)?]);
        }
        let mut ids = BTreeSet::new();
        if let Some(email) = identity.email.as_deref().map(str::trim).filter(|email| !email.is_empty()) {
            ids.extend(self.customers_by_email(cx, email).await?);
        }
        if ids.is_empty()
            && let (Some(tax), Some(field)) = (&identity.tax_id, &self.config().customers.tax_field)
        {
            let query = SuiteQl::new("SELECT id FROM customer WHERE ")
                .column(&Column::new(field)?)
                .then(" = ")
                .bind(tax)
                .then(" AND NVL(isinactive, 'F') = 'F' ORDER BY id");
            let page = self.suiteql_page(cx, "netsuite.match_customer", &query, MATCHES_MAX, 0).await?;
            for row in &page.rows {
                ids.insert(row.required("id")?.to_owned());
            }
        }
        let mut found = Vec::new();
        for id in ids {
            found.extend(self.customer(cx, &NativeId::new(id)).await?);
        }
        Ok(found)
    }

    async fn upsert_customer(
        &self,
        cx: &Context,
        patch: &CustomerPatch,
        expected: Option<&EntityTag>,
    ) -> Result<Receipt> {
        if let Some(id) = &patch.native_id {
            let (record, at) = self.numbered(cx, id, &patch.customer).await?;
            return self.change_customer(cx, &record, at, patch, expected).await;
        }
        let external = external_id(&patch.customer.key)?;
        match self.create_customer(cx, &patch.customer, &external).await {
            Ok(id) => self.customer_proof(cx, &id).await.map_err(|e| e.with_effect(Effect::Applied)),
            Err(error) if *error.kind() == ErrorKind::Conflict => {
                let held = self.record(cx, "customer", &RecordRef::external(&external)).await?;
                let Some((record, at)) = held else { return Err(taken(&error)) };
                self.change_customer(cx, &record, at, patch, expected).await
            }
            Err(error) => Err(error),
        }
    }

    fn customer_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Customer> {
        changes(Customers(self.clone()), cx, since)
    }
}

/// Whether a text can be an internal id. A customer is never looked up by what is none.
fn is_id(id: &NativeId) -> bool {
    !id.as_str().is_empty() && id.as_str().bytes().all(|b| b.is_ascii_digit())
}

/// NetSuite's words for a name that another record has: it happens where the account does not number its customers itself.
const NAME_TAKEN: [&str; 3] = ["UNIQUE_CUST_ID_REQD", "DUP_ENTITY", "UNIQUE_ENTITY_NAME_REQD"];

/// Who is in the way of a new customer: an entity that is no customer (a vendor, a contact, an employee) with the external
/// id, or anybody with the name.
fn taken(refusal: &Error) -> Error {
    let upstream = refusal.upstream();
    let said = upstream.and_then(|up| up.message.clone()).unwrap_or_default();
    let code = upstream.and_then(|up| up.code.clone()).unwrap_or_default();
    if NAME_TAKEN.contains(&code.as_str()) {
        let text = format!(
            "another record has the customer's name: {said}; let NetSuite number customers (Setup > Company > \
             Auto-Generated Numbers), or link the one that is there"
        );
        return Error::invalid("name", "netsuite.name_taken", text);
    }
    let text = format!(
        "the external id is taken by a record that is no customer, or by one that this role may not see: {said}; free it \
         there, or let the role see the customer's subsidiary (Setup > Users/Roles > Manage Roles)"
    );
    Error::invalid("key", "netsuite.external_id_taken", text)
}

impl NetsuiteClient {
    pub(crate) async fn customers_by_email(&self, cx: &Context, email: &str) -> Result<Vec<String>> {
        let query = SuiteQl::new("SELECT id FROM customer WHERE LOWER(email) = ")
            .bind(email.to_lowercase())
            .then(" AND NVL(isinactive, 'F') = 'F' ORDER BY id");
        let page = self.suiteql_page(cx, "netsuite.match_customer", &query, MATCHES_MAX, 0).await?;
        page.rows.iter().map(|row| row.required("id").map(str::to_owned)).collect()
    }

    pub(crate) async fn create_customer(
        &self,
        cx: &Context,
        customer: &Customer,
        external_id: &str,
    ) -> Result<String> {
        let body = map::customer_body(&self.config().customers, customer, external_id)?;
        let made = self.create_record(cx, "customer", &body).await;
        made.map_err(|error| self.in_the_customers_words(error))
    }

    /// The customer of this number. One that was merged into another, or made anew, is found where our key now stands.
    async fn numbered(
        &self,
        cx: &Context,
        id: &NativeId,
        customer: &Customer,
    ) -> Result<(Record, Timestamp)> {
        if is_id(id)
            && let Some(found) = self.record(cx, "customer", &RecordRef::id(id.as_str())).await?
        {
            return Ok(found);
        }
        let external = external_id(&customer.key)?;
        let heir = self.record(cx, "customer", &RecordRef::external(&external)).await?;
        heir.ok_or_else(|| {
            let text = format!(
                "NetSuite holds no customer {id}: deleted, merged into another, or hidden from this role; give the one that \
                 is to take its place the external id {external}"
            );
            Error::new(ErrorKind::NotFound, text)
        })
    }

    async fn change_customer(
        &self,
        cx: &Context,
        record: &Record,
        at: Timestamp,
        patch: &CustomerPatch,
        expected: Option<&EntityTag>,
    ) -> Result<Receipt> {
        let held = self.observed(record, at)?.record;
        if expected.is_some_and(|expected| *expected != revision(&held)) {
            return Err(Error::new(ErrorKind::Conflict, "the customer was changed meanwhile"));
        }
        let Some(id) = &held.native_id else {
            return Err(Error::unexpected("a customer of NetSuite has no id"));
        };
        let body = map::customer_update(&self.config().customers, record, &held, &patch.customer)?;
        if !body.is_empty() {
            let done = self.update_record(cx, "customer", &RecordRef::id(id.as_str()), &body, &[]).await;
            done.map_err(|error| self.in_the_customers_words(error))?;
        }
        self.customer_proof(cx, id.as_str()).await.map_err(|e| e.with_effect(Effect::Applied))
    }

    /// Puts the customer's own paths on what NetSuite complains about; what fits nothing keeps NetSuite's path.
    fn in_the_customers_words(&self, error: Error) -> Error {
        let ErrorKind::Invalid { fields } = error.kind() else { return error };
        let path_of = |field: &FieldError| {
            let head = field.path.split(['.', '[']).next().unwrap_or_default();
            Some(match head {
                "subsidiary" => "scope",
                "firstName" => "first_name",
                "lastName" | "companyName" => "last_name",
                "email" => "email",
                "priceLevel" => "group",
                "addressBook" => "addresses",
                tax if tax == self.config().customers.tax_field() => "tax_id",
                _ => return None,
            })
        };
        let renamed: Vec<_> = fields
            .iter()
            .map(|field| {
                let path = path_of(field).map_or_else(|| field.path.clone(), str::to_owned);
                FieldError::new(path, &field.code, &field.message)
            })
            .collect();
        if !renamed.iter().any(|field| field.path == "scope") {
            return error.with_kind(ErrorKind::Invalid { fields: renamed });
        }
        let remedy = "set customers.subsidiary, or the website's in customers.subsidiaries, to one that this role may use";
        let told = Error::invalid_fields(format!("{}; {remedy}", error.message()), renamed);
        match error.upstream().cloned() {
            Some(upstream) => told.with_upstream(upstream),
            None => told,
        }
    }

    /// Reads a customer back.
    async fn customer_proof(&self, cx: &Context, id: &str) -> Result<Receipt> {
        let Some((record, at)) = self.record(cx, "customer", &RecordRef::id(id)).await? else {
            return Err(Error::new(ErrorKind::Conflict, "the customer is not there any more"));
        };
        let held = self.observed(&record, at)?;
        let number = record.filled("entityId")?.unwrap_or_else(|| id.to_owned());
        Ok(Receipt::new(NativeId::new(id), number, at).with_revision(revision(&held.record)))
    }

    pub(crate) fn observed(&self, record: &Record, at: Timestamp) -> Result<Observed<Customer>> {
        let customer = map::customer(&self.0.system, &self.config().customers, record)?;
        let (key, label) = (customer.key.clone(), record.required("id")?);
        let changed = customer.updated_at;
        let observed = Observed::new(key, label, at, customer).with_raw(record.evidence());
        Ok(match changed {
            Some(changed) => observed.with_version(Version::of_time(changed)),
            None => observed,
        })
    }
}

fn revision(customer: &Customer) -> EntityTag {
    EntityTag::from(Digest::of(&map::customer_projection(customer)).to_string())
}

/// The feed's shelf.
#[derive(Debug, Clone)]
struct Customers(NetsuiteClient);

#[async_trait]
impl Shelf for Customers {
    type Record = Customer;

    const OPERATION: &'static str = "netsuite.customer_changes";
    const RECORD: &'static str = "customers";

    fn client(&self) -> &NetsuiteClient {
        &self.0
    }

    fn yardstick(&self) -> Yardstick {
        CUSTOMERS
    }

    fn from(&self) -> &'static str {
        " FROM customer t WHERE NVL(t.isinactive, 'F') = 'F'"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["customer"]
    }

    async fn read(
        &self,
        _: &Context,
        _: &Row,
        record: Record,
        at: Timestamp,
        _: &Wall,
    ) -> Result<Option<Observed<Customer>>> {
        if map::is_prospect(&record)? {
            return Ok(None);
        }
        self.0.observed(&record, at).map(Some)
    }

    fn columns(&self) -> Result<Option<SuiteQl>> {
        self.0.customer_columns().map(Some)
    }

    async fn told(
        &self,
        cx: &Context,
        rows: &[Row],
        at: Timestamp,
        wall: &Wall,
    ) -> Result<Option<Vec<Result<Option<Observed<Customer>>>>>> {
        self.0.customers_of(cx, rows, at, wall).await
    }
}
