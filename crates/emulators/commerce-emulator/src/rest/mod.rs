//! The REST surface: routing, store scope, credentials, rights, and the shape of answers.

mod catalog;
mod credit;
mod customers;
mod input;
mod inventory;
mod order_json;
mod orders;
mod stores;

use crate::fields;
use crate::oauth::{Generation, Header, Signed, decode};
use crate::php::{self, Refusal};
use crate::quirk::{Quirk, Quirks};
use crate::search::{Criteria, Row};
use crate::state::Shop;
use crate::world::ShopWorld;
use async_trait::async_trait;
use erp_testkit::emulator::{Exchange, Product, Reply};
use input::Input;
use serde_json::{Map, Value, json};

/// The shop as an emulated product.
#[derive(Debug, Clone)]
pub struct Commerce {
    world: ShopWorld,
}

impl Commerce {
    /// The REST surface of this shop.
    pub fn new(world: ShopWorld) -> Self {
        Self { world }
    }

    fn answer(&self, exchange: &Exchange) -> Result<Value, Refusal> {
        let scoped = exchange.path.strip_prefix("/rest/").ok_or_else(Refusal::no_route)?;
        let mut segments: Vec<String> = scoped.split('/').map(|part| decode(part, true)).collect();
        if segments.first().is_some_and(|first| first != "V1") {
            let code = segments.remove(0);
            let known = code == "all" || self.world.read(|shop| shop.store(&code).is_some());
            if !known {
                return Err(Refusal::no_route());
            }
        }
        if segments.first().is_none_or(|version| version != "V1") {
            return Err(Refusal::no_route());
        }
        segments.remove(0);
        // A trailing slash is the same route.
        if segments.len() > 1 && segments.last().is_some_and(String::is_empty) {
            segments.pop();
        }
        let caller = self.authenticate(exchange)?;
        let call = Call {
            world: &self.world,
            quirks: self.world.quirks(),
            caller,
            query: pairs(exchange.query.as_deref().unwrap_or_default()),
            exchange,
        };
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        let body = dispatch(&call, exchange.method.as_str(), &path)?;
        Ok(match call.parameter("fields") {
            Some(wanted) => fields::filter(body, wanted, call.quirks.has(Quirk::FieldsEmptyArray)),
            None => body,
        })
    }

    /// Who calls: an integration's consumer key, or nobody. A bad signature is refused here; a bad bearer is silently
    /// nobody, who then lacks every right.
    fn authenticate(&self, exchange: &Exchange) -> Result<Option<String>, Refusal> {
        let Some(authorization) = exchange.header("authorization") else { return Ok(None) };
        if let Some(header) = Header::parse(authorization) {
            return self.check_signature(exchange, &header).map(Some);
        }
        let pieces: Vec<&str> = authorization.split(' ').collect();
        let [scheme, token] = pieces.as_slice() else { return Ok(None) };
        if !scheme.eq_ignore_ascii_case("bearer") || self.world.quirks().has(Quirk::BearerOff) {
            return Ok(None);
        }
        let known = self.world.integrations().iter().find(|one| one.access_token == *token);
        Ok(known.map(|one| one.consumer_key.clone()))
    }

    fn check_signature(&self, exchange: &Exchange, header: &Header) -> Result<String, Refusal> {
        header.check_form(exchange.at.as_secs())?;
        let key = header.get("oauth_consumer_key")?;
        let Some(integration) = self.world.integrations().iter().find(|one| one.consumer_key == key) else {
            return Err(Refusal::new(
                401,
                "A consumer with the ID or key does not exist. Verify the key and try again.",
            ));
        };
        if header.get("oauth_token")? != integration.access_token {
            return Err(Refusal::new(401, "The token is not valid. Verify and try again."));
        }
        let request = Signed {
            method: exchange.method.as_str(),
            scheme: exchange.header("x-forwarded-proto").unwrap_or("http"),
            host: exchange.header("host").unwrap_or_default(),
            path: &exchange.path,
            query: exchange.query.as_deref().unwrap_or_default(),
        };
        if !self.world.note_nonce(key, header.get("oauth_nonce")?) {
            let message = "The nonce is already being used by the consumer with key %1.";
            return Err(Refusal::new(401, message).with(json!([key])));
        }
        let secrets = (integration.consumer_secret.as_str(), integration.access_token_secret.as_str());
        if !header.is_signed(request, secrets, Generation::of(&self.world.quirks())) {
            return Err(Refusal::new(401, "The signature is invalid. Verify and try again."));
        }
        Ok(key.to_owned())
    }
}

#[async_trait]
impl Product for Commerce {
    async fn handle(&self, exchange: Exchange) -> Reply {
        let reply = self.answer(&exchange).map_or_else(Refusal::into_reply, |body| php::ok(&body));
        reply.with_header("x-powered-by", "PHP/8.3").with_header("cache-control", "no-store, no-cache")
    }
}

/// A request under way.
struct Call<'a> {
    world: &'a ShopWorld,
    quirks: Quirks,
    caller: Option<String>,
    query: Vec<(String, String)>,
    exchange: &'a Exchange,
}

impl Call<'_> {
    /// Whether the caller has this right.
    fn may(&self, resource: &str) -> Result<(), Refusal> {
        debug_assert!(RESOURCES.contains(&resource), "{resource} is not in the list");
        let granted = self.caller.as_deref().is_some_and(|caller| {
            self.world.read(|shop| match shop.acl.get(caller) {
                None | Some(None) => true,
                Some(Some(resources)) => resources.contains(resource),
            })
        });
        if granted { Ok(()) } else { Err(Refusal::unauthorized(resource)) }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body of a call that has one.
    fn body(&self) -> Result<Input, Refusal> {
        let content_type = self.exchange.header("content-type").unwrap_or_default();
        if content_type.is_empty() {
            return Err(Refusal::bad("Content-Type header is empty."));
        }
        if !content_type.starts_with("application/json") {
            return Err(Refusal::bad("Server cannot understand Content-Type HTTP header media type %1")
                .with(json!([content_type])));
        }
        Input::top(&self.exchange.body)
    }

    /// Searches rows, and answers with what `render` makes of them. `null_when_empty` for the endpoints that do that.
    fn search<'a, R: Row + 'a>(
        &self,
        rows: impl Iterator<Item = &'a R>,
        null_when_empty: bool,
        render: impl Fn(&R) -> Value,
    ) -> Result<Value, Refusal> {
        let criteria = Criteria::parse(&self.query, &self.quirks)?;
        let page = criteria.select(rows, &self.quirks, self.world.shake())?;
        let items: Vec<Value> = page.rows.into_iter().map(render).collect();
        let items = if items.is_empty() && null_when_empty { Value::Null } else { Value::Array(items) };
        Ok(json!({ "items": items, "search_criteria": criteria.echo(), "total_count": page.total }))
    }

    /// Refuses more array items than the limit allows, where there is one.
    fn limit(&self, count: usize, class: &str) -> Result<(), Refusal> {
        if self.quirks.has(Quirk::InputLimit20) && count > 20 {
            let parameters = json!({ "type": class, "max": 20 });
            return Err(Refusal::bad("Maximum items of type \"%type\" is %max").with(parameters));
        }
        Ok(())
    }

    fn read<R>(&self, look: impl FnOnce(&Shop) -> R) -> R {
        self.world.read(look)
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        })
        .collect()
}

/// A whole number out of a path or query.
fn int(text: &str) -> Result<i64, Refusal> {
    text.parse().map_err(|_| Refusal::wrong_type(&Value::from(text), "int"))
}

/// The rights that the routes ask for, as the shop names them.
pub const RESOURCES: [&str; 24] = [
    "Magento_Backend::admin",
    "Magento_Backend::store",
    "Magento_Catalog::catalog",
    "Magento_Catalog::products",
    "Magento_Company::index",
    "Magento_Customer::customer",
    "Magento_Customer::group",
    "Magento_Customer::manage",
    "Magento_InventoryApi::source",
    "Magento_InventoryApi::stock",
    "Magento_InventoryApi::stock_source_item_assign",
    "Magento_InventoryApi::stock_source_link",
    "Magento_InventorySalesApi::stock",
    "Magento_Sales::actions_view",
    "Magento_Sales::cancel",
    "Magento_Sales::comment",
    "Magento_Sales::create",
    "Magento_Sales::hold",
    "Magento_Sales::invoice",
    "Magento_Sales::sales_creditmemo",
    "Magento_Sales::sales_invoice",
    "Magento_Sales::ship",
    "Magento_Sales::shipment",
    "Magento_Sales::unhold",
];

/// The route table, with the right that each route needs.
fn dispatch(call: &Call<'_>, method: &str, path: &[&str]) -> Result<Value, Refusal> {
    const VIEW: &str = "Magento_Sales::actions_view";
    const CATALOG: &str = "Magento_Catalog::catalog";
    let need = |resource: &str| call.may(resource);
    match (method, path) {
        ("GET", ["orders"]) => need(VIEW).and_then(|()| orders::list(call)),
        ("GET", ["orders", id]) => need(VIEW).and_then(|()| orders::get(call, int(id)?)),
        ("GET", ["orders", id, "statuses"]) => need(VIEW).and_then(|()| orders::status(call, int(id)?)),
        ("GET", ["orders", id, "comments"]) => need(VIEW).and_then(|()| orders::comments(call, int(id)?)),
        ("POST", ["orders"]) => need("Magento_Sales::create").and_then(|()| orders::save(call)),
        ("POST", ["orders", id, "comments"]) => {
            need("Magento_Sales::comment").and_then(|()| orders::comment(call, int(id)?))
        }
        ("POST", ["orders", id, "cancel"]) => {
            need("Magento_Sales::cancel").and_then(|()| orders::cancel(call, int(id)?))
        }
        ("POST", ["orders", id, "hold"]) => {
            need("Magento_Sales::hold").and_then(|()| orders::hold(call, int(id)?))
        }
        ("POST", ["orders", id, "unhold"]) => {
            need("Magento_Sales::unhold").and_then(|()| orders::unhold(call, int(id)?))
        }
        ("POST", ["order", id, "ship"]) => {
            need("Magento_Sales::ship").and_then(|()| orders::ship(call, int(id)?))
        }
        ("POST", ["order", id, "invoice"]) => {
            need("Magento_Sales::invoice").and_then(|()| orders::invoice(call, int(id)?))
        }
        ("GET", ["shipments"]) => need("Magento_Sales::shipment").and_then(|()| orders::shipments(call)),
        ("GET", ["shipment", id]) => {
            need("Magento_Sales::shipment").and_then(|()| orders::shipment(call, int(id)?))
        }
        ("POST", ["shipment", "track"]) => {
            need("Magento_Sales::shipment").and_then(|()| orders::add_track(call))
        }
        ("GET", ["invoices"]) => need("Magento_Sales::sales_invoice").and_then(|()| orders::invoices(call)),
        ("GET", ["invoices", id]) => {
            need("Magento_Sales::sales_invoice").and_then(|()| orders::invoice_by_id(call, int(id)?))
        }
        ("GET", ["creditmemos"]) => need("Magento_Sales::sales_creditmemo").and_then(|()| credit::list(call)),
        ("GET", ["creditmemo", id]) => {
            need("Magento_Sales::sales_creditmemo").and_then(|()| credit::get(call, int(id)?))
        }
        ("GET", ["inventory", "source-items"]) => {
            need("Magento_InventoryApi::source").and_then(|()| inventory::source_items(call))
        }
        ("POST", ["inventory", "source-items"]) => need("Magento_InventoryApi::stock_source_item_assign")
            .and_then(|()| inventory::save_source_items(call)),
        ("POST", ["inventory", "source-items-delete"]) => {
            need("Magento_InventoryApi::stock_source_item_assign")
                .and_then(|()| inventory::delete_source_items(call))
        }
        ("GET", ["inventory", "sources"]) => {
            need("Magento_InventoryApi::source").and_then(|()| inventory::sources(call))
        }
        ("GET", ["inventory", "sources", code]) => {
            need("Magento_InventoryApi::source").and_then(|()| inventory::source(call, code))
        }
        ("GET", ["inventory", "stocks"]) => {
            need("Magento_InventoryApi::stock").and_then(|()| inventory::stocks(call))
        }
        ("GET", ["inventory", "stock-source-links"]) => {
            need("Magento_InventoryApi::stock_source_link").and_then(|()| inventory::links(call))
        }
        ("GET", ["inventory", "stock-resolver", "website", code]) => {
            need("Magento_InventorySalesApi::stock").and_then(|()| inventory::resolve(call, code))
        }
        ("GET", ["inventory", "are-products-salable"]) => {
            need("Magento_InventorySalesApi::stock").and_then(|()| inventory::are_salable(call))
        }
        ("GET", ["inventory", "export-stock-salable-qty", "website", code]) => {
            need("Magento_InventoryApi::stock").and_then(|()| inventory::export_salable(call, code))
        }
        ("GET", ["inventory", "get-product-salable-quantity", sku, stock]) => {
            need("Magento_InventorySalesApi::stock").and_then(|()| inventory::salable(call, sku, int(stock)?))
        }
        ("GET", ["products"]) => need("Magento_Catalog::products").and_then(|()| catalog::list(call)),
        ("GET", ["products", sku]) => {
            need("Magento_Catalog::products").and_then(|()| catalog::get(call, sku))
        }
        ("POST", ["products", "base-prices"]) => need(CATALOG).and_then(|()| catalog::save_base_prices(call)),
        ("POST", ["products", "base-prices-information"]) => {
            need(CATALOG).and_then(|()| catalog::base_prices(call))
        }
        ("POST", ["products", "tier-prices"]) => {
            need(CATALOG).and_then(|()| catalog::save_tier_prices(call, false))
        }
        ("PUT", ["products", "tier-prices"]) => {
            need(CATALOG).and_then(|()| catalog::save_tier_prices(call, true))
        }
        ("POST", ["products", "tier-prices-information"]) => {
            need(CATALOG).and_then(|()| catalog::tier_prices(call))
        }
        ("POST", ["products", "tier-prices-delete"]) => {
            need(CATALOG).and_then(|()| catalog::delete_tier_prices(call))
        }
        ("GET", ["customers", "search"]) => {
            need("Magento_Customer::customer").and_then(|()| customers::search(call))
        }
        ("GET", ["customers", id]) => {
            need("Magento_Customer::customer").and_then(|()| customers::get(call, int(id)?))
        }
        // Registering needs no right at all.
        ("POST", ["customers"]) => customers::create(call),
        ("PUT", ["customers", id]) => {
            need("Magento_Customer::manage").and_then(|()| customers::update(call, int(id)?))
        }
        ("GET", ["customerGroups", "search"]) => {
            need("Magento_Customer::group").and_then(|()| customers::groups(call))
        }
        ("GET", ["company"]) => need("Magento_Company::index").and_then(|()| customers::companies(call)),
        ("GET", ["company", id]) => {
            need("Magento_Company::index").and_then(|()| customers::company(call, int(id)?))
        }
        ("GET", ["store", "storeViews"]) => need("Magento_Backend::store").map(|()| stores::views(call)),
        ("GET", ["store", "websites"]) => need("Magento_Backend::store").map(|()| stores::websites(call)),
        ("GET", ["store", "storeConfigs"]) => need("Magento_Backend::store").map(|()| stores::configs(call)),
        ("GET", ["modules"]) => need("Magento_Backend::admin").map(|()| stores::modules()),
        _ => Err(Refusal::no_route()),
    }
}

fn object(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    entries
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
