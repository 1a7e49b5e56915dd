//! A shop without sockets: orders in memory, listed as Magento lists them, changing between any two calls.

use async_trait::async_trait;
use commerce_client::CommerceClient;
use erp_core::time::{Clock, Timestamp};
use erp_http::{Request, Response, SendFailure, Transport};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// A small deterministic generator: a seed replays exactly.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound.max(1)
    }

    pub(crate) fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// One order of the fake.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) revision: u64,
    /// What is wrong with it, if anything.
    pub(crate) broken: Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    No,
    /// A field that cannot be read.
    Field,
    /// The shop cannot write it out: every page that holds it fails with a masked 500.
    Page,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: i64,
    pub(crate) orders: BTreeMap<i64, Row>,
    /// Ids that are given and not yet committed: when they will be, and when they began.
    pub(crate) pending: BTreeMap<i64, (i64, i64)>,
    pub(crate) next_id: i64,
    pub(crate) dice: Dice,
    /// Whether orders change between calls.
    pub(crate) busy: bool,
    /// Whether list calls leave out what modules add.
    pub(crate) thin_lists: bool,
    /// Pages of more rows than this cannot be read.
    pub(crate) rows_max: usize,
    /// How many list calls were served.
    pub(crate) calls: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct FakeShop(Arc<Mutex<World>>);

const START: i64 = 1_760_000_000;

impl FakeShop {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(World {
            now: START,
            orders: BTreeMap::new(),
            pending: BTreeMap::new(),
            next_id: 1,
            dice: Dice::new(seed),
            busy: false,
            thin_lists: false,
            rows_max: usize::MAX,
            calls: 0,
        })))
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// A client with small pages, so that there are many.
    pub(crate) fn client(&self, page_size: u32) -> CommerceClient {
        CommerceClient::builder("shop")
            .base_url("http://127.0.0.1:9")
            .bearer("t")
            .with(|config| config.page_size = page_size)
            .transport(Arc::new(self.clone()))
            .clock(Arc::new(ShopClock(self.clone())))
            .build()
            .unwrap()
    }
}

/// Our clock, a few seconds off the shop's; a sleep moves it.
#[derive(Debug)]
struct ShopClock(FakeShop);

impl Clock for ShopClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.world().now + 7)
    }
    fn sleep(&self, span: Duration) -> futures_util::future::BoxFuture<'static, ()> {
        self.0.world().now += i64::try_from(span.as_secs()).unwrap_or(0) + 1;
        Box::pin(std::future::ready(()))
    }
}

impl World {
    pub(crate) fn insert(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        let row = Row { created: self.now, updated: self.now, revision: 1, broken: Broken::No };
        self.orders.insert(id, row);
        id
    }

    /// What happens in a shop between two of our calls.
    pub(crate) fn live(&mut self) {
        self.now += self.dice.below(30).cast_signed();
        let due: Vec<i64> =
            self.pending.iter().filter(|(_, (at, _))| *at <= self.now).map(|(id, _)| *id).collect();
        for id in due {
            let (_, began) = self.pending.remove(&id).unwrap();
            self.orders.insert(id, Row { created: began, updated: began, revision: 1, broken: Broken::No });
        }
        if !self.busy || !self.dice.chance(30) {
            return;
        }
        for _ in 0..self.dice.below(4) {
            match self.dice.below(10) {
                0..=3 => {
                    self.insert();
                }
                // An id that is given now and committed up to an hour later, with the time of its beginning.
                4 => {
                    let id = self.next_id;
                    self.next_id += 1;
                    let at = self.now + self.dice.below(3000).cast_signed();
                    self.pending.insert(id, (at, self.now));
                }
                // An id that never becomes an order.
                5 => self.next_id += 1 + self.dice.below(3).cast_signed(),
                // A change; its transaction began up to 50 s ago.
                _ => {
                    let ids: Vec<i64> = self.orders.keys().copied().collect();
                    if let Some(id) = ids.get(self.dice.index(ids.len())) {
                        let lag = self.dice.below(50).cast_signed();
                        let now = self.now;
                        let row = self.orders.get_mut(id).unwrap();
                        row.updated = (now - lag).max(row.updated);
                        row.revision += 1;
                    }
                }
            }
        }
    }

    fn json(id: i64, row: &Row, thin: bool) -> Value {
        let text = |secs| Timestamp::from_secs(secs).to_utc_text();
        let address = json!({"firstname": "A", "lastname": "B", "street": ["Main 1"], "city": "Berlin", "country_id": "DE"});
        let mut order = json!({
            "entity_id": id, "increment_id": format!("{id:09}"), "state": "processing", "status": "processing",
            "store_id": 1 + id % 2, "created_at": text(row.created), "updated_at": text(row.updated),
            "customer_is_guest": 1, "customer_email": "a@example.test",
            "base_currency_code": "EUR", "order_currency_code": "EUR", "coupon_code": row.revision.to_string(),
            "subtotal": 10, "base_subtotal": 10, "grand_total": 10, "base_grand_total": 10,
            "items": [{"item_id": id * 10, "product_type": "simple", "sku": "A", "qty_ordered": 1, "price": 10,
                       "base_price": 10, "row_total": 10, "base_row_total": 10}],
            "billing_address": address, "payment": {"method": "checkmo"},
        });
        if !thin {
            order["extension_attributes"] =
                json!({"shipping_assignments": [{"shipping": {"address": address}}]});
        }
        if row.broken == Broken::Field {
            order["grand_total"] = json!("a lot");
        }
        order
    }

    fn list(&mut self, query: &BTreeMap<String, String>) -> (u16, String) {
        self.calls += 1;
        let field = |id: i64, row: &Row, name: &str| match name {
            "entity_id" => id,
            "store_id" => 1 + id % 2,
            "updated_at" => row.updated,
            "created_at" => row.created,
            other => panic!("no such field {other}"),
        };
        let number = |text: &str| {
            text.parse().unwrap_or_else(|_| Timestamp::parse_utc(text).expect("number or time").as_secs())
        };
        let mut rows: Vec<(i64, Row)> = self.orders.iter().map(|(id, row)| (*id, row.clone())).collect();
        for group in 0..10 {
            let at = |what: &str| {
                query.get(&format!("searchCriteria[filter_groups][{group}][filters][0][{what}]"))
            };
            let (Some(name), Some(value), Some(condition)) = (at("field"), at("value"), at("condition_type"))
            else {
                break;
            };
            rows.retain(|(id, row)| {
                let have = field(*id, row, name);
                match condition.as_str() {
                    "gt" => have > number(value),
                    "gteq" => have >= number(value),
                    "lteq" => have <= number(value),
                    "lt" => have < number(value),
                    "in" => value.split(',').any(|one| have == number(one)),
                    other => panic!("no such condition {other}"),
                }
            });
        }
        let sort = query.get("searchCriteria[sortOrders][0][field]").expect("every list is sorted").clone();
        rows.sort_by_key(|(id, row)| (field(*id, row, &sort), *id));
        if query.get("searchCriteria[sortOrders][0][direction]").map(String::as_str) == Some("DESC") {
            rows.reverse();
        }
        let size: usize = query["searchCriteria[pageSize]"].parse().unwrap();
        let page: usize = query["searchCriteria[currentPage]"].parse().unwrap();
        let total = rows.len();
        let shown: Vec<_> = rows.into_iter().skip((page - 1) * size).take(size).collect();
        if shown.iter().any(|(_, row)| row.broken == Broken::Page) {
            let text = "Internal Error. Details are available in Magento log file. Report ID: webapi-1";
            return (500, json!({"message": text}).to_string());
        }
        let heads_only = query.contains_key("fields");
        let items: Vec<_> = shown.iter().map(|(id, row)| Self::json(*id, row, self.thin_lists)).collect();
        let text = json!({"items": items, "total_count": total}).to_string();
        if shown.len() > self.rows_max && !heads_only {
            return (200, text[..text.len() / 2].to_owned());
        }
        (200, text)
    }

    fn answer(&mut self, path: &str, query: &BTreeMap<String, String>) -> (u16, String) {
        self.live();
        match path.strip_prefix("/rest/all/V1/").expect("the REST path") {
            "orders" => self.list(query),
            "store/storeConfigs" => (
                200,
                json!([{"id": 1, "code": "default", "website_id": 1, "timezone": "Europe/Berlin"},
                       {"id": 2, "code": "second", "website_id": 1, "timezone": "UTC"}])
                .to_string(),
            ),
            "store/websites" => (200, json!([{"id": 1, "code": "base"}]).to_string()),
            other => {
                let id: i64 = other.strip_prefix("orders/").expect("a known path").parse().unwrap();
                match self.orders.get(&id) {
                    Some(row) => (200, Self::json(id, row, false).to_string()),
                    None => (404, json!({"message": "No such entity."}).to_string()),
                }
            }
        }
    }
}

#[async_trait]
impl Transport for FakeShop {
    async fn send(&self, request: Request, _: Duration, _: usize) -> Result<Response, SendFailure> {
        let mut world = self.world();
        let started = Timestamp::from_secs(world.now + 7);
        let query: BTreeMap<String, String> =
            request.url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let (status, body) = world.answer(request.url.path(), &query);
        let mut headers = http::HeaderMap::new();
        headers.insert("date", http_date(world.now).parse().unwrap());
        let status = http::StatusCode::from_u16(status).unwrap();
        Ok(Response { status, headers, body: body.into(), started })
    }
}

fn http_date(secs: i64) -> String {
    let text = Timestamp::from_secs(secs).to_utc_text();
    let (date, time) = text.split_once(' ').unwrap();
    let parts: Vec<&str> = date.split('-').collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months[parts[1].parse::<usize>().unwrap() - 1];
    format!("Mon, {} {month} {} {time} GMT", parts[2], parts[0])
}
