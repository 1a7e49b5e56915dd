use bytes::Bytes;
use commerce_emulator::{Commerce, Integration, NewLine, NewOrder, Quirk, Quirks, ShopWorld, sample};
use erp_core::Decimal;
use erp_core::time::{Clock as _, Timestamp};
use erp_testkit::clock::VirtualClock;
use erp_testkit::emulator::{Exchange, Product as _};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

/// A shop on virtual time, called without a socket, by bearer.
pub(crate) struct Shop {
    pub(crate) clock: VirtualClock,
    pub(crate) world: ShopWorld,
}

pub(crate) fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) fn noon() -> Timestamp {
    Timestamp::parse("2026-11-23T12:00:00Z").unwrap()
}

pub(crate) fn shop() -> Shop {
    with(&[])
}

pub(crate) fn with(quirks: &[Quirk]) -> Shop {
    let clock = VirtualClock::new(noon());
    let quirks = quirks.iter().fold(Quirks::new().without(Quirk::BearerOff), |all, quirk| all.with(*quirk));
    let world = ShopWorld::in_memory(clock.shared(), quirks, vec![Integration::named("erp")]);
    world.seed(sample::shop());
    Shop { clock, world }
}

impl Shop {
    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        token: Option<&str>,
    ) -> (u16, Value) {
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q.to_owned())));
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        }
        if body.is_some() {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        let exchange = Exchange {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            path: path.to_owned(),
            query,
            headers,
            body: body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string())),
            at: self.clock.now(),
        };
        let commerce = Commerce::new(self.world.clone());
        let reply = futures_util::FutureExt::now_or_never(commerce.handle(exchange)).unwrap();
        (reply.status, serde_json::from_slice(&reply.body).unwrap())
    }

    pub(crate) fn get(&self, target: &str) -> (u16, Value) {
        self.send("GET", &format!("/rest/all/V1/{target}"), None, Some("erp-access-token"))
    }

    pub(crate) fn post(&self, target: &str, body: &Value) -> (u16, Value) {
        self.send("POST", &format!("/rest/all/V1/{target}"), Some(body), Some("erp-access-token"))
    }

    pub(crate) fn put(&self, target: &str, body: &Value) -> (u16, Value) {
        self.send("PUT", &format!("/rest/all/V1/{target}"), Some(body), Some("erp-access-token"))
    }

    /// Two configurable hoodies and one bag, from a guest.
    pub(crate) fn place(&self) -> i64 {
        self.world.place_order(wish()).unwrap()
    }
}

pub(crate) fn wish() -> NewOrder {
    NewOrder::new(
        "default",
        "guest@example.test",
        vec![NewLine::new("MH01-XL-Black", 2), NewLine::new("24-MB01", 1)],
    )
}

/// The id of the row that carries the money of this SKU.
pub(crate) fn row(shop: &Shop, order: i64, sku: &str) -> i64 {
    let order = shop.world.order(order).unwrap();
    order.top_rows().find(|item| item.sku == sku).unwrap().item_id
}

pub(crate) fn filter(field: &str, condition: &str, value: &str) -> String {
    format!(
        "searchCriteria[filter_groups][0][filters][0][field]={field}\
         &searchCriteria[filter_groups][0][filters][0][condition_type]={condition}\
         &searchCriteria[filter_groups][0][filters][0][value]={value}"
    )
}
