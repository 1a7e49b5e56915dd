//! Tables of SuiteQL about how records belong together: which document came from which, parcels, addresses, periods.

use crate::doc::{Doc, Val};
use crate::meta;
use crate::sql::{Table, Value};
use crate::state::World;
use crate::tables::{Tables, columns, id};
use erp_core::Decimal;
use erp_core::time::{Date, Timestamp};
use std::collections::BTreeMap;

/// Sublists of parcels, and where each keeps its number.
const PARCELS: [(&str, &str); 5] = [
    ("package", "packageTrackingNumber"),
    ("packageUps", "packageTrackingNumberUps"),
    ("packageUsps", "packageTrackingNumberUsps"),
    ("packageFedEx", "packageTrackingNumberFedEx"),
    ("shipmentPackage", "trackingNumber"),
];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn link(from: &str, kind: &str) -> &'static str {
    match kind {
        "itemFulfillment" => "ShipRcpt",
        "itemReceipt" if from == "purchaseOrder" => "ShipRcpt",
        "itemReceipt" => "RtnRcpt",
        "returnAuthorization" => "RtnAuth",
        "creditMemo" | "cashRefund" => "RtnCred",
        _ => "OrdBill",
    }
}

fn line_number(line: &Doc, name: &str) -> Value {
    if line.has(name) { Value::Number(line.num(name)) } else { Value::Null }
}

impl Tables<'_> {
    /// The table of this name, if it is one of these.
    pub(crate) fn related(&self, name: &str) -> Option<Table> {
        Some(match name {
            "nexttransactionlinelink" | "previoustransactionlinelink" => self.links(),
            "trackingnumber" => Table {
                columns: columns("id trackingnumber", self.world, ""),
                rows: self.numbers().into_iter().map(|(text, at)| vec![id(at), Value::text(&text)]).collect(),
            },
            "trackingnumbermap" => self.parcels(),
            "customeraddressbook" => self.books(),
            "customeraddressbookentityaddress" => self.addresses(),
            "customersubsidiaryrelationship" => self.relationships(),
            "customergrouppricing" => Table {
                columns: columns("customer pricinggroup pricelevel", self.world, ""),
                rows: Vec::new(),
            },
            "pricingwithcustomers" => self.all_prices(),
            "accountingperiod" => self.periods(),
            "paymentmethod" => self.simple("paymentMethod", "id name", &["name"]),
            _ => return None,
        })
    }

    fn links(&self) -> Table {
        const NAMES: &str = "previousdoc previousline previoustype nextdoc nextline nexttype linktype";
        let world = self.world;
        let mut rows = Vec::new();
        for made in meta::transactions() {
            for (at, stored) in world.table(made.name).filter(|(at, _)| self.seen(made.name, *at)) {
                let Ok(source) = stored.doc.text("createdFrom").parse::<u64>() else { continue };
                let Some((kind, _)) = world.transaction(source) else { continue };
                if !self.seen(kind, source) {
                    continue;
                }
                let of = meta::record(kind).map_or("", |record| record.kind);
                for line in stored.doc.lines("item") {
                    let own = if line.has("line") { "line" } else { "orderLine" };
                    rows.push(vec![
                        id(source),
                        line_number(line, "orderLine"),
                        Value::text(of),
                        id(at),
                        line_number(line, own),
                        Value::text(made.kind),
                        Value::text(link(kind, made.name)),
                    ]);
                }
            }
        }
        Table { columns: columns(NAMES, world, ""), rows }
    }

    /// Every number once, with an id by its place.
    fn numbers(&self) -> BTreeMap<String, u64> {
        let mut numbers = BTreeMap::new();
        for (_, text) in self.parcel_texts() {
            let next = numbers.len() as u64 + 1;
            numbers.entry(text).or_insert(next);
        }
        numbers
    }

    fn parcel_texts(&self) -> Vec<(u64, String)> {
        let shown = self.world.table("itemFulfillment").filter(|(at, _)| self.seen("itemFulfillment", *at));
        let mut texts = Vec::new();
        for (at, stored) in shown {
            for (list, field) in PARCELS {
                let numbers = stored.doc.lines(list).iter().map(|parcel| parcel.text(field));
                texts.extend(numbers.filter(|text| !text.is_empty()).map(|text| (at, text.to_owned())));
            }
        }
        texts
    }

    fn parcels(&self) -> Table {
        let numbers = self.numbers();
        let row =
            |(at, text): (u64, String)| vec![id(at), id(numbers.get(&text).copied().unwrap_or_default())];
        Table {
            columns: columns("transaction trackingnumber", self.world, ""),
            rows: self.parcel_texts().into_iter().map(row).collect(),
        }
    }

    fn addresses(&self) -> Table {
        const FIELDS: [&str; 9] =
            ["addressee", "attention", "addr1", "addr2", "addr3", "city", "state", "zip", "country"];
        let mut rows = Vec::new();
        for (_, stored) in self.world.table("customer").filter(|(at, _)| self.seen("customer", *at)) {
            for line in stored.doc.lines("addressBook") {
                let Some(Val::Sub(address)) = line.0.get("addressBookAddress") else { continue };
                let texts = FIELDS.iter().chain(&["addrPhone", "addrText"]);
                let mut row = vec![line_number(line, "id")];
                row.extend(texts.map(|field| Value::text(address.text(field))));
                rows.push(row);
            }
        }
        let names = "nkey addressee attention addr1 addr2 addr3 city state zip country addrphone addrtext";
        Table { columns: columns(names, self.world, ""), rows }
    }

    fn books(&self) -> Table {
        const NAMES: &str = "entity internalid label defaultbilling defaultshipping addressbookaddress";
        let mut rows = Vec::new();
        for (at, stored) in self.world.table("customer").filter(|(at, _)| self.seen("customer", *at)) {
            for line in stored.doc.lines("addressBook") {
                let own = line_number(line, "id");
                rows.push(vec![
                    id(at),
                    own.clone(),
                    Value::text(line.text("label")),
                    Value::flag(line.flag("defaultBilling")),
                    Value::flag(line.flag("defaultShipping")),
                    own,
                ]);
            }
        }
        Table { columns: columns(NAMES, self.world, ""), rows }
    }

    fn relationships(&self) -> Table {
        let customers = self.world.table("customer").filter(|(at, _)| self.seen("customer", *at));
        let row = |(at, stored): (u64, &std::sync::Arc<crate::state::Stored>)| {
            vec![id(at), id(at), Value::id(stored.doc.text("subsidiary")), Value::flag(true)]
        };
        Table {
            columns: columns("id entity subsidiary isprimarysub", self.world, ""),
            rows: customers.map(row).collect(),
        }
    }

    /// What each customer pays for each item: a price of its own, or its level's.
    fn all_prices(&self) -> Table {
        let world = self.world;
        let own = |customer: u64, item: u64, currency: u64| {
            world
                .prices
                .keys()
                .any(|key| (key.customer, key.item, key.currency) == (customer, item, currency))
        };
        let mut rows = Vec::new();
        for (customer, stored) in world.table("customer").filter(|(at, _)| self.seen("customer", *at)) {
            let level = stored.doc.text("priceLevel").parse::<u64>().unwrap_or(1);
            for (key, price) in &world.prices {
                let fits = if key.customer == 0 {
                    key.level == level && !own(customer, key.item, key.currency)
                } else {
                    key.customer == customer
                };
                if fits {
                    rows.push(vec![
                        id(customer),
                        id(key.item),
                        if key.level == 0 { Value::Null } else { id(key.level) },
                        id(key.currency),
                        Value::Number(key.from),
                        Value::Number(*price),
                    ]);
                }
            }
        }
        Table { columns: columns("customer item pricelevel currency quantity unitprice", world, ""), rows }
    }

    /// The months of last year, this year and next.
    fn periods(&self) -> Table {
        const NAMES: &str = "id periodname startdate enddate closed isyear isquarter";
        let today = self.now.date_in(&self.world.zone()).to_string();
        let year: u16 = today.get(..4).and_then(|year| year.parse().ok()).unwrap_or(2000);
        let mut rows = Vec::new();
        for year in year.saturating_sub(1)..=year + 1 {
            for (at, name) in MONTHS.iter().enumerate() {
                let month = at + 1;
                let days = last_day(year, month);
                let day = |day: u8| {
                    Timestamp::parse_utc(&format!("{year:04}-{month:02}-{day:02} 00:00:00"))
                        .map_or(Value::Null, Value::Moment)
                };
                rows.push(vec![
                    Value::Number(Decimal::from(usize::from(year) * 100 + month)),
                    Value::text(&format!("{name} {year}")),
                    day(1),
                    day(days),
                    Value::flag(period_closed(self.world, &format!("{year:04}-{month:02}"))),
                    Value::flag(false),
                    Value::flag(false),
                ]);
            }
        }
        Table { columns: columns(NAMES, self.world, ""), rows }
    }
}

fn period_closed(world: &World, month: &str) -> bool {
    world.has(&format!("closed/{month}"))
}

fn last_day(year: u16, month: usize) -> u8 {
    (28..=31).rev().find(|day| Date::parse(&format!("{year:04}-{month:02}-{day:02}")).is_ok()).unwrap_or(28)
}
