//! Customers of a page of SuiteQL, whole: three requests for a thousand of them instead of a thousand.
//!
//! `expandSubResources` does nothing in lists, and the record service reads one record at a time. The tables hold all that
//! is told of a customer: `customer` itself, `customersubsidiaryrelationship` for the subsidiary, and `customeraddressbook`
//! with `customeraddressbookentityaddress` for the addresses. Public queries of several integrations join them as here;
//! columns that come with a feature (price levels, tax numbers without SuiteTax) are missing in accounts without it, and
//! then each customer is read by itself, as is done where the role sees no address: the address tables want the permission
//! Lists > Address, and a role without it gets no rows and no word of it.

use crate::client::NetsuiteClient;
use crate::map;
use crate::suiteql::scan::Scan;
use crate::suiteql::wall::Wall;
use crate::suiteql::{Column, Row, SuiteQl};
use crate::wire::{Body, Record, RecordRef};
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::exact;
use erp_core::feed::Observed;
use erp_core::model::Customer;
use erp_core::time::Timestamp;
use std::collections::BTreeMap;

const OPERATION: &str = "netsuite.customer_changes";
/// A field of the record service, and the column that is the same.
const TEXTS: [(&str, &str); 5] = [
    ("companyName", "companyname"),
    ("firstName", "firstname"),
    ("lastName", "lastname"),
    ("email", "email"),
    ("externalId", "externalid"),
];
const ADDRESS: [(&str, &str); 9] = [
    ("addressee", "addressee"),
    ("attention", "attention"),
    ("addr1", "addr1"),
    ("addr2", "addr2"),
    ("addr3", "addr3"),
    ("city", "city"),
    ("state", "state"),
    ("zip", "zip"),
    ("addrPhone", "addrphone"),
];

/// Lines by their customer.
type Books = BTreeMap<String, Vec<Body>>;

impl NetsuiteClient {
    /// The columns that a customer is made of.
    pub(crate) fn customer_columns(&self) -> Result<SuiteQl> {
        let columns = SuiteQl::new(
            ", t.isperson, t.companyname, t.firstname, t.lastname, t.email, t.externalid, t.pricelevel, t.searchstage, t.",
        );
        Ok(columns.column(&Column::new(self.config().customers.tax_field())?))
    }

    /// The customers of a page; `None` if the role does not see all that belongs to them.
    pub(crate) async fn customers_of(
        &self,
        cx: &Context,
        rows: &[Row],
        at: Timestamp,
        wall: &Wall,
    ) -> Result<Option<Vec<Result<Option<Observed<Customer>>>>>> {
        let ids = rows.iter().map(|row| row.required("id").map(str::to_owned)).collect::<Result<Vec<_>>>()?;
        if ids.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let Some(subsidiaries) = hidden(self.subsidiaries_of(cx, &ids).await)? else { return Ok(None) };
        let Some(mut books) = hidden(self.books_of(cx, &ids).await)? else { return Ok(None) };
        // Not one address on a whole page: the role may see none.
        if books.is_empty() || subsidiaries.as_ref().is_some_and(|known| known.len() < ids.len()) {
            return Ok(None);
        }
        let told = rows.iter().zip(&ids).map(|(row, id)| {
            let subsidiary = subsidiaries.as_ref().and_then(|known| known.get(id)).map(String::as_str);
            let record = self.record_of(row, subsidiary, books.remove(id).unwrap_or_default(), wall)?;
            if map::is_prospect(&record)? {
                return Ok(None);
            }
            // The wall clock repeats an hour in autumn, so the row's time is no version: the read's own time is.
            let mut observed = self.observed(&record, at)?;
            observed.version = None;
            Ok(Some(observed))
        });
        Ok(Some(told.collect()))
    }

    /// A row as the record that the record service would give, so that both are read by the same rules.
    fn record_of(&self, row: &Row, subsidiary: Option<&str>, book: Vec<Body>, wall: &Wall) -> Result<Record> {
        let mut body = Body::new().with("id", row.required("id")?).with("isPerson", row.flag("isperson"));
        for (field, column) in TEXTS {
            body.put_some(field, row.get(column));
        }
        let tax = self.config().customers.tax_field();
        body.put_some(tax, row.get(Column::new(tax)?.as_str()));
        body.put_some("priceLevel", row.get("pricelevel").map(RecordRef::id));
        body.put_some("stage", row.get("searchstage").map(RecordRef::id));
        body.put_some("subsidiary", subsidiary.map(RecordRef::id));
        if let Some(changed) = row.get("changed") {
            body.put("lastModifiedDate", wall.instant(changed)?.to_string());
        }
        body.put("addressBook", book);
        serde_json::from_slice(&body.to_json()?)
            .map_err(|e| Error::unexpected("a row is no record").with_source(e))
    }

    /// Each customer's primary subsidiary; `None` if the configuration names none, as without OneWorld.
    async fn subsidiaries_of(
        &self,
        cx: &Context,
        ids: &[String],
    ) -> Result<Option<BTreeMap<String, String>>> {
        if !self.config().customers.names_subsidiaries() {
            return Ok(None);
        }
        let scan = Scan {
            operation: OPERATION,
            select: SuiteQl::new("SELECT s.entity, s.subsidiary"),
            from: SuiteQl::new(
                " FROM customersubsidiaryrelationship s WHERE s.isprimarysub = 'T' AND s.entity IN ",
            )
            .bind_list(ids),
            keys: &[("s.entity", "entity")],
            repeats: false,
            counted: false,
        };
        let mut known = BTreeMap::new();
        let mut scanning = scan.start();
        while !scanning.is_done() {
            for row in scanning.next(self, cx).await?.0 {
                known.insert(row.required("entity")?.to_owned(), row.required("subsidiary")?.to_owned());
            }
        }
        Ok(Some(known))
    }

    /// Each customer's lines, as the record service shows them.
    async fn books_of(&self, cx: &Context, ids: &[String]) -> Result<Books> {
        let scan = Scan {
            operation: OPERATION,
            select: SuiteQl::new(
                "SELECT b.entity, b.internalid, b.defaultbilling, b.defaultshipping, a.addressee, a.attention, a.addr1, a.addr2, a.addr3, a.city, a.state, a.zip, a.country, a.addrphone",
            ),
            from: SuiteQl::new(
                " FROM customeraddressbook b INNER JOIN customeraddressbookentityaddress a ON a.nkey = b.addressbookaddress WHERE b.entity IN ",
            )
            .bind_list(ids),
            keys: &[("b.entity", "entity"), ("b.internalid", "internalid")],
            repeats: false,
            counted: false,
        };
        let mut books = Books::new();
        let mut scanning = scan.start();
        while !scanning.is_done() {
            for row in scanning.next(self, cx).await?.0 {
                books.entry(row.required("entity")?.to_owned()).or_default().push(line_of(&row)?);
            }
        }
        Ok(books)
    }
}

fn line_of(row: &Row) -> Result<Body> {
    let mut address = Body::new();
    for (field, column) in ADDRESS {
        address.put_some(field, row.get(column));
    }
    address.put_some("country", row.get("country").map(RecordRef::id));
    let id = row.required("internalid")?;
    let number = exact::parse(id)
        .map_err(|_| Error::malformed("the id of an address in NetSuite's answer is no number"))?;
    Ok(Body::new()
        .with("id", number)
        .with("defaultBilling", row.flag("defaultbilling"))
        .with("defaultShipping", row.flag("defaultshipping"))
        .with("addressBookAddress", address))
}

/// A table that the account or the role does not have, or a row of it that cannot be read, is no failure here: the records
/// are read one by one.
fn hidden<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::Invalid { .. } | ErrorKind::Permission { .. } | ErrorKind::Malformed
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
