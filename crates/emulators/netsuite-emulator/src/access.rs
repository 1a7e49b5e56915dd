//! What the integration's role may do.

use crate::meta::RecordMeta;
use crate::refusal::Refusal;
use crate::state::World;

/// How much a permission allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Read.
    View,
    /// Read and add.
    Create,
    /// Read, add and change.
    Edit,
    /// All, deleting too.
    Full,
}

impl Level {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::View => 1,
            Self::Create => 2,
            Self::Edit => 3,
            Self::Full => 4,
        }
    }

    fn of(text: &str) -> Option<Self> {
        [Self::View, Self::Create, Self::Edit, Self::Full]
            .into_iter()
            .find(|level| level.number().to_string() == text)
    }
}

/// Id, tab and name, as the role's page shows them.
const NAMES: &[(&str, &str, &str)] = &[
    ("ADMI_RESTWEBSERVICES", "Setup", "REST Web Services"),
    ("ADMI_WEBSERVICES", "Setup", "SOAP Web Services"),
    ("ADMI_LOGIN_OAUTH2", "Setup", "Log In using OAuth 2.0 Access Tokens"),
    ("ADMI_LOGIN_OAUTH", "Setup", "Log In using Access Tokens"),
    ("ADMI_DELETEDRECORD", "Setup", "Deleted Records"),
    ("ADMI_MANAGEROLES", "Setup", "Bulk Manage Roles"),
    ("ADMI_ACCOUNTINGLIST", "Setup", "Accounting Lists"),
    ("ADMI_ACCTPERIODS", "Setup", "Manage Accounting Periods"),
    ("REPO_ANALYTICS", "Reports", "SuiteAnalytics Workbook"),
    ("LIST_ITEM", "Lists", "Items"),
    ("LIST_LOCATION", "Lists", "Locations"),
    ("LIST_CUSTJOB", "Lists", "Customers"),
    ("LIST_ADDRESS", "Lists", "Address"),
    ("LIST_SUBSIDIARY", "Lists", "Subsidiaries"),
    ("LIST_CURRENCY", "Lists", "Currency"),
    ("LIST_SHIPITEM", "Lists", "Shipping Items"),
    ("LIST_ACCOUNT", "Lists", "Accounts"),
    ("LIST_VENDOR", "Lists", "Vendors"),
    ("TRAN_FIND", "Transactions", "Find Transaction"),
    ("TRAN_SALESORD", "Transactions", "Sales Order"),
    ("TRAN_CASHSALE", "Transactions", "Cash Sale"),
    ("TRAN_CUSTINVC", "Transactions", "Invoice"),
    ("TRAN_ITEMSHIP", "Transactions", "Item Fulfillment"),
    ("TRAN_CUSTDEP", "Transactions", "Customer Deposit"),
    ("TRAN_INVADJST", "Transactions", "Adjust Inventory"),
    ("TRAN_INVTRNFR", "Transactions", "Transfer Inventory"),
    ("TRAN_PURCHORD", "Transactions", "Purchase Order"),
    ("TRAN_RTNAUTH", "Transactions", "Return Authorization"),
    ("TRAN_ITEMRCPT", "Transactions", "Item Receipt"),
    ("TRAN_CUSTCRED", "Transactions", "Credit Memo"),
    ("TRAN_CASHRFND", "Transactions", "Cash Sale Refund"),
];

/// Permissions of administrators, which an integration's role does not begin with.
const BEYOND: &[(&str, &str, &str)] = &[("ADMI_AUDITLOGIN", "Setup", "View Login Audit Trail")];

/// The permissions that a full integration's role has.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(id, ..)| *id)
}

/// What guards a table of SuiteQL. Tables that are not here are not there.
pub(crate) fn of_table(table: &str) -> Option<&'static str> {
    Some(match table {
        "item" | "aggregateitemlocation" | "inventoryitemlocations" | "inventorybalance" | "pricing" => {
            "LIST_ITEM"
        }
        "pricelevel" | "paymentmethod" => "ADMI_ACCOUNTINGLIST",
        "customer"
        | "customeritempricing"
        | "customergrouppricing"
        | "pricingwithcustomers"
        | "customeraddressbook"
        | "customersubsidiaryrelationship" => "LIST_CUSTJOB",
        "customeraddressbookentityaddress" => "LIST_ADDRESS",
        "transaction" | "transactionline" | "nexttransactionlinelink" | "previoustransactionlinelink" => {
            "TRAN_FIND"
        }
        "trackingnumber" | "trackingnumbermap" => "TRAN_ITEMSHIP",
        "accountingperiod" => "ADMI_ACCTPERIODS",
        "deletedrecord" => "ADMI_DELETEDRECORD",
        "currency" => "LIST_CURRENCY",
        "location" => "LIST_LOCATION",
        "subsidiary" => "LIST_SUBSIDIARY",
        "shipitem" => "LIST_SHIPITEM",
        "account" => "LIST_ACCOUNT",
        "vendor" => "LIST_VENDOR",
        "loginaudit" => "ADMI_AUDITLOGIN",
        "role" | "rolepermissions" => "ADMI_MANAGEROLES",
        "dual" => "",
        _ => return None,
    })
}

/// The role's level of a permission.
pub(crate) fn level(world: &World, permission: &str) -> Option<Level> {
    Level::of(world.setting(&format!("permission/{permission}"))?)
}

pub(crate) fn may(world: &World, permission: &str, wanted: Level) -> bool {
    permission.is_empty() || level(world, permission).is_some_and(|level| level >= wanted)
}

/// NetSuite's sentence about a missing permission: one where there is none, another where the level is too low.
pub(crate) fn sentence(world: &World, permission: &str) -> String {
    let (_, tab, name) = NAMES
        .iter()
        .chain(BEYOND)
        .find(|(id, ..)| *id == permission)
        .copied()
        .unwrap_or((permission, "Lists", permission));
    if level(world, permission).is_some() {
        format!(
            "Permission Violation: You need a higher level of permission for {name} to access this page. Please contact your account administrator."
        )
    } else {
        format!(
            "Permission Violation: You need  the '{tab} -> {name}' permission to access this page. Please contact your account administrator."
        )
    }
}

/// Refuses what the role may not do with a record.
pub(crate) fn check(world: &World, record: &RecordMeta, wanted: Level, hidden: bool) -> Result<(), Refusal> {
    if may(world, record.permission, wanted) {
        return Ok(());
    }
    Err(if hidden {
        Refusal::new(404, "NONEXISTENT_ID", format!("Record type '{}' does not exist.", record.name))
    } else {
        Refusal::new(403, "INSUFFICIENT_PERMISSION", sentence(world, record.permission))
    })
}
