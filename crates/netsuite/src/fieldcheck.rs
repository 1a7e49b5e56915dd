//! Whether the custom fields that the configuration names are there, each in its record.

use crate::catalog::{FieldInfo, RecordType};
use crate::client::NetsuiteClient;
use erp_core::connector::Finding;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use std::collections::BTreeMap;

/// A custom field that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldCheck {
    /// Its id, as in `custbody_commerce_key`.
    pub field: String,
    /// The key of the configuration that names it, as in `orders.key_field`.
    pub key: String,
    /// The record that is to hold it.
    pub record: String,
    /// The sublist whose lines are to hold it; nothing for the record itself.
    pub sublist: Option<String>,
    /// What the account's catalogue says.
    pub state: FieldState,
}

/// What the catalogue says of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldState {
    /// It is there and can be written.
    There,
    /// It is there, and NetSuite ignores what is sent for it.
    ReadOnly,
    /// The account has no such field on this record, or its form does not show it.
    Missing,
    /// The catalogue does not tell, for this reason. That proves nothing against the field.
    Untold(String),
}

const ITEM: &str = "item";

impl FieldCheck {
    fn of(field: &str, key: impl Into<String>, record: &str, sublist: Option<&str>) -> Self {
        Self {
            field: field.to_owned(),
            key: key.into(),
            record: record.to_owned(),
            sublist: sublist.map(str::to_owned),
            state: FieldState::Untold("nobody asked yet".to_owned()),
        }
    }

    /// Where such a field is made.
    fn menu(&self) -> &'static str {
        match (self.sublist.is_some(), self.record.as_str()) {
            (true, _) => "Transaction Line Fields, applied to Sale",
            (false, "customer") => "Entity Fields, applied to Customer",
            (false, _) => "Transaction Body Fields, applied to Sale",
        }
    }

    fn place(&self) -> String {
        let record = match self.record.as_str() {
            "customer" => "a customer",
            "cashSale" => "a cash sale",
            _ => "an order",
        };
        if self.sublist.is_some() { format!("a line of {record}") } else { record.to_owned() }
    }

    fn finding(&self) -> Finding {
        let Self { field, key, .. } = self;
        let check = format!("hold {field} on {}", self.place());
        let menu = format!("Customization > Lists, Records, & Fields > {}", self.menu());
        match &self.state {
            FieldState::There => Finding::good(check, format!("is there, as {key} wants it")),
            FieldState::ReadOnly => Finding::bad(
                check,
                format!("{key} names {field}, which is read-only: NetSuite would ignore what is sent for it"),
                format!("Make {field} a stored, editable field at {menu}; or name another in {key}"),
            ),
            FieldState::Missing => Finding::bad(
                check,
                format!(
                    "{key} names {field}: the account has no such field, or it is not applied to this record"
                ),
                format!("Create {field} at {menu}; or correct {key}"),
            ),
            FieldState::Untold(reason) => Finding::warning(
                check,
                format!("not checked, because the catalogue does not tell: {reason}"),
                format!(
                    "See that {field} is at {menu}, or else correct {key}; what is sent for a field that is not there is refused and not lost"
                ),
            ),
        }
    }
}

fn state(fields: &BTreeMap<String, FieldInfo>, name: &str) -> FieldState {
    match fields.get(name) {
        Some(field) if field.read_only => FieldState::ReadOnly,
        Some(_) => FieldState::There,
        None => FieldState::Missing,
    }
}

/// Why the catalogue does not tell. A role may lack the record itself, which other checks tell of.
fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Permission { missing } if missing.is_empty() => {
            "the role may not see the record in it".to_owned()
        }
        ErrorKind::Permission { missing } => {
            format!("the role may not see the record in it, for want of {}", missing.join(", "))
        }
        ErrorKind::NotFound | ErrorKind::Config => {
            format!("the record is not in it, or not for this role ({})", error.message())
        }
        _ => error.message().to_owned(),
    }
}

impl NetsuiteClient {
    /// Looks up the custom fields that the configuration names for orders, their lines and customers. One request per record;
    /// what cannot be asked is [`Untold`](FieldState::Untold) and no error.
    pub async fn check_fields(&self, cx: &Context) -> Vec<FieldCheck> {
        let mut checks = self.order_fields();
        checks.extend(self.customer_fields());
        self.checked_fields(cx, checks).await
    }

    fn order_fields(&self) -> Vec<FieldCheck> {
        let orders = &self.config().orders;
        let record = orders.record.path();
        let key =
            orders.key_field.iter().map(|field| FieldCheck::of(field, "orders.key_field", record, None));
        let more = orders.fields.keys().map(|field| {
            let key = format!("orders.fields.{field}");
            FieldCheck::of(field, key, record, None)
        });
        let line = orders.line_key_field.iter();
        let line = line.map(|field| FieldCheck::of(field, "orders.line_key_field", record, Some(ITEM)));
        key.chain(more).chain(line).collect()
    }

    fn customer_fields(&self) -> Vec<FieldCheck> {
        let field = self.config().customers.key_field.iter();
        field.map(|field| FieldCheck::of(field, "customers.key_field", "customer", None)).collect()
    }

    async fn checked_fields(&self, cx: &Context, mut checks: Vec<FieldCheck>) -> Vec<FieldCheck> {
        let mut records: BTreeMap<String, Result<RecordType>> = BTreeMap::new();
        for check in &mut checks {
            if !records.contains_key(&check.record) {
                let told = self.record_type(cx, &check.record).await;
                records.insert(check.record.clone(), told);
            }
            check.state = match (records.get(&check.record), &check.sublist) {
                (Some(Ok(record)), None) => state(&record.fields, &check.field),
                (Some(Ok(record)), Some(sublist)) => {
                    self.line_state(cx, record.fields.get(sublist), &check.field).await
                }
                (Some(Err(error)), _) => FieldState::Untold(reason(error)),
                (None, _) => continue,
            };
        }
        checks
    }

    async fn line_state(&self, cx: &Context, sublist: Option<&FieldInfo>, field: &str) -> FieldState {
        let told = match sublist {
            Some(sublist) => self.fields_within(cx, sublist).await,
            None => Ok(None),
        };
        match told {
            Ok(Some(fields)) => state(&fields, field),
            Ok(None) => FieldState::Untold("it does not list the fields of lines".to_owned()),
            Err(error) => FieldState::Untold(reason(&error)),
        }
    }

    /// What the doctor says of the fields that orders need, or customers.
    pub(crate) async fn field_findings(&self, cx: &Context, orders: bool, customers: bool) -> Vec<Finding> {
        let mut checks = if orders { self.order_fields() } else { Vec::new() };
        if customers {
            checks.extend(self.customer_fields());
        }
        self.checked_fields(cx, checks).await.iter().map(FieldCheck::finding).collect()
    }
}
