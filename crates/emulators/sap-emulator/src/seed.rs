//! What an emulated company starts with.

use crate::pricing::ConditionType;
use erp_core::Decimal;
use erp_core::time::Date;

/// Everything to load at once. Loading adds to what is there; the same key replaces.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SapSeed {
    /// Sales areas that exist.
    pub areas: Vec<SalesArea>,
    /// Plants that exist.
    pub plants: Vec<String>,
    /// Sales document types that exist; `OR` always does.
    pub order_types: Vec<String>,
    /// Materials, sold in every area.
    pub materials: Vec<Material>,
    /// Customers.
    pub customers: Vec<Customer>,
    /// Condition records.
    pub prices: Vec<Price>,
    /// Tax percentages.
    pub taxes: Vec<TaxRate>,
    /// Unrestricted stock.
    pub stock: Vec<Stock>,
    /// Condition types beyond the standard ones.
    pub condition_types: Vec<ConditionType>,
}

impl SapSeed {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a sales area.
    #[must_use]
    pub fn with_area(mut self, area: SalesArea) -> Self {
        self.areas.push(area);
        self
    }

    /// With a plant.
    #[must_use]
    pub fn with_plant(mut self, plant: &str) -> Self {
        self.plants.push(plant.to_owned());
        self
    }

    /// With a sales document type.
    #[must_use]
    pub fn with_order_type(mut self, order_type: &str) -> Self {
        self.order_types.push(order_type.to_owned());
        self
    }

    /// With a material.
    #[must_use]
    pub fn with_material(mut self, material: Material) -> Self {
        self.materials.push(material);
        self
    }

    /// With a customer.
    #[must_use]
    pub fn with_customer(mut self, customer: Customer) -> Self {
        self.customers.push(customer);
        self
    }

    /// With a condition record.
    #[must_use]
    pub fn with_price(mut self, price: Price) -> Self {
        self.prices.push(price);
        self
    }

    /// With a tax percentage.
    #[must_use]
    pub fn with_tax(mut self, tax: TaxRate) -> Self {
        self.taxes.push(tax);
        self
    }

    /// With unrestricted stock.
    #[must_use]
    pub fn with_stock(mut self, stock: Stock) -> Self {
        self.stock.push(stock);
        self
    }

    /// With a condition type of the company's own.
    #[must_use]
    pub fn with_condition_type(mut self, condition_type: ConditionType) -> Self {
        self.condition_types.push(condition_type);
        self
    }
}

/// A sales area.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalesArea {
    /// `SalesOrganization`.
    pub organization: String,
    /// `DistributionChannel`.
    pub channel: String,
    /// `OrganizationDivision`.
    pub division: String,
}

impl SalesArea {
    /// An area such as `1710`, `10`, `00`.
    pub fn new(organization: &str, channel: &str, division: &str) -> Self {
        Self {
            organization: organization.to_owned(),
            channel: channel.to_owned(),
            division: division.to_owned(),
        }
    }
}

/// A material.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Material {
    /// `Product`; made upper case, as SAP does.
    pub number: String,
    /// Its description in English.
    pub description: String,
    /// The base unit as English users see it, such as `PC`.
    pub unit: String,
    /// The unit's ISO code, such as `PCE`.
    pub iso_unit: String,
    /// The plant that delivers it by default.
    pub plant: String,
    /// Gross and net weight of one unit, in kilograms.
    pub weight: Decimal,
    /// The tax classification, such as `1` for full and `0` for none.
    pub tax_class: String,
}

impl Material {
    /// A fully taxed piece good of this plant.
    pub fn new(number: &str, description: &str, plant: &str) -> Self {
        Self {
            number: number.to_uppercase(),
            description: description.to_owned(),
            unit: "PC".to_owned(),
            iso_unit: "PCE".to_owned(),
            plant: plant.to_owned(),
            weight: Decimal::ONE,
            tax_class: "1".to_owned(),
        }
    }

    /// Counted in this unit; the second is its ISO code.
    #[must_use]
    pub fn with_unit(mut self, unit: &str, iso: &str) -> Self {
        (self.unit, self.iso_unit) = (unit.to_owned(), iso.to_owned());
        self
    }

    /// This heavy, in kilograms.
    #[must_use]
    pub fn with_weight(mut self, weight: Decimal) -> Self {
        self.weight = weight;
        self
    }

    /// Taxed by this classification.
    #[must_use]
    pub fn with_tax_class(mut self, class: &str) -> Self {
        class.clone_into(&mut self.tax_class);
        self
    }
}

/// A customer with one address, extended to all sales areas.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Customer {
    /// `Customer` and `BusinessPartner`.
    pub number: String,
    /// The name of the organisation.
    pub name: String,
    /// The country of its address.
    pub country: String,
    /// The state of its address.
    pub region: String,
    /// The currency of its sales areas.
    pub currency: String,
    /// `PriceListType` of its sales areas.
    pub price_list: String,
    /// Its mail address.
    pub email: String,
    /// Whether it stands for all who buy once.
    pub one_time: bool,
}

impl Customer {
    /// A customer in a country.
    pub fn new(number: &str, name: &str, country: &str, currency: &str) -> Self {
        Self {
            number: number.to_owned(),
            name: name.to_owned(),
            country: country.to_owned(),
            region: String::new(),
            currency: currency.to_owned(),
            price_list: String::new(),
            email: String::new(),
            one_time: false,
        }
    }

    /// In this state.
    #[must_use]
    pub fn with_region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// With this price list.
    #[must_use]
    pub fn with_price_list(mut self, price_list: &str) -> Self {
        price_list.clone_into(&mut self.price_list);
        self
    }

    /// With this mail address.
    #[must_use]
    pub fn with_email(mut self, email: &str) -> Self {
        email.clone_into(&mut self.email);
        self
    }

    /// One that stands for all who buy once.
    #[must_use]
    pub fn one_time(mut self) -> Self {
        self.one_time = true;
        self
    }
}

impl std::fmt::Debug for Customer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Customer")
            .field("number", &self.number)
            .field("one_time", &self.one_time)
            .finish_non_exhaustive()
    }
}

/// A condition record: a price, or a discount that is found by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Price {
    /// The condition type: `PPR0` is the price.
    pub condition_type: String,
    /// Rate, or percent.
    pub rate: Decimal,
    /// The rate's currency; empty for percent.
    pub currency: String,
    /// The rate is for this many units.
    pub per: u32,
    /// For this material only.
    pub material: Option<String>,
    /// For this customer only.
    pub customer: Option<String>,
    /// For this price list only.
    pub price_list: Option<String>,
    /// Valid from this day.
    pub from: Option<Date>,
    /// Valid to this day.
    pub to: Option<Date>,
    /// From this quantity this rate.
    pub scales: Vec<(Decimal, Decimal)>,
}

impl Price {
    /// A material's list price in every sales organisation and channel.
    pub fn list(material: &str, rate: Decimal, currency: &str) -> Self {
        Self {
            condition_type: "PPR0".to_owned(),
            rate,
            currency: currency.to_owned(),
            per: 1,
            material: Some(material.to_uppercase()),
            customer: None,
            price_list: None,
            from: None,
            to: None,
            scales: Vec::new(),
        }
    }

    /// A customer's discount in percent, found by itself as `K007`.
    pub fn customer_discount(customer: &str, percent: Decimal) -> Self {
        let mut price = Self::list("", percent, "");
        "K007".clone_into(&mut price.condition_type);
        (price.material, price.customer) = (None, Some(customer.to_owned()));
        price
    }

    /// Only for this customer.
    #[must_use]
    pub fn for_customer(mut self, customer: &str) -> Self {
        self.customer = Some(customer.to_owned());
        self
    }

    /// Only for this price list.
    #[must_use]
    pub fn for_price_list(mut self, price_list: &str) -> Self {
        self.price_list = Some(price_list.to_owned());
        self
    }

    /// Valid from this day.
    #[must_use]
    pub fn from(mut self, from: Date) -> Self {
        self.from = Some(from);
        self
    }

    /// Valid to this day.
    #[must_use]
    pub fn to(mut self, to: Date) -> Self {
        self.to = Some(to);
        self
    }

    /// For this many units.
    #[must_use]
    pub fn per(mut self, units: u32) -> Self {
        self.per = units;
        self
    }

    /// From this quantity this rate.
    #[must_use]
    pub fn with_scale(mut self, quantity: Decimal, rate: Decimal) -> Self {
        self.scales.push((quantity, rate));
        self
    }
}

/// A tax percentage.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaxRate {
    /// The ship-to's country.
    pub country: String,
    /// The ship-to's state; empty means all that have no rate of their own.
    pub region: String,
    /// The material's classification.
    pub class: String,
    /// Percent.
    pub percent: Decimal,
}

impl TaxRate {
    /// The rate of fully taxed goods.
    pub fn new(country: &str, region: &str, percent: Decimal) -> Self {
        Self { country: country.to_owned(), region: region.to_owned(), class: "1".to_owned(), percent }
    }

    /// The rate of another classification.
    #[must_use]
    pub fn for_class(mut self, class: &str) -> Self {
        class.clone_into(&mut self.class);
        self
    }
}

/// Unrestricted stock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stock {
    /// Whose.
    pub material: String,
    /// Where.
    pub plant: String,
    /// In which storage location.
    pub location: String,
    /// How much, in the base unit.
    pub quantity: Decimal,
}

impl Stock {
    /// Stock in location `0001`.
    pub fn new(material: &str, plant: &str, quantity: impl Into<Decimal>) -> Self {
        Self {
            material: material.to_uppercase(),
            plant: plant.to_owned(),
            location: "0001".to_owned(),
            quantity: quantity.into(),
        }
    }

    /// In another storage location.
    #[must_use]
    pub fn at(mut self, location: &str) -> Self {
        location.clone_into(&mut self.location);
        self
    }
}
