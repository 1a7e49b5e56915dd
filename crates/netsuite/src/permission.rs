//! NetSuite's permissions as data: their ids, names, and where a role gets them; what each need of a flow asks for; and how
//! a refusal is read.
//!
//! Names and ids are those of Oracle's permission list (online help, chapter N3236764); which table and record asks for
//! which is Oracle's permission usage sheet of 2024.1 and the record catalogue, as collected by the netsuite-permissions
//! project.

use crate::config::{BilledBy, GuestPolicy, NetsuiteConfig, OrderRecord, RefundDocument};
use erp_core::connector::Need;
use std::fmt;

/// How much a permission allows; each level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    View,
    Create,
    Edit,
    Full,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::View => "View",
            Self::Create => "Create",
            Self::Edit => "Edit",
            Self::Full => "Full",
        })
    }
}

impl Level {
    /// As the table `rolepermissions` writes it. Oracle's sample shows 4 for Full; the rest follows from the order.
    pub(crate) fn from_number(number: &str) -> Option<Self> {
        Some(match number.trim() {
            "1" => Self::View,
            "2" => Self::Create,
            "3" => Self::Edit,
            "4" => Self::Full,
            _ => return None,
        })
    }
}

/// A permission as a role's page shows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Permission {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) tab: &'static str,
}

macro_rules! permissions {
    ($($tab:literal { $($id:ident $name:literal),+ $(,)? })+) => {
        /// Those that a flow may need.
        pub(crate) const ALL: &[Permission] = &[
            $($(Permission { id: stringify!($id), name: $name, tab: $tab }),+),+
        ];
    };
}

permissions! {
    "Setup" {
        ADMI_RESTWEBSERVICES "REST Web Services",
        ADMI_WEBSERVICES "SOAP Web Services",
        ADMI_LOGIN_OAUTH2 "Log In using OAuth 2.0 Access Tokens",
        ADMI_LOGIN_OAUTH "Log In using Access Tokens",
        ADMI_DELETEDRECORD "Deleted Records",
        ADMI_MANAGEROLES "Bulk Manage Roles",
        ADMI_AUDITLOGIN "View Login Audit Trail",
        ADMI_ACCTPERIODS "Manage Accounting Periods",
        ADMI_ACCOUNTINGLIST "Accounting Lists",
        ADMI_CUSTOMSCRIPT "SuiteScript",
    }
    "Reports" {
        REPO_ANALYTICS "SuiteAnalytics Workbook",
    }
    "Lists" {
        LIST_FIND "Perform Search",
        LIST_ITEM "Items",
        LIST_LOCATION "Locations",
        LIST_CUSTJOB "Customers",
        LIST_SUBSIDIARY "Subsidiaries",
        LIST_CURRENCY "Currency",
        LIST_SHIPITEM "Shipping Items",
        LIST_PROMOTIONCODE "Promotion",
        LIST_TAXITEM "Tax Records",
        LIST_ACCOUNT "Accounts",
        LIST_DEPARTMENT "Departments",
        LIST_CLASS "Classes",
        LIST_BIN "Bins",
        LIST_CONTACT "Contacts",
    }
    "Transactions" {
        TRAN_FIND "Find Transaction",
        TRAN_SALESORD "Sales Order",
        TRAN_SALESORDAPPRV "Sales Order Approval",
        TRAN_SALESORDFULFILL "Fulfill Orders",
        TRAN_SALESORDINVOICE "Invoice Sales Orders",
        TRAN_ITEMSHIP "Item Fulfillment",
        TRAN_ITEMRCPT "Item Receipt",
        TRAN_CUSTINVC "Invoice",
        TRAN_CASHSALE "Cash Sale",
        TRAN_RTNAUTH "Return Authorization",
        TRAN_CUSTCRED "Credit Memo",
        TRAN_CASHRFND "Cash Sale Refund",
        TRAN_CUSTRFND "Customer Refund",
        TRAN_CUSTDEP "Customer Deposit",
        TRAN_CUSTPYMT "Customer Payment",
        TRAN_INVADJST "Adjust Inventory",
        TRAN_INVTRNFR "Transfer Inventory",
        TRAN_TRNFRORD "Transfer Order",
        TRAN_PURCHORD "Purchase Order",
    }
}

/// The permission of this id.
pub(crate) fn by_id(id: &str) -> Option<&'static Permission> {
    ALL.iter().find(|permission| permission.id.eq_ignore_ascii_case(id))
}

fn by_name(name: &str) -> Option<&'static Permission> {
    // Refusals name a record in the singular where the list has it in the plural.
    let plain = |text: &str| text.trim().trim_end_matches('s').to_lowercase();
    ALL.iter().find(|permission| plain(permission.name) == plain(name))
}

/// A permission that a role lacks, or has at too low a level.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lack {
    /// Its id, where the name is known here; `TRAN_SALESORD`.
    pub(crate) id: Option<&'static str>,
    pub(crate) name: String,
    pub(crate) tab: String,
    /// The level that is needed, if that is known.
    pub(crate) level: Option<Level>,
}

impl Lack {
    pub(crate) fn of(permission: &'static Permission, level: Level) -> Self {
        Self {
            id: Some(permission.id),
            name: permission.name.to_owned(),
            tab: permission.tab.to_owned(),
            level: Some(level),
        }
    }

    /// Where it is granted.
    pub(crate) fn remedy(&self) -> String {
        let level = self.level.map(|level| format!(" at level {level}")).unwrap_or_default();
        let higher = if self.level.is_none() { ", at a higher level if it is there" } else { "" };
        format!(
            "grant {} at Setup > Users/Roles > Manage Roles > (the role) > Permissions > {}{level}{higher}",
            self.name, self.tab
        )
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {}", self.tab, self.name)?;
        if let Some(id) = self.id {
            write!(f, " ({id})")?;
        }
        if let Some(level) = self.level {
            write!(f, " at {level}")?;
        }
        Ok(())
    }
}

/// Reads NetSuite's sentence about a missing permission, in any of its three forms:
/// `You need  the 'Lists -> Currency' permission`, the same without a tab, and `You need a higher permission for X`.
pub(crate) fn parse(sentence: &str) -> Option<Lack> {
    let text = sentence.replace("-&gt;", "->");
    let named = |tab: &str, name: &str| {
        let known = by_name(name);
        let tab = if tab.is_empty() { known.map_or("(any tab)", |permission| permission.tab) } else { tab };
        Lack {
            id: known.map(|permission| permission.id),
            name: known.map_or(name.trim(), |permission| permission.name).to_owned(),
            tab: tab.trim().to_owned(),
            level: None,
        }
    };
    let (_, rest) = text.split_once("You need")?;
    let rest = rest.trim_start();
    if let Some(quoted) = rest.strip_prefix("the '") {
        let (what, after) = quoted.split_once('\'')?;
        if !after.trim_start().starts_with("permission") {
            return None;
        }
        let (tab, name) = what.split_once("->").unwrap_or(("", what));
        return Some(named(tab.trim(), name));
    }
    let higher = ["a higher level of permission for ", "a higher permission for "];
    let what = higher.iter().find_map(|start| rest.strip_prefix(start))?;
    let (what, _) = what.split_once(" to access this page").unwrap_or((what.trim_end_matches('.'), ""));
    Some(named("", what))
}

/// What one need of a flow asks of the role, and how it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) id: &'static str,
    pub(crate) level: Level,
    /// What becomes impossible without it.
    pub(crate) purpose: &'static str,
    pub(crate) trial: Trial,
}

/// How a permission is tried without writing anything that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trial {
    /// One row of a SuiteQL table.
    Table(&'static str),
    /// The form that a user with this role would get for a new record.
    Form(&'static str),
    /// A change of a record that is not there: whoever may not change is refused for that reason.
    Change(&'static str),
    /// The first of a list of records.
    List(&'static str),
}

const fn want(id: &'static str, level: Level, purpose: &'static str, trial: Trial) -> Want {
    Want { id, level, purpose, trial }
}

const FIND_TRANSACTIONS: Want =
    want("TRAN_FIND", Level::View, "read transactions by SuiteQL", Trial::Table("transaction"));
const READ_ITEMS: Want = want("LIST_ITEM", Level::View, "read items by SuiteQL", Trial::Table("item"));
const SEARCH_CUSTOMERS: Want =
    want("LIST_CUSTJOB", Level::View, "read customers by SuiteQL", Trial::Table("customer"));
const READ_CURRENCIES: Want =
    want("LIST_CURRENCY", Level::View, "read currencies by SuiteQL", Trial::Table("currency"));
const READ_LOCATIONS: Want =
    want("LIST_LOCATION", Level::View, "read locations by SuiteQL", Trial::Table("location"));
const READ_DELETIONS: Want =
    want("ADMI_DELETEDRECORD", Level::View, "notice what was deleted", Trial::Table("deletedrecord"));

const WRITE_ORDERS: &[Want] = &[READ_ITEMS, SEARCH_CUSTOMERS, READ_CURRENCIES, FIND_TRANSACTIONS];
const SALES_ORDERS: &[Want] = &[
    READ_ORDERS,
    want("TRAN_SALESORD", Level::Create, "create sales orders", Trial::Form("salesOrder")),
    want("TRAN_SALESORD", Level::Edit, "amend and close sales orders", Trial::Change("salesOrder")),
];
const CASH_SALES: &[Want] = &[
    READ_CASH_SALES,
    want("TRAN_CASHSALE", Level::Create, "create cash sales", Trial::Form("cashSale")),
    want("TRAN_CASHSALE", Level::Edit, "amend cash sales", Trial::Change("cashSale")),
];
const MAKE_DEPOSITS: Want =
    want("TRAN_CUSTDEP", Level::Create, "make customer deposits", Trial::Form("customerDeposit"));
const MAKE_CUSTOMERS: Want = want("LIST_CUSTJOB", Level::Create, "create customers", Trial::Form("customer"));
const READ_INVENTORY: &[Want] = &[
    READ_ITEMS,
    READ_LOCATIONS,
    want("LIST_ITEM", Level::View, "read stock", Trial::Table("aggregateitemlocation")),
];
const WRITE_INVENTORY: &[Want] = &[
    READ_ITEMS,
    READ_LOCATIONS,
    FIND_TRANSACTIONS,
    want("TRAN_INVADJST", Level::Edit, "adjust stock", Trial::Form("inventoryAdjustment")),
];
const READ_CUSTOMERS: &[Want] = &[
    SEARCH_CUSTOMERS,
    READ_DELETIONS,
    want("LIST_CUSTJOB", Level::View, "read customers", Trial::List("customer")),
];
const WRITE_CUSTOMERS: &[Want] = &[
    SEARCH_CUSTOMERS,
    MAKE_CUSTOMERS,
    want("LIST_CUSTJOB", Level::Edit, "change customers", Trial::Change("customer")),
];
const READ_PRICES: &[Want] = &[
    READ_ITEMS,
    READ_CURRENCIES,
    want("ADMI_ACCOUNTINGLIST", Level::View, "read price levels", Trial::Table("pricelevel")),
    want("LIST_ITEM", Level::View, "read prices", Trial::Table("pricing")),
];
const WRITE_FULFILLMENTS: &[Want] = &[
    FIND_TRANSACTIONS,
    READ_ORDERS,
    want("TRAN_ITEMSHIP", Level::Create, "post item fulfilments", Trial::Form("itemFulfillment")),
];
const READ_ORDERS: Want = want("TRAN_SALESORD", Level::View, "read sales orders", Trial::List("salesOrder"));
const READ_CASH_SALES: Want = want("TRAN_CASHSALE", Level::View, "read cash sales", Trial::List("cashSale"));
const MAKE_RETURNS: Want =
    want("TRAN_RTNAUTH", Level::Create, "make return authorisations", Trial::Form("returnAuthorization"));
const RECEIVE: Want = want("TRAN_ITEMRCPT", Level::Create, "receive goods", Trial::Form("itemReceipt"));
const PAY_BACK: Want = want("TRAN_CASHRFND", Level::Create, "make cash refunds", Trial::Form("cashRefund"));
const WRITE_CREDITS: &[Want] = &[
    READ_ITEMS,
    READ_CURRENCIES,
    READ_ORDERS,
    MAKE_RETURNS,
    RECEIVE,
    want("TRAN_CUSTCRED", Level::Create, "make credit memos", Trial::Form("creditMemo")),
];
const WRITE_CASH_REFUNDS: &[Want] =
    &[READ_ITEMS, READ_CURRENCIES, READ_ORDERS, MAKE_RETURNS, RECEIVE, PAY_BACK];
const REFUND_CASH_SALES: &[Want] = &[READ_ITEMS, READ_CURRENCIES, READ_CASH_SALES, PAY_BACK];
const WRITE_MOVEMENTS: &[Want] = &[
    READ_ITEMS,
    FIND_TRANSACTIONS,
    want("TRAN_PURCHORD", Level::View, "read purchase orders", Trial::List("purchaseOrder")),
    want("TRAN_RTNAUTH", Level::View, "read return authorisations", Trial::List("returnAuthorization")),
    RECEIVE,
    want("TRAN_INVTRNFR", Level::Create, "transfer stock", Trial::Form("inventoryTransfer")),
];
const READ_BILLS: Want = want("TRAN_CUSTINVC", Level::View, "read invoices", Trial::List("invoice"));
const READ_INVOICES: &[Want] =
    &[READ_ITEMS, READ_CURRENCIES, FIND_TRANSACTIONS, READ_DELETIONS, READ_ORDERS, READ_BILLS];
const READ_SALES_OF_ORDERS: &[Want] =
    &[READ_ITEMS, READ_CURRENCIES, FIND_TRANSACTIONS, READ_DELETIONS, READ_ORDERS, READ_CASH_SALES];
const READ_EITHER: &[Want] = &[
    READ_ITEMS,
    READ_CURRENCIES,
    FIND_TRANSACTIONS,
    READ_DELETIONS,
    READ_ORDERS,
    READ_BILLS,
    READ_CASH_SALES,
];
const READ_SALES: &[Want] =
    &[READ_ITEMS, READ_CURRENCIES, FIND_TRANSACTIONS, READ_DELETIONS, READ_CASH_SALES];
const READ_FULFILLMENTS: &[Want] = &[
    FIND_TRANSACTIONS,
    READ_DELETIONS,
    READ_ORDERS,
    want("TRAN_ITEMSHIP", Level::View, "read item fulfilments", Trial::List("itemFulfillment")),
];

/// What a need asks for by what this configuration makes, least first. `None` where NetSuite offers nothing for it here.
pub(crate) fn wants(need: Need, config: &NetsuiteConfig) -> Option<Vec<Want>> {
    let wants = match need {
        Need::WriteOrders => return Some(order_wants(config)),
        Need::ReadInventory => READ_INVENTORY,
        Need::WriteInventory => WRITE_INVENTORY,
        Need::ReadCustomers => READ_CUSTOMERS,
        Need::WriteCustomers => WRITE_CUSTOMERS,
        Need::ReadPrices => READ_PRICES,
        Need::ReadFulfillments => READ_FULFILLMENTS,
        Need::WriteFulfillments => WRITE_FULFILLMENTS,
        Need::WriteRefunds => refund_wants(config),
        Need::WriteMovements => WRITE_MOVEMENTS,
        Need::ReadInvoices => invoice_wants(config),
        _ => return None,
    };
    Some(readable(config, wants.to_vec()))
}

/// Without the currency list, where the configuration stands for it.
fn readable(config: &NetsuiteConfig, mut wants: Vec<Want>) -> Vec<Want> {
    if !config.orders.currencies.is_empty() {
        wants.retain(|want| *want != READ_CURRENCIES);
    }
    wants
}

fn order_wants(config: &NetsuiteConfig) -> Vec<Want> {
    let orders = &config.orders;
    let record = match orders.record {
        OrderRecord::SalesOrder => SALES_ORDERS,
        OrderRecord::CashSale => CASH_SALES,
    };
    let mut wants = [WRITE_ORDERS, record].concat();
    wants.extend(orders.deposits.is_some().then_some(MAKE_DEPOSITS));
    wants.extend((orders.guests != GuestPolicy::Shared).then_some(MAKE_CUSTOMERS));
    readable(config, wants)
}

/// What refunds ask for, by the documents that this configuration makes of them.
fn refund_wants(config: &NetsuiteConfig) -> &'static [Want] {
    match (config.orders.record, config.refunds.document) {
        (OrderRecord::CashSale, _) => REFUND_CASH_SALES,
        (OrderRecord::SalesOrder, RefundDocument::CashRefund) => WRITE_CASH_REFUNDS,
        (OrderRecord::SalesOrder, RefundDocument::CreditMemo) => WRITE_CREDITS,
    }
}

/// What invoices ask for, by the documents that this configuration reads.
pub(crate) fn invoice_wants(config: &NetsuiteConfig) -> &'static [Want] {
    let record = config.orders.record;
    match (record, config.invoices.billed_by(record)) {
        (OrderRecord::CashSale, _) => READ_SALES,
        (OrderRecord::SalesOrder, BilledBy::Invoices) => READ_INVOICES,
        (OrderRecord::SalesOrder, BilledBy::CashSales) => READ_SALES_OF_ORDERS,
        (OrderRecord::SalesOrder, BilledBy::Both) => READ_EITHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_sentences_are_read() {
        let lack = parse("Permission Violation: You need  the 'Lists -&gt; Currency' permission to access this page. Please contact your account administrator.").unwrap();
        assert_eq!((lack.id, lack.tab.as_str(), lack.level), (Some("LIST_CURRENCY"), "Lists", None));
        let lack = parse("Permission Violation: You need a higher permission for custom record type Custom lead to access this page. Ask").unwrap();
        assert_eq!((lack.id, lack.name.as_str()), (None, "custom record type Custom lead"));
        let lack = parse("You need the 'Web Site Management' permission").unwrap();
        assert_eq!(lack.name, "Web Site Management");
        let lack =
            parse("You need a higher level of permission for Sales Order to access this page.").unwrap();
        assert_eq!(lack.id, Some("TRAN_SALESORD"));
        for other in ["", "You need coffee", "You need the 'x", "You need the 'x' thing", "Invalid item"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn every_want_is_in_the_table_and_can_be_granted() {
        let needs = [
            Need::WriteOrders,
            Need::ReadInventory,
            Need::WriteInventory,
            Need::ReadCustomers,
            Need::WriteCustomers,
            Need::ReadPrices,
            Need::ReadFulfillments,
            Need::WriteRefunds,
            Need::WriteMovements,
            Need::ReadInvoices,
        ];
        let account = crate::AccountId::new("1234567").unwrap();
        let mut config = NetsuiteConfig::new(account, crate::NetsuiteAuth::tba("c", "s", "t", "s"));
        config.orders.deposits = serde_json::from_str("{}").ok();
        let mut cash = config.clone();
        cash.orders.record = OrderRecord::CashSale;
        let of = |config: &NetsuiteConfig| needs.map(|need| wants(need, config).unwrap()).concat();
        for want in [of(&config), of(&cash)].concat() {
            let permission = by_id(want.id).unwrap_or_else(|| panic!("{} is not in the table", want.id));
            assert!(Lack::of(permission, want.level).remedy().contains(permission.tab));
        }
        let mut ids: Vec<_> = ALL.iter().map(|permission| permission.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ALL.len(), "no id twice");
    }

    #[test]
    fn levels_are_ordered() {
        assert!(Level::View < Level::Create && Level::Create < Level::Edit && Level::Edit < Level::Full);
        assert_eq!(Level::from_number("4"), Some(Level::Full));
        assert_eq!(Level::from_number("5"), None);
    }
}
