use crate::rows::{
    Company, CreditMemo, Customer, Group, Invoice, Order, Product, Shipment, Source, SourceItem, Stock,
    StoreView, TierPrice, Website,
};
use erp_core::Decimal;
use erp_testkit::emulator::State;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a shop is seeded with. See `sample::shop` for a full one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Seed {
    /// Websites, the admin's not among them.
    pub websites: Vec<Website>,
    /// Store views, the admin's not among them.
    pub stores: Vec<StoreView>,
    /// Sources.
    pub sources: Vec<Source>,
    /// Stocks.
    pub stocks: Vec<Stock>,
    /// Products.
    pub products: Vec<Product>,
    /// Source items.
    pub source_items: Vec<SourceItem>,
    /// Tier prices.
    pub tier_prices: Vec<TierPrice>,
    /// Groups.
    pub groups: Vec<Group>,
    /// Companies.
    pub companies: Vec<Company>,
    /// Customers.
    pub customers: Vec<Customer>,
}

impl Seed {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// One change to the shop.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Change {
    Seed(Box<Seed>),
    Order(Box<Order>),
    Forget(i64),
    Shipment(Shipment),
    Invoice(Invoice),
    CreditMemo(Box<CreditMemo>),
    Customer(Box<Customer>),
    SourceItem(SourceItem),
    DropSourceItem(String, String),
    Product(Box<Product>),
    TierPrices(String, Vec<TierPrice>),
    /// A delta on a stock's reservations of a SKU.
    Reserve(i64, String, Decimal),
    /// What an integration may do; `None` is everything.
    Acl(String, Option<BTreeSet<String>>),
}

/// The whole shop. Keys of SKUs are lower case, since the database compares without letter case.
#[derive(Debug, Default)]
pub(crate) struct Shop {
    pub(crate) websites: Vec<Website>,
    pub(crate) stores: Vec<StoreView>,
    pub(crate) sources: Vec<Source>,
    pub(crate) stocks: Vec<Stock>,
    pub(crate) products: BTreeMap<String, Product>,
    pub(crate) source_items: BTreeMap<(String, String), SourceItem>,
    pub(crate) tier_prices: BTreeMap<String, Vec<TierPrice>>,
    pub(crate) groups: BTreeMap<i64, Group>,
    pub(crate) companies: BTreeMap<i64, Company>,
    pub(crate) customers: BTreeMap<i64, Customer>,
    pub(crate) orders: BTreeMap<i64, Order>,
    pub(crate) shipments: BTreeMap<i64, Shipment>,
    pub(crate) invoices: BTreeMap<i64, Invoice>,
    pub(crate) credit_memos: BTreeMap<i64, CreditMemo>,
    pub(crate) reserved: BTreeMap<(i64, String), Decimal>,
    pub(crate) acl: BTreeMap<String, Option<BTreeSet<String>>>,
    sequences: BTreeMap<i64, i64>,
    last: Last,
}

/// The highest id of each kind ever given out; a forgotten row's id does not come back.
#[derive(Debug, Default)]
struct Last {
    order: i64,
    item: i64,
    address: i64,
    history: i64,
    track: i64,
    customer_address: i64,
}

impl Shop {
    pub(crate) fn next_order(&self) -> i64 {
        self.last.order + 1
    }

    pub(crate) fn next_item(&self) -> i64 {
        self.last.item + 1
    }

    pub(crate) fn next_address(&self) -> i64 {
        self.last.address + 1
    }

    pub(crate) fn next_history(&self) -> i64 {
        self.last.history + 1
    }

    pub(crate) fn next_track(&self) -> i64 {
        self.last.track + 1
    }

    pub(crate) fn next_customer_address(&self) -> i64 {
        self.last.customer_address + 1
    }

    pub(crate) fn next_sequence(&self, store_id: i64) -> i64 {
        self.sequences.get(&store_id).copied().unwrap_or_default() + 1
    }

    pub(crate) fn store(&self, code: &str) -> Option<&StoreView> {
        self.stores.iter().find(|store| store.code == code)
    }

    pub(crate) fn store_by_id(&self, id: i64) -> Option<&StoreView> {
        self.stores.iter().find(|store| store.id == id)
    }

    pub(crate) fn website(&self, id: i64) -> Option<&Website> {
        self.websites.iter().find(|website| website.id == id)
    }

    pub(crate) fn product(&self, sku: &str) -> Option<&Product> {
        self.products.get(&sku.to_lowercase())
    }

    pub(crate) fn stock_of_store(&self, store: &StoreView) -> Option<&Stock> {
        let website = self.website(store.website_id)?;
        self.stocks.iter().find(|stock| stock.websites.contains(&website.code))
    }

    pub(crate) fn stock(&self, id: i64) -> Option<&Stock> {
        self.stocks.iter().find(|stock| stock.id == id)
    }

    /// Source items in stock at enabled sources of the stock, plus reservations (which are negative).
    pub(crate) fn salable(&self, sku: &str, stock: &Stock) -> Decimal {
        let sku = sku.to_lowercase();
        let on_hand: Decimal = stock
            .sources
            .iter()
            .filter(|code| self.sources.iter().any(|source| source.code == **code && source.enabled))
            .filter_map(|code| self.source_items.get(&(sku.clone(), code.to_lowercase())))
            .filter(|item| item.status == 1)
            .map(|item| item.quantity)
            .sum();
        on_hand + self.reserved.get(&(stock.id, sku)).copied().unwrap_or_default()
    }

    fn put_order(&mut self, order: Order) {
        let last = &mut self.last;
        last.order = last.order.max(order.entity_id);
        for item in &order.items {
            last.item = last.item.max(item.item_id);
        }
        for address in std::iter::once(&order.billing).chain(&order.shipping) {
            last.address = last.address.max(address.id);
        }
        for history in &order.histories {
            last.history = last.history.max(history.id);
        }
        let sequence = self.sequences.entry(order.store_id).or_default();
        *sequence = (*sequence).max(order.sequence);
        self.orders.insert(order.entity_id, order);
    }

    fn put_customer(&mut self, customer: Customer) {
        for address in &customer.addresses {
            self.last.customer_address = self.last.customer_address.max(address.id);
        }
        self.customers.insert(customer.id, customer);
    }

    fn put_source_item(&mut self, item: SourceItem) {
        let key = (item.sku.to_lowercase(), item.source_code.to_lowercase());
        self.source_items.insert(key, item);
    }

    fn sow(&mut self, seed: Seed) {
        self.websites.extend(seed.websites);
        self.stores.extend(seed.stores);
        self.sources.extend(seed.sources);
        self.stocks.extend(seed.stocks);
        for product in seed.products {
            self.products.insert(product.sku.to_lowercase(), product);
        }
        seed.source_items.into_iter().for_each(|item| self.put_source_item(item));
        for price in seed.tier_prices {
            self.tier_prices.entry(price.sku.to_lowercase()).or_default().push(price);
        }
        self.groups.extend(seed.groups.into_iter().map(|group| (group.id, group)));
        self.companies.extend(seed.companies.into_iter().map(|company| (company.id, company)));
        seed.customers.into_iter().for_each(|customer| self.put_customer(customer));
    }
}

impl State for Shop {
    type Change = Change;

    fn apply(&mut self, change: Change) {
        match change {
            Change::Seed(seed) => self.sow(*seed),
            Change::Order(order) => self.put_order(*order),
            Change::Forget(id) => {
                self.orders.remove(&id);
            }
            Change::Shipment(shipment) => {
                for track in &shipment.tracks {
                    self.last.track = self.last.track.max(track.id);
                }
                self.shipments.insert(shipment.entity_id, shipment);
            }
            Change::Invoice(invoice) => {
                self.invoices.insert(invoice.entity_id, invoice);
            }
            Change::CreditMemo(memo) => {
                self.credit_memos.insert(memo.entity_id, *memo);
            }
            Change::Customer(customer) => self.put_customer(*customer),
            Change::SourceItem(item) => self.put_source_item(item),
            Change::DropSourceItem(sku, source) => {
                self.source_items.remove(&(sku.to_lowercase(), source.to_lowercase()));
            }
            Change::Product(product) => {
                self.products.insert(product.sku.to_lowercase(), *product);
            }
            Change::TierPrices(sku, prices) => {
                self.tier_prices.insert(sku.to_lowercase(), prices);
            }
            Change::Reserve(stock, sku, delta) => {
                *self.reserved.entry((stock, sku.to_lowercase())).or_default() += delta;
            }
            Change::Acl(integration, granted) => {
                self.acl.insert(integration, granted);
            }
        }
    }
}
