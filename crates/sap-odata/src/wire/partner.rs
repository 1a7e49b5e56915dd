use super::Row;
use erp_core::error::Result;
use erp_core::id::EntityTag;
use erp_core::time::Date;
use std::time::Duration;

/// An `A_BusinessPartner` with its addresses. Personal data: `Debug` shows the number.
#[derive(Clone)]
#[non_exhaustive]
pub struct PartnerRecord {
    /// `BusinessPartner`.
    pub business_partner: String,
    /// `Customer`; empty for a partner without the role of a customer.
    pub customer: String,
    /// `BusinessPartnerCategory`: 1 person, 2 organisation.
    pub business_partner_category: String,
    /// `FirstName`.
    pub first_name: String,
    /// `LastName`.
    pub last_name: String,
    /// `OrganizationBPName1`.
    pub organization_bp_name1: String,
    /// `BusinessPartnerIDByExtSystem`: 20 characters, stored in capitals.
    pub business_partner_id_by_ext_system: String,
    /// `BusinessPartnerIsBlocked`, or `IsMarkedForArchiving`.
    pub blocked: bool,
    /// `LastChangeDate`, or `CreationDate` of a partner that nobody has changed.
    pub last_change_date: Option<Date>,
    /// `LastChangeTime`, or `CreationTime`, in the system's zone.
    pub last_change_time: Option<Duration>,
    /// `to_BusinessPartnerAddress`.
    pub addresses: Vec<PartnerAddress>,
    /// `BPTaxNumber` of the first entry of `to_BusinessPartnerTax`.
    pub tax_number: Option<String>,
    /// The property `ETag`, or `__metadata.etag`.
    pub etag: Option<EntityTag>,
}

impl PartnerRecord {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: &Row) -> Result<Self> {
        let addresses = row.rows("to_BusinessPartnerAddress")?.unwrap_or_default();
        let taxes = row.rows("to_BusinessPartnerTax")?.unwrap_or_default();
        let changed = row.date("LastChangeDate")?;
        let clock = if changed.is_some() { "LastChangeTime" } else { "CreationTime" };
        Ok(Self {
            business_partner: row.required("BusinessPartner")?,
            customer: row.text("Customer")?,
            business_partner_category: row.text("BusinessPartnerCategory")?,
            first_name: row.text("FirstName")?,
            last_name: row.text("LastName")?,
            organization_bp_name1: row.text("OrganizationBPName1")?,
            business_partner_id_by_ext_system: row.text("BusinessPartnerIDByExtSystem")?,
            blocked: row.flag("BusinessPartnerIsBlocked")? || row.flag("IsMarkedForArchiving")?,
            last_change_date: changed.or(row.date("CreationDate")?),
            last_change_time: row.time(clock)?,
            addresses: addresses.iter().map(PartnerAddress::read).collect::<Result<_>>()?,
            tax_number: taxes.first().map(|tax| tax.filled("BPTaxNumber")).transpose()?.flatten(),
            etag: row.filled("ETag")?.map(EntityTag::from).or_else(|| row.etag()),
        })
    }
}

impl std::fmt::Debug for PartnerRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartnerRecord({}, …)", self.business_partner)
    }
}

/// An `A_BusinessPartnerAddress` with its first e-mail and telephone. Personal data.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartnerAddress {
    /// `AddressID`.
    pub address_id: String,
    /// `StreetName`.
    pub street_name: String,
    /// `HouseNumber`.
    pub house_number: String,
    /// `StreetSuffixName`.
    pub street_suffix_name: String,
    /// `CityName`.
    pub city_name: String,
    /// `PostalCode`.
    pub postal_code: String,
    /// `Region`.
    pub region: String,
    /// `Country`.
    pub country: String,
    /// `EmailAddress` of the default or first entry of `to_EmailAddress`.
    pub email_address: Option<String>,
    /// `Person` and `OrdinalNumber` of that entry.
    pub email_key: Option<(String, String)>,
    /// `PhoneNumber` of the first entry of `to_PhoneNumber`.
    pub phone_number: Option<String>,
}

impl PartnerAddress {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: &Row) -> Result<Self> {
        let mails = row.rows("to_EmailAddress")?.unwrap_or_default();
        let mut mail = None;
        for entry in &mails {
            if mail.is_none() || entry.flag("IsDefaultEmailAddress")? {
                mail = Some(entry);
            }
        }
        let email_key = match mail {
            Some(entry) => Some((entry.text("Person")?, entry.text("OrdinalNumber")?)),
            None => None,
        };
        let phones = row.rows("to_PhoneNumber")?.unwrap_or_default();
        Ok(Self {
            address_id: row.text("AddressID")?,
            street_name: row.text("StreetName")?,
            house_number: row.text("HouseNumber")?,
            street_suffix_name: row.text("StreetSuffixName")?,
            city_name: row.text("CityName")?,
            postal_code: row.text("PostalCode")?,
            region: row.text("Region")?,
            country: row.text("Country")?,
            email_address: mail.map(|entry| entry.filled("EmailAddress")).transpose()?.flatten(),
            email_key,
            phone_number: phones.first().map(|phone| phone.filled("PhoneNumber")).transpose()?.flatten(),
        })
    }
}

impl std::fmt::Debug for PartnerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartnerAddress({}, …)", self.country)
    }
}
