//! A small client that calls the product without a socket, and keeps token and cookies as a real one does.

use erp_core::Decimal;
use erp_core::time::{Date, Timestamp};
use erp_testkit::clock::VirtualClock;
use erp_testkit::emulator::{Exchange, Product, Reply, ServerOptions};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use sap_emulator::{Customer, Material, Price, SalesArea, SapOptions, SapSeed, SapWorld, Stock, TaxRate};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const SALES: &str = "/sap/opu/odata/sap/API_SALES_ORDER_SRV/";
const AUTH: &str = "Basic U1lOQ19VU0VSOmVtdWxhdGVk";

pub(crate) struct Client {
    pub(crate) world: SapWorld,
    pub(crate) product: Arc<dyn Product>,
    pub(crate) clock: VirtualClock,
    pub(crate) token: String,
    pub(crate) cookies: Vec<String>,
}

pub(crate) fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

pub(crate) fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) fn demo() -> SapSeed {
    SapSeed::new()
        .with_area(SalesArea::new("1710", "10", "00"))
        .with_plant("1710")
        .with_plant("1720")
        .with_material(Material::new("TG11", "Trading good", "1710"))
        .with_material(Material::new("TG12", "Another good", "1710").with_weight(dec("2.5")))
        .with_material(Material::new("BOOK", "Untaxed", "1710").with_tax_class("0"))
        .with_customer(
            Customer::new("17100001", "Domestic US", "US", "USD")
                .with_region("CA")
                .with_email("a@example.com"),
        )
        .with_customer(Customer::new("17100002", "Big US", "US", "USD").with_price_list("01"))
        .with_customer(Customer::new("17100009", "One-time", "US", "USD").one_time())
        .with_price(Price::list("TG11", dec("10.00"), "USD"))
        .with_price(
            Price::list("TG12", dec("3.33"), "USD")
                .with_scale(dec("1"), dec("3.33"))
                .with_scale(dec("10"), dec("3")),
        )
        .with_price(Price::list("BOOK", dec("7.50"), "USD"))
        .with_price(Price::customer_discount("17100002", dec("5")))
        .with_tax(TaxRate::new("US", "", dec("5")))
        .with_tax(TaxRate::new("US", "CA", dec("7.25")))
        .with_stock(Stock::new("TG11", "1710", 100))
        .with_stock(Stock::new("TG12", "1710", 50))
}

pub(crate) fn order(reference: &str, lines: &[(&str, &str)]) -> Value {
    let items: Vec<Value> = lines
        .iter()
        .map(|(material, quantity)| json!({"Material": material, "RequestedQuantity": quantity}))
        .collect();
    json!({
        "SalesOrderType": "OR", "SalesOrganization": "1710", "DistributionChannel": "10",
        "OrganizationDivision": "00", "SoldToParty": "17100001",
        "PurchaseOrderByCustomer": reference, "to_Item": items,
    })
}

pub(crate) fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}

pub(crate) fn body(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("{} {}", reply.status, text(reply)))
}

pub(crate) fn header(reply: &Reply, name: &str) -> String {
    reply.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

pub(crate) fn code(reply: &Reply) -> String {
    body(reply)["error"]["code"].as_str().unwrap().to_owned()
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::with(SapOptions::new())
    }

    /// Seeded, unless the journal was there already.
    pub(crate) fn with(options: SapOptions) -> Self {
        let clock = VirtualClock::new(Timestamp::parse("2026-11-23T08:00:00Z").unwrap());
        let options = options.with_server(ServerOptions::new().on(&clock));
        let (world, product) = sap_emulator::open(options).unwrap();
        if world.is_empty() {
            world.seed(&demo());
        }
        Self { world, product, clock, token: String::new(), cookies: Vec::new() }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<bytes::Bytes>,
    ) -> Reply {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (target.to_owned(), None),
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let at = erp_core::time::Clock::now(&self.clock);
        let method = method.parse().unwrap();
        self.product.handle(Exchange { method, path, query, headers: map, body: body.into(), at }).await
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        let target = target.replace(' ', "%20");
        self.send(
            "GET",
            &target,
            &[("authorization", AUTH), ("accept", "application/json"), ("host", "sap.test")],
            "",
        )
        .await
    }

    pub(crate) async fn ok(&self, target: &str) -> Value {
        let reply = self.get(target).await;
        assert_eq!(reply.status, 200, "{target}: {}", text(&reply));
        body(&reply)["d"].clone()
    }

    pub(crate) async fn log_on(&mut self, verb: &str) {
        let reply = self.send(verb, SALES, &[("authorization", AUTH), ("x-csrf-token", "fetch")], "").await;
        assert_eq!(reply.status, 200);
        self.token = header(&reply, "x-csrf-token");
        self.cookies = reply
            .headers
            .get_all("set-cookie")
            .iter()
            .map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned())
            .collect();
    }

    pub(crate) async fn write(
        &mut self,
        method: &str,
        target: &str,
        more: &[(&str, &str)],
        body: &Value,
    ) -> Reply {
        let content = [("content-type", "application/json"), ("accept", "application/json")];
        let more: Vec<_> = more.iter().copied().chain(content).collect();
        self.raw(method, target, &more, body.to_string()).await
    }

    pub(crate) async fn raw(
        &mut self,
        method: &str,
        target: &str,
        more: &[(&str, &str)],
        body: impl Into<bytes::Bytes>,
    ) -> Reply {
        if self.token.is_empty() {
            self.log_on("GET").await;
        }
        let cookies = self.cookies.join("; ");
        let mut headers = vec![
            ("authorization", AUTH),
            ("host", "sap.test"),
            ("x-csrf-token", self.token.as_str()),
            ("cookie", cookies.as_str()),
        ];
        headers.extend(more);
        self.send(method, target, &headers, body).await
    }

    pub(crate) async fn post(&mut self, target: &str, body: &Value) -> Reply {
        self.write("POST", target, &[], body).await
    }

    /// Creates an order that must succeed; answers its entity.
    pub(crate) async fn create(&mut self, order: &Value) -> Value {
        let reply = self.post(&format!("{SALES}A_SalesOrder"), order).await;
        assert_eq!(reply.status, 201, "{}", text(&reply));
        body(&reply)["d"].clone()
    }
}
