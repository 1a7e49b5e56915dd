use super::Address;
use crate::custom::CustomFields;
use crate::id::{Key, NativeId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A person or company that buys. Personal data: `Debug` shows key and kind.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Customer {
    /// Its key in all systems.
    pub key: Key,
    /// The id in the system that it was read from.
    pub native_id: Option<NativeId>,
    /// Person or company.
    pub kind: CustomerKind,
    /// E-mail, the usual identity in a shop.
    pub email: String,
    /// Given names.
    pub first_name: String,
    /// Family name, or the company's name.
    pub last_name: String,
    /// The website or sales area that it belongs to.
    pub scope: String,
    /// The customer group or price list in the source's words.
    pub group: Option<String>,
    /// Value added tax number.
    pub tax_id: Option<String>,
    /// Its number in the other system, where this one carries it.
    pub external_id: Option<String>,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// When it was last changed, if the system says.
    pub updated_at: Option<Timestamp>,
    /// What only this merchant has.
    pub custom: CustomFields,
}

impl Customer {
    /// A person with an e-mail.
    pub fn new(key: Key, kind: CustomerKind, email: impl Into<String>) -> Self {
        Self {
            key,
            native_id: None,
            kind,
            email: email.into(),
            first_name: String::new(),
            last_name: String::new(),
            scope: String::new(),
            group: None,
            tax_id: None,
            external_id: None,
            addresses: Vec::new(),
            updated_at: None,
            custom: CustomFields::new(),
        }
    }

    /// First and last name.
    #[must_use]
    pub fn with_name(mut self, first: impl Into<String>, last: impl Into<String>) -> Self {
        self.first_name = first.into();
        self.last_name = last.into();
        self
    }

    /// Its addresses.
    #[must_use]
    pub fn with_addresses(mut self, addresses: Vec<Address>) -> Self {
        self.addresses = addresses;
        self
    }
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Customer({}, {:?}, …)", self.key, self.kind)
    }
}

/// Person or company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerKind {
    /// A natural person.
    Person,
    /// A company.
    Company,
}

/// By what a customer may be recognised in another system.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CustomerIdentity {
    /// Our key, if the other system stores it.
    pub key: Option<Key>,
    /// E-mail.
    pub email: Option<String>,
    /// Value added tax number.
    pub tax_id: Option<String>,
}

impl CustomerIdentity {
    /// Nothing known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// By our key.
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// By e-mail.
    #[must_use]
    pub fn with_email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }
}

impl fmt::Debug for CustomerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomerIdentity").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What to change about a customer. `None` leaves a field as it is; addresses are merged, never deleted here.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct CustomerPatch {
    /// The customer as wanted.
    pub customer: Customer,
    /// The native id to update; `None` creates, after a look-up by key.
    pub native_id: Option<NativeId>,
}

impl CustomerPatch {
    /// Make the target's customer like this one.
    #[must_use]
    pub fn new(customer: Customer, native_id: Option<NativeId>) -> Self {
        Self { customer, native_id }
    }
}

impl fmt::Debug for CustomerPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomerPatch({:?} → {:?})", self.customer.key, self.native_id)
    }
}
