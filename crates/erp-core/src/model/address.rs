use serde::{Deserialize, Serialize};
use std::fmt;

/// A postal address with who to reach there. Personal data: `Debug` shows the country only.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Address {
    /// Given names.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Company, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Street lines, in order.
    pub street: Vec<String>,
    /// City.
    pub city: String,
    /// Region or state, as a code where the source knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Postal code; some countries have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// ISO 3166 alpha-2.
    pub country: String,
    /// Telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// E-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Value added tax number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_id: Option<String>,
    /// The target's own id of this address or ship-to party, where the source carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// Whether a customer's bills go here, unless an order says otherwise.
    #[serde(default, skip_serializing_if = "is_not")]
    pub default_billing: bool,
    /// Whether a customer's parcels go here, unless an order says otherwise.
    #[serde(default, skip_serializing_if = "is_not")]
    pub default_shipping: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
const fn is_not(flag: &bool) -> bool {
    !*flag
}

impl Address {
    /// An address in `country` (ISO 3166 alpha-2).
    pub fn new(country: impl Into<String>) -> Self {
        Self { country: country.into(), ..Self::default() }
    }

    /// First and last name.
    #[must_use]
    pub fn with_name(mut self, first: impl Into<String>, last: impl Into<String>) -> Self {
        self.first_name = first.into();
        self.last_name = last.into();
        self
    }

    /// Street lines, city and postal code.
    #[must_use]
    pub fn with_place(
        mut self,
        street: Vec<String>,
        city: impl Into<String>,
        postcode: impl Into<String>,
    ) -> Self {
        self.street = street;
        self.city = city.into();
        self.postcode = Some(postcode.into()).filter(|code: &String| !code.is_empty());
        self
    }

    /// The person's name as one text.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({}, …)", self.country)
    }
}
