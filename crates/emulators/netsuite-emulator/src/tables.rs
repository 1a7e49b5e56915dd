//! The tables of SuiteQL over what the account holds.

use crate::access::{self, Level};
use crate::auth::Attempt;
use crate::doc::{Doc, Val};
use crate::meta;
use crate::quirk::Quirk;
use crate::records::display;
use crate::sql::{Catalog, SqlError, Table, Value};
use crate::state::{Stored, World};
use erp_core::Decimal;
use erp_core::time::Timestamp;
use std::collections::BTreeSet;

/// The account as the integration's role sees it.
pub(crate) struct Tables<'a> {
    pub(crate) world: &'a World,
    pub(crate) now: Timestamp,
    pub(crate) quirks: &'a BTreeSet<Quirk>,
    /// Log-ons, oldest first.
    pub(crate) audit: &'a [Attempt],
}

/// Columns of a table, and the custom fields that it may have.
pub(crate) fn columns(names: &str, world: &World, prefix: &str) -> Vec<String> {
    let custom = world
        .settings("field/")
        .map(|(name, _)| name)
        .filter(|name| !prefix.is_empty() && name.starts_with(prefix));
    names.split_whitespace().chain(custom).map(str::to_owned).collect()
}

pub(crate) fn id(id: u64) -> Value {
    Value::Number(Decimal::from(id))
}

fn custom(doc: &Doc, columns: &[String], from: usize) -> Vec<Value> {
    columns.iter().skip(from).map(|name| Value::text(doc.text(name))).collect()
}

fn number(doc: &Doc, name: &str) -> Value {
    if doc.has(name) { Value::Number(doc.num(name)) } else { Value::Null }
}

fn flag(doc: &Doc, name: &str) -> Value {
    Value::flag(doc.flag(name))
}

/// A stage as SuiteQL writes it.
fn stage(of: &str) -> &'static str {
    match of {
        "LEAD" => "Lead",
        "PROSPECT" => "Prospect",
        _ => "Customer",
    }
}

fn day(text: &str) -> Value {
    Timestamp::parse_utc(&format!("{text} 00:00:00")).map_or(Value::Null, Value::Moment)
}

impl Catalog for Tables<'_> {
    fn table(&self, name: &str, least: Option<Decimal>) -> Result<Table, SqlError> {
        let world = self.world;
        let unknown = || SqlError::new(format!("Record '{name}' was not found."));
        let permission = access::of_table(name).ok_or_else(unknown)?;
        let may = access::may(world, permission, Level::View);
        if !may && !self.quirks.contains(&Quirk::SilentEmpty) {
            return Err(if self.quirks.contains(&Quirk::PermissionAsNotFound) {
                unknown()
            } else {
                SqlError::permission(access::sentence(world, permission))
            });
        }
        let least = least.and_then(|least| least.trunc().to_string().parse().ok()).unwrap_or(0);
        let mut table = self.rows(name, least).ok_or_else(unknown)?;
        for (column, _) in world.settings(&format!("column/{name}/")) {
            if let Some(at) = table.columns.iter().position(|known| known == column) {
                table.columns.remove(at);
                table.rows.iter_mut().for_each(|row| drop(row.remove(at)));
            }
        }
        if !may {
            table.rows.clear();
        }
        Ok(table)
    }

    fn display(&self, _: &str, column: &str, value: &Value) -> Value {
        let id = value.shown().unwrap_or_default();
        let of = match column {
            "transferlocation" => "location",
            other => other,
        };
        Value::text(&display(self.world, of, &id))
    }

    fn now(&self) -> Timestamp {
        self.world.wall(self.now)
    }
}

impl Tables<'_> {
    fn rows(&self, name: &str, least: u64) -> Option<Table> {
        let world = self.world;
        Some(match name {
            "dual" => Table { columns: vec!["dummy".to_owned()], rows: vec![vec![Value::text("X")]] },
            "item" => self.items(least),
            "customer" => self.customers(least),
            "transaction" => self.transactions(least),
            "transactionline" => self.lines(),
            "aggregateitemlocation" | "inventoryitemlocations" => self.stock(),
            "inventorybalance" => self.balance(),
            "pricing" => self.prices(false),
            "customeritempricing" => self.prices(true),
            "deletedrecord" => self.deleted(),
            "rolepermissions" => Table {
                columns: columns("role permkey permlevel name", world, ""),
                rows: access::all()
                    .filter_map(|key| {
                        let level = access::level(world, key)?.number();
                        Some(vec![id(1000), Value::text(key), id(level.into()), Value::text(key)])
                    })
                    .collect(),
            },
            "loginaudit" => self.logins(),
            "role" => Table {
                columns: columns("id name", world, ""),
                rows: vec![vec![id(1000), Value::text("Integration")]],
            },
            "currency" => self.simple("currency", "id symbol name", &["symbol", "name"]),
            "location" => self.simple("location", "id name fullname", &["name", "name"]),
            "subsidiary" => self.simple("subsidiary", "id name", &["name"]),
            "pricelevel" => self.simple("priceLevel", "id name", &["name"]),
            "shipitem" => self.simple("shipItem", "id itemid", &["name"]),
            "vendor" => self.simple("vendor", "id entityid companyname", &["name", "name"]),
            "account" => {
                self.simple("account", "id acctnumber accountsearchdisplayname", &["number", "name"])
            }
            _ => return self.related(name),
        })
    }

    pub(crate) fn simple(&self, table: &str, names: &str, fields: &[&str]) -> Table {
        let row = |(at, stored): (u64, &std::sync::Arc<Stored>)| {
            let values = fields.iter().map(|field| Value::text(stored.doc.text(field)));
            std::iter::once(id(at)).chain(values).collect()
        };
        Table { columns: columns(names, self.world, ""), rows: self.world.table(table).map(row).collect() }
    }

    /// Rows that a restriction of the role hides: they vanish from lists without a word.
    pub(crate) fn seen(&self, kind: &str, at: u64) -> bool {
        !self.world.has(&format!("hidden/{kind}/{at}"))
    }

    fn items(&self, least: u64) -> Table {
        const NAMES: &str = "id itemid fullname displayname itemtype isinactive externalid subsidiary stockunit createddate lastmodifieddate";
        let columns = columns(NAMES, self.world, "custitem");
        let rows = self
            .world
            .items_from(least)
            .into_iter()
            .filter(|(kind, at, _)| self.seen(kind, *at))
            .map(|(_, at, stored)| {
                let doc = &stored.doc;
                let mut row = vec![
                    id(at),
                    Value::text(doc.text("itemId")),
                    Value::text(doc.text("itemId")),
                    Value::text(doc.text("displayName")),
                    Value::text(doc.text("itemType")),
                    flag(doc, "isInactive"),
                    Value::text(doc.text("externalId")),
                    Value::id(doc.text("subsidiary")),
                    Value::id(doc.text("stockUnit")),
                ];
                row.extend(self.times(stored));
                row.extend(custom(doc, &columns, row.len()));
                row
            })
            .collect();
        Table { columns, rows }
    }

    fn times(&self, stored: &Stored) -> [Value; 2] {
        // Whole seconds, as the data base keeps them.
        let wall = |at: Timestamp| Value::Moment(Timestamp::from_secs(self.world.wall(at).as_secs()));
        [wall(stored.created), wall(stored.modified)]
    }

    fn customers(&self, least: u64) -> Table {
        const NAMES: &str = "id entityid externalid isperson companyname firstname lastname email phone isinactive currency pricelevel subsidiary vatregnumber searchstage datecreated lastmodifieddate";
        let columns = columns(NAMES, self.world, "custentity");
        let rows = self
            .world
            .table_from("customer", least)
            .filter(|(at, _)| self.seen("customer", *at))
            .map(|(at, stored)| {
                let doc = &stored.doc;
                let text = |name: &str| Value::text(doc.text(name));
                let mut row = vec![
                    id(at),
                    text("entityId"),
                    text("externalId"),
                    flag(doc, "isPerson"),
                    text("companyName"),
                    text("firstName"),
                    text("lastName"),
                    text("email"),
                    text("phone"),
                    flag(doc, "isInactive"),
                    Value::id(doc.text("currency")),
                    Value::id(doc.text("priceLevel")),
                    Value::id(doc.text("subsidiary")),
                    text("vatRegNumber"),
                    Value::text(stage(doc.text("stage"))),
                ];
                row.extend(self.times(stored));
                row.extend(custom(doc, &columns, row.len()));
                row
            })
            .collect();
        Table { columns, rows }
    }

    fn transactions(&self, least: u64) -> Table {
        const NAMES: &str = "id tranid type recordtype externalid trandate entity status foreigntotal currency memo otherrefnum createddate lastmodifieddate";
        let columns = columns(NAMES, self.world, "custbody");
        let mut rows = Vec::new();
        for record in meta::transactions() {
            for (at, stored) in self.world.table_from(record.name, least) {
                if !self.seen(record.name, at) {
                    continue;
                }
                let doc = &stored.doc;
                let text = |name: &str| Value::text(doc.text(name));
                let status = if doc.text("shipStatus").is_empty() {
                    doc.text("status")
                } else {
                    doc.text("shipStatus")
                };
                let mut row = vec![
                    id(at),
                    text("tranId"),
                    Value::text(record.kind),
                    Value::text(&record.name.to_lowercase()),
                    text("externalId"),
                    day(doc.text("tranDate")),
                    Value::id(doc.text("entity")),
                    Value::text(status),
                    number(doc, "total"),
                    Value::id(doc.text("currency")),
                    text("memo"),
                    text("otherRefNum"),
                ];
                row.extend(self.times(stored));
                row.extend(custom(doc, &columns, row.len()));
                rows.push((at, row));
            }
        }
        rows.sort_by_key(|(at, _)| *at);
        Table { columns, rows: rows.into_iter().map(|(_, row)| row).collect() }
    }

    /// Lines with the signs of the books: what is sold is negative. Shipping, discount and tax are lines too.
    fn lines(&self) -> Table {
        const NAMES: &str = "transaction id mainline taxline iscogs item itemtype quantity quantityshiprecv foreignamount location isclosed createdfrom linesequencenumber uniquekey rate netamount quantitybilled quantitypicked quantitypacked isfullyshipped isinventoryaffecting linelastmodifieddate";
        let columns = columns(NAMES, self.world, "custcol");
        let mut rows = Vec::new();
        let of_goods = |record: &&'static meta::RecordMeta| {
            ["item", "inventory"].iter().any(|list| record.fields.contains_key(list))
        };
        for record in meta::transactions().filter(of_goods) {
            for (at, stored) in self.world.table(record.name).filter(|(at, _)| self.seen(record.name, *at)) {
                let mut lines = lines_of(at, record.name, &stored.doc, &columns);
                if let Some(place) = columns.iter().position(|column| column == "linelastmodifieddate") {
                    let [_, changed] = self.times(stored);
                    lines.iter_mut().for_each(|line| line[place] = changed.clone());
                }
                rows.extend(lines);
            }
        }
        Table { columns, rows }
    }

    fn stock(&self) -> Table {
        let columns = columns(
            "item location quantityonhand quantityavailable quantitycommitted quantityonorder quantitybackordered",
            self.world,
            "",
        );
        let committed = self.world.committed();
        let rows = self
            .world
            .stock
            .iter()
            .map(|(&(item, location), quantity)| {
                let taken = committed.get(&(item, location)).copied().unwrap_or_default();
                let free = (*quantity - taken).max(Decimal::ZERO);
                // What is nothing is null, and so left out of the answer.
                let some = |value: Decimal| if value.is_zero() { Value::Null } else { Value::Number(value) };
                vec![
                    id(item),
                    id(location),
                    some(*quantity),
                    some(free),
                    some(taken.min(*quantity)),
                    Value::Null,
                    some((taken - *quantity).max(Decimal::ZERO)),
                ]
            })
            .collect();
        Table { columns, rows }
    }

    fn balance(&self) -> Table {
        let columns = columns(
            "item location binnumber inventorystatus quantityonhand quantityavailable",
            self.world,
            "",
        );
        let rows = self
            .world
            .stock
            .iter()
            .map(|(&(item, location), quantity)| {
                let quantity = Value::Number(*quantity);
                vec![id(item), id(location), Value::Null, id(1), quantity.clone(), quantity]
            })
            .collect();
        Table { columns, rows }
    }

    fn prices(&self, customers: bool) -> Table {
        let columns = columns("item pricelevel customer currency quantity unitprice", self.world, "");
        let some = |key: u64| if key == 0 { Value::Null } else { id(key) };
        let rows = self
            .world
            .prices
            .iter()
            .filter(|(key, _)| (key.customer != 0) == customers)
            .map(|(key, price)| {
                let from = Value::Number(key.from);
                vec![
                    id(key.item),
                    some(key.level),
                    some(key.customer),
                    id(key.currency),
                    from,
                    Value::Number(*price),
                ]
            })
            .collect();
        Table { columns, rows }
    }

    fn logins(&self) -> Table {
        let row = |attempt: &Attempt| {
            let at = Value::Moment(Timestamp::from_secs(self.world.wall(attempt.at).as_secs()));
            let status = if attempt.granted { "Success" } else { "Failure" };
            vec![at, id(77), id(1000), Value::text(status), Value::text(&attempt.detail)]
        };
        Table {
            columns: columns("date user role status detail", self.world, ""),
            rows: self.audit.iter().map(row).collect(),
        }
    }

    fn deleted(&self) -> Table {
        let columns = columns("recordid type name deleteddate", self.world, "");
        let rows = self
            .world
            .deleted
            .iter()
            .map(|gone| {
                let at = Value::Moment(Timestamp::from_secs(self.world.wall(gone.at).as_secs()));
                vec![id(gone.id), Value::text(&gone.kind.to_lowercase()), Value::Null, at]
            })
            .collect();
        Table { columns, rows }
    }
}

/// Of a transfer, each line is two: less here, more there. How NetSuite numbers them nobody publishes.
fn moved_lines(kind: &str, doc: &Doc) -> Vec<Doc> {
    let mut lines = Vec::new();
    for line in doc.lines("inventory") {
        let by = line.num("adjustQtyBy");
        let own =
            [line.text("location"), doc.text("adjLocation")].into_iter().find(|place| !place.is_empty());
        let places = match kind {
            "inventoryTransfer" => vec![(doc.text("location"), -by), (doc.text("transferLocation"), by)],
            _ => vec![(own.unwrap_or_default(), by)],
        };
        for (place, by) in places {
            let number = Decimal::from(lines.len() + 1);
            lines.push(
                Doc::default()
                    .with("line", Val::Num(number))
                    .with_ref("item", line.text("item"))
                    .with_ref("location", place)
                    .with("quantity", Val::Num(by)),
            );
        }
    }
    lines
}

fn lines_of(at: u64, kind: &str, doc: &Doc, columns: &[String]) -> Vec<Vec<Value>> {
    let sold = matches!(kind, "salesOrder" | "cashSale" | "invoice" | "itemFulfillment");
    let sign = if sold { -Decimal::ONE } else { Decimal::ONE };
    let moves = matches!(kind, "inventoryAdjustment" | "inventoryTransfer");
    let moved = moved_lines(kind, doc);
    let blank = || vec![Value::Null; columns.len()];
    let put = |row: &mut Vec<Value>, name: &str, value: Value| {
        if let Some(place) = columns.iter().position(|column| column == name) {
            row[place] = value;
        }
    };
    let base = |line: u64, main: bool, tax: bool| {
        let mut row = blank();
        put(&mut row, "transaction", id(at));
        put(&mut row, "id", id(line));
        put(&mut row, "mainline", Value::flag(main));
        put(&mut row, "taxline", Value::flag(tax));
        put(&mut row, "iscogs", Value::flag(false));
        put(&mut row, "isclosed", Value::flag(false));
        put(&mut row, "createdfrom", Value::id(doc.text("createdFrom")));
        row
    };
    let mut rows = Vec::new();
    let mut head = base(0, true, false);
    put(&mut head, "foreignamount", number(doc, "total"));
    rows.push(head);
    let mut last = 0;
    for line in if moves { &moved } else { doc.lines("item") } {
        let number_of = |name: &str| line.num(name).trunc().to_string().parse::<u64>().unwrap_or_default();
        let own = if line.has("line") { number_of("line") } else { number_of("orderLine") };
        last = last.max(own);
        let mut row = base(own, false, false);
        put(&mut row, "item", Value::id(line.text("item")));
        put(&mut row, "itemtype", Value::text(line.text("itemType")));
        put(&mut row, "quantity", Value::Number(sign * line.num("quantity")));
        let done = if kind == "purchaseOrder" { "quantityReceived" } else { "quantityFulfilled" };
        put(&mut row, "quantityshiprecv", number(line, done));
        put(&mut row, "foreignamount", Value::Number(sign * line.num("amount")));
        put(&mut row, "netamount", Value::Number(sign * line.num("amount")));
        put(&mut row, "rate", number(line, "rate"));
        put(&mut row, "linesequencenumber", id(own));
        put(&mut row, "uniquekey", number(line, "lineUniqueKey"));
        put(&mut row, "quantitybilled", number(line, "quantityBilled"));
        put(&mut row, "quantitypicked", number(line, "quantityPicked"));
        put(&mut row, "quantitypacked", number(line, "quantityPacked"));
        let shipped = line.num("quantityFulfilled") >= line.num("quantity");
        put(&mut row, "isfullyshipped", Value::flag(shipped && line.has("quantityFulfilled")));
        let moved = match kind {
            "itemFulfillment" => doc.text("shipStatus") == "C",
            "itemReceipt" => line.flag("restock"),
            _ => moves,
        };
        put(&mut row, "isinventoryaffecting", Value::flag(moved));
        put(&mut row, "location", Value::id(line.text("location")));
        put(&mut row, "isclosed", flag(line, "isClosed"));
        for (name, value) in &line.0 {
            if let (true, Val::Text(text)) = (name.starts_with("custcol"), value) {
                put(&mut row, name, Value::text(text));
            }
        }
        rows.push(row);
    }
    for (kind, field, tax) in [
        ("Discount", "discountTotal", false),
        ("ShipItem", "shippingCost", false),
        ("TaxItem", "taxTotal", true),
    ] {
        if doc.num(field).is_zero() {
            continue;
        }
        last += 1;
        let mut row = base(last, false, tax);
        put(&mut row, "itemtype", Value::text(kind));
        put(&mut row, "foreignamount", Value::Number(sign * doc.num(field)));
        rows.push(row);
    }
    rows
}
