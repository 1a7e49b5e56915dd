//! The customers of either reference system.

use super::feed::{FeedSpec, Row, feed};
use super::system::{System, World};
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::{Feed, Observed, Version, Watermark};
use erp_core::id::{EntityTag, Key, NativeId, SystemId};
use erp_core::model::{Customer, CustomerIdentity, CustomerPatch};
use erp_core::outcome::Receipt;
use erp_core::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Customers by id.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<u64, Entry>,
    last: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    customer: Customer,
    updated_at: Timestamp,
    revision: u64,
}

/// A state that has customers.
pub(super) trait HasBook: World {
    fn book(&self) -> &Book;
    fn book_mut(&mut self) -> &mut Book;
}

impl Book {
    /// Adds a customer; its key stays if it has one, else it is made of the id.
    pub(super) fn add(&mut self, system: &SystemId, mut customer: Customer, at: Timestamp) -> NativeId {
        self.last += 1;
        let native = NativeId::from(self.last.to_string());
        if customer.key.as_str().is_empty() {
            customer.key = Key::of(system, &native);
        }
        customer.native_id = Some(native.clone());
        customer.updated_at = Some(at);
        self.entries.insert(self.last, Entry { customer, updated_at: at, revision: 1 });
        native
    }

    pub(super) fn all(&self) -> Vec<Customer> {
        self.entries.values().map(|entry| entry.customer.clone()).collect()
    }

    /// Changes one behind everybody's back.
    pub(super) fn edit(&mut self, id: &NativeId, at: Timestamp, edit: impl FnOnce(&mut Customer)) -> bool {
        let Some(entry) = id.as_str().parse().ok().and_then(|id: u64| self.entries.get_mut(&id)) else {
            return false;
        };
        edit(&mut entry.customer);
        entry.touch(at);
        true
    }

    fn upsert(
        &mut self,
        system: &SystemId,
        patch: &CustomerPatch,
        expected: Option<&EntityTag>,
        at: Timestamp,
    ) -> Result<Receipt> {
        let wanted = &patch.customer;
        let known = match &patch.native_id {
            Some(native) => {
                let id = native.as_str().parse().ok().filter(|id| self.entries.contains_key(id));
                let missing = || Error::new(ErrorKind::NotFound, format!("no customer {native}"));
                Some(id.ok_or_else(missing)?)
            }
            None => self.entries.iter().find(|(_, e)| e.customer.key == wanted.key).map(|(id, _)| *id),
        };
        let Some(id) = known else {
            let native = self.add(system, wanted.clone(), at);
            return Ok(Receipt::new(native.clone(), native.as_str(), at).with_revision("1".into()));
        };
        let entry = self.entries.get_mut(&id).ok_or_else(|| Error::unexpected("the customer is gone"))?;
        if expected.is_some_and(|tag| *tag != entry.tag()) {
            return Err(Error::new(ErrorKind::Conflict, "the customer was changed by somebody else"));
        }
        if entry.merge(wanted) {
            entry.touch(at);
        }
        let native = NativeId::from(id.to_string());
        Ok(Receipt::new(native.clone(), native.as_str(), at).with_revision(entry.tag()))
    }

    fn rows(&self) -> Vec<Row<Customer>> {
        self.entries
            .iter()
            .map(|(id, entry)| Row {
                id: *id,
                key: entry.customer.key.clone(),
                label: id.to_string(),
                updated_at: entry.updated_at,
                version: Some(Version::of_time(entry.updated_at)),
                body: Ok(entry.customer.clone()),
            })
            .collect()
    }
}

impl Entry {
    fn tag(&self) -> EntityTag {
        self.revision.to_string().into()
    }

    fn touch(&mut self, at: Timestamp) {
        self.updated_at = at.max(self.updated_at.plus(Duration::from_micros(1)));
        self.customer.updated_at = Some(self.updated_at);
        self.revision += 1;
    }

    /// Takes over what is stated; `true` if something changed.
    fn merge(&mut self, wanted: &Customer) -> bool {
        let before = self.customer.clone();
        let mine = &mut self.customer;
        for (field, value) in [
            (&mut mine.email, &wanted.email),
            (&mut mine.first_name, &wanted.first_name),
            (&mut mine.last_name, &wanted.last_name),
            (&mut mine.scope, &wanted.scope),
        ] {
            if !value.is_empty() {
                field.clone_from(value);
            }
        }
        for (field, value) in [
            (&mut mine.group, &wanted.group),
            (&mut mine.tax_id, &wanted.tax_id),
            (&mut mine.external_id, &wanted.external_id),
        ] {
            if value.is_some() {
                field.clone_from(value);
            }
        }
        for address in &wanted.addresses {
            if !mine.addresses.contains(address) {
                mine.addresses.push(address.clone());
            }
        }
        for (name, value) in wanted.custom.iter() {
            mine.custom.set(name, value.clone());
        }
        *mine != before
    }
}

fn observed(row: Row<Customer>, at: Timestamp) -> Option<Observed<Customer>> {
    let (label, version) = (row.label, row.version);
    let customer = row.body.ok()?;
    let mut observed = Observed::new(row.key, label, at, customer);
    observed.version = version;
    Some(observed)
}

pub(super) async fn get<S: HasBook>(
    system: &System<S>,
    cx: &Context,
    id: &NativeId,
) -> Result<Option<Observed<Customer>>> {
    let (id, started) = (id.clone(), system.now());
    let read = system.read(cx, "customers.get", None, move |state, _| {
        Ok(state.book().rows().into_iter().find(|row| row.label == id.as_str()))
    });
    Ok(read.await?.and_then(|row| observed(row, started)))
}

pub(super) async fn matching<S: HasBook>(
    system: &System<S>,
    cx: &Context,
    identity: &CustomerIdentity,
) -> Result<Vec<Observed<Customer>>> {
    let (identity, started) = (identity.clone(), system.now());
    let read = system.read(cx, "customers.match", identity.key.clone(), move |state, _| {
        let rank = |customer: &Customer| {
            let same_email =
                identity.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(&customer.email));
            let same_tax = identity.tax_id.is_some() && identity.tax_id == customer.tax_id;
            [identity.key.as_ref() == Some(&customer.key), same_email, same_tax].iter().position(|same| *same)
        };
        let mut found: Vec<_> = state
            .book()
            .rows()
            .into_iter()
            .filter_map(|row| Some((rank(row.body.as_ref().ok()?)?, row)))
            .collect();
        found.sort_by_key(|(rank, row)| (*rank, row.id));
        Ok(found)
    });
    Ok(read.await?.into_iter().filter_map(|(_, row)| observed(row, started)).collect())
}

pub(super) async fn upsert<S: HasBook>(
    system: &System<S>,
    cx: &Context,
    patch: &CustomerPatch,
    expected: Option<&EntityTag>,
) -> Result<Receipt> {
    let (id, patch, expected) = (system.id().clone(), patch.clone(), expected.cloned());
    let key = patch.customer.key.clone();
    let write = system.write(cx, "customers.upsert", Some(key), move |state, moment| {
        state.book_mut().upsert(&id, &patch, expected.as_ref(), moment.at)
    });
    write.await
}

pub(super) fn changes<S: HasBook>(
    system: &System<S>,
    cx: &Context,
    page: usize,
    since: Option<Watermark>,
) -> Feed<Customer> {
    let spec = FeedSpec {
        op: "customers.page",
        issuer: Watermark::issuer_of(system.id(), "customers", &()),
        page,
        overlap: Duration::ZERO,
        oldest: Timestamp::MIN,
    };
    feed(system.clone(), cx.clone(), spec, since, |state: &S, _| state.book().rows())
}
