use erp_core::Decimal;

/// What an account begins with. Internal ids are stated, so that a configuration can name them.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NetsuiteSeed {
    pub(crate) simple: Vec<Simple>,
    pub(crate) items: Vec<Item>,
    pub(crate) customers: Vec<Customer>,
    pub(crate) prices: Vec<Price>,
    pub(crate) stock: Vec<(u64, u64, Decimal)>,
    pub(crate) purchases: Vec<PurchaseOrder>,
    pub(crate) settings: Vec<(String, String)>,
}

/// A record of few fields: its kind, its id, its texts.
type Simple = (&'static str, u64, Vec<(&'static str, String)>);

/// An item.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Item {
    /// Internal id.
    pub id: u64,
    /// Its name, which is the SKU.
    pub sku: String,
    /// `InvtPart`, `NonInvtPart`, `Service`, `Discount`, `OthCharge` …
    pub kind: String,
    /// What a kit is made of: item and how many.
    pub members: Vec<(u64, Decimal)>,
    /// Its subsidiary; zero means all.
    pub subsidiary: u64,
}

impl Item {
    /// An inventory item.
    pub fn new(id: u64, sku: impl Into<String>) -> Self {
        Self { id, sku: sku.into(), kind: "InvtPart".to_owned(), members: Vec::new(), subsidiary: 0 }
    }

    /// A kit of these items, each so many times.
    pub fn kit(id: u64, sku: impl Into<String>, members: &[(u64, u32)]) -> Self {
        let members = members.iter().map(|(item, times)| (*item, Decimal::from(*times))).collect();
        Self { members, ..Self::new(id, sku).of_kind("Kit") }
    }

    /// Sold by one subsidiary only.
    #[must_use]
    pub fn of_subsidiary(mut self, subsidiary: u64) -> Self {
        self.subsidiary = subsidiary;
        self
    }

    /// Of another kind.
    #[must_use]
    pub fn of_kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = kind.into();
        self
    }
}

/// A customer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Customer {
    /// Internal id.
    pub id: u64,
    /// Whether it is a person.
    pub person: bool,
    /// Given names.
    pub first: String,
    /// Family name, or the company's name.
    pub last: String,
    /// E-mail.
    pub email: String,
    /// Its subsidiary; zero means the first.
    pub subsidiary: u64,
    /// Its currency; zero means the first.
    pub currency: u64,
    /// Its price level; zero means the base price.
    pub level: u64,
}

impl Customer {
    /// A company.
    pub fn company(id: u64, name: impl Into<String>, email: impl Into<String>) -> Self {
        Self {
            id,
            person: false,
            first: String::new(),
            last: name.into(),
            email: email.into(),
            subsidiary: 0,
            currency: 0,
            level: 0,
        }
    }

    /// A person.
    pub fn person(
        id: u64,
        first: impl Into<String>,
        last: impl Into<String>,
        email: impl Into<String>,
    ) -> Self {
        Self { person: true, first: first.into(), ..Self::company(id, last, email) }
    }

    /// At this price level.
    #[must_use]
    pub fn at_level(mut self, level: u64) -> Self {
        self.level = level;
        self
    }

    /// Of this subsidiary.
    #[must_use]
    pub fn of_subsidiary(mut self, subsidiary: u64) -> Self {
        self.subsidiary = subsidiary;
        self
    }

    /// In this currency.
    #[must_use]
    pub fn in_currency(mut self, currency: u64) -> Self {
        self.currency = currency;
        self
    }
}

/// A price of an item.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Price {
    /// The item.
    pub item: u64,
    /// The price level; zero for a customer's own price.
    pub level: u64,
    /// The customer; zero for a level's price.
    pub customer: u64,
    /// The currency.
    pub currency: u64,
    /// From how many pieces on.
    pub from: Decimal,
    /// The price of one.
    pub price: Decimal,
}

impl Price {
    /// A price at a level from the first piece on.
    pub fn level(item: u64, level: u64, currency: u64, price: Decimal) -> Self {
        Self { item, level, customer: 0, currency, from: Decimal::ZERO, price }
    }

    /// A customer's own price.
    pub fn customer(item: u64, customer: u64, currency: u64, price: Decimal) -> Self {
        Self { item, level: 0, customer, currency, from: Decimal::ZERO, price }
    }

    /// From so many pieces on.
    #[must_use]
    pub fn from(mut self, pieces: Decimal) -> Self {
        self.from = pieces;
        self
    }
}

/// An approved purchase order.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PurchaseOrder {
    /// Internal id.
    pub id: u64,
    /// The vendor.
    pub vendor: u64,
    /// Where its goods are expected.
    pub location: u64,
    /// What is bought: item, how many, and the price of one.
    pub lines: Vec<(u64, Decimal, Decimal)>,
}

impl PurchaseOrder {
    /// An order at a vendor, without lines yet.
    pub const fn new(id: u64, vendor: u64, location: u64) -> Self {
        Self { id, vendor, location, lines: Vec::new() }
    }

    /// So many of an item at this price each.
    #[must_use]
    pub fn with_line(mut self, item: u64, quantity: impl Into<Decimal>, rate: impl Into<Decimal>) -> Self {
        self.lines.push((item, quantity.into(), rate.into()));
        self
    }
}

impl NetsuiteSeed {
    /// An empty account.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn simple(mut self, kind: &'static str, id: u64, fields: &[(&'static str, &str)]) -> Self {
        self.simple.push((
            kind,
            id,
            fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        ));
        self
    }

    /// A subsidiary.
    #[must_use]
    pub fn with_subsidiary(self, id: u64, name: &str) -> Self {
        self.simple("subsidiary", id, &[("name", name)])
    }

    /// A currency by its ISO code.
    #[must_use]
    pub fn with_currency(self, id: u64, symbol: &str) -> Self {
        self.simple("currency", id, &[("symbol", symbol), ("name", symbol)])
    }

    /// A location.
    #[must_use]
    pub fn with_location(self, id: u64, name: &str) -> Self {
        self.simple("location", id, &[("name", name)])
    }

    /// A price level.
    #[must_use]
    pub fn with_price_level(self, id: u64, name: &str) -> Self {
        self.simple("priceLevel", id, &[("name", name)])
    }

    /// A shipping item.
    #[must_use]
    pub fn with_ship_item(self, id: u64, name: &str) -> Self {
        self.simple("shipItem", id, &[("name", name)])
    }

    /// An account of the books.
    #[must_use]
    pub fn with_account(self, id: u64, name: &str) -> Self {
        self.simple("account", id, &[("name", name), ("number", name)])
    }

    /// A vendor.
    #[must_use]
    pub fn with_vendor(self, id: u64, name: &str) -> Self {
        self.simple("vendor", id, &[("name", name)])
    }

    /// A purchase order.
    #[must_use]
    pub fn with_purchase_order(mut self, order: PurchaseOrder) -> Self {
        self.purchases.push(order);
        self
    }

    /// A payment method.
    #[must_use]
    pub fn with_payment_method(self, id: u64, name: &str) -> Self {
        self.simple("paymentMethod", id, &[("name", name)])
    }

    /// An item.
    #[must_use]
    pub fn with_item(mut self, item: Item) -> Self {
        self.items.push(item);
        self
    }

    /// A customer.
    #[must_use]
    pub fn with_customer(mut self, customer: Customer) -> Self {
        self.customers.push(customer);
        self
    }

    /// A price.
    #[must_use]
    pub fn with_price(mut self, price: Price) -> Self {
        self.prices.push(price);
        self
    }

    /// What lies at a location.
    #[must_use]
    pub fn with_stock(mut self, item: u64, location: u64, quantity: impl Into<Decimal>) -> Self {
        self.stock.push((item, location, quantity.into()));
        self
    }

    /// A custom field, by its script id.
    #[must_use]
    pub fn with_custom_field(mut self, name: &str) -> Self {
        self.settings.push((format!("field/{name}"), "text".to_owned()));
        self
    }

    /// The tax engine: `suite`, `legacy` or `none`.
    #[must_use]
    pub fn with_tax(mut self, engine: &str) -> Self {
        self.settings.push(("tax".to_owned(), engine.to_owned()));
        self
    }

    /// The rate of tax in a country, in per cent.
    #[must_use]
    pub fn with_tax_rate(mut self, country: &str, percent: Decimal) -> Self {
        self.settings.push((format!("rate/{country}"), percent.to_string()));
        self
    }

    /// A tax code of an account with legacy tax, and its rate in per cent.
    #[must_use]
    pub fn with_tax_code(mut self, id: u64, percent: Decimal) -> Self {
        self.settings.push((format!("taxcode/{id}"), percent.to_string()));
        self
    }

    /// The zone in which the account writes times; UTC if none is said.
    #[must_use]
    pub fn with_zone(mut self, zone: &str) -> Self {
        self.settings.push(("zone".to_owned(), zone.to_owned()));
        self
    }

    /// Lets people number customers themselves: the account makes no numbers, and a name is one if nobody states another.
    #[must_use]
    pub fn with_own_customer_numbers(mut self) -> Self {
        self.settings.push((crate::customers::OWN_NUMBERS.to_owned(), "yes".to_owned()));
        self
    }

    /// Lets the account bill what has not shipped.
    #[must_use]
    pub fn with_billing_ahead(mut self) -> Self {
        self.settings.push(("bill-ahead".to_owned(), "yes".to_owned()));
        self
    }

    /// The integration user's date format, which filters of lists and dates in rows follow; `MM/DD/YYYY` if none is said.
    #[must_use]
    pub fn with_date_format(mut self, format: &str) -> Self {
        self.settings.push(("date-format".to_owned(), format.to_owned()));
        self
    }

    /// Lets customers buy in every currency of the account.
    #[must_use]
    pub fn with_multi_currency_customers(mut self) -> Self {
        self.settings.push(("multi-currency-customers".to_owned(), "yes".to_owned()));
        self
    }
}
