//! Which records there are, their fields, and which permission guards them. Fields are those that integrations of a shop
//! meet; names are the vendor's, out of Oracle's REST API browser of 2026.1 and the SOAP schema.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
    Date,
    Enum,
    Ref(&'static str),
    Sub(&'static str),
    Lines(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) kind: Kind,
    /// NetSuite fills it itself; what comes for it is ignored.
    pub(crate) read_only: bool,
}

/// Within which records an external id is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    Entity,
    Item,
    Transaction,
    Other,
}

#[derive(Debug)]
pub(crate) struct RecordMeta {
    pub(crate) name: &'static str,
    pub(crate) family: Family,
    /// The type in the table of transactions.
    pub(crate) kind: &'static str,
    pub(crate) permission: &'static str,
    /// Whether it touches the books, so that its period must be open.
    pub(crate) posts: bool,
    pub(crate) fields: BTreeMap<&'static str, Field>,
}

const HEAD: &str = "id text!; externalId text; tranId text!; tranDate date; memo text; createdDate text!; lastModifiedDate text!; subsidiary ref:subsidiary; currency ref:currency; customForm ref:form; location ref:location; department ref:department; class ref:class; createdFrom ref:transaction!; status enum!";
const SALE: &str = "entity ref:customer; otherRefNum text; email text; orderStatus enum; billingAddress sub:address; shippingAddress sub:address; shipMethod ref:shipItem; shippingCost num; handlingCost num; shippingTaxCode ref:taxCode; shippingTax1Rate num!; discountItem ref:item; discountRate num; discountTotal num!; subtotal num!; taxTotal num!; total num!; terms ref:term; paymentMethod ref:paymentMethod; taxDetailsOverride flag; taxDetails lines:taxDetail; item lines:saleLine";
const ITEM: &str = "id text!; externalId text; itemId text; displayName text; itemType enum!; stockUnit text; isInactive flag; subsidiary ref:subsidiary; member lines:member; createdDate text!; lastModifiedDate text!";
const LIST: &str = "id text!; externalId text; name text!; symbol text!; number text!; isInactive flag!; lastModifiedDate text!";
const PACKAGES: &str = "package lines:package; packageUps lines:packageUps; packageUsps lines:packageUsps; packageFedEx lines:packageFedEx; shipmentPackage lines:shipmentPackage";

const LISTS: &[(&str, &str)] = &[
    (
        "address",
        "addressee text; attention text; addr1 text; addr2 text; addr3 text; city text; state text; zip text; country enum; addrPhone text; override flag; addrText text",
    ),
    (
        "addressBook",
        "id num; internalId num; addressId text!; defaultBilling flag; defaultShipping flag; isResidential flag; label text; addressBookAddress sub:address",
    ),
    (
        "saleLine",
        "line num; lineUniqueKey num!; item ref:item; description text; quantity num; rate num; amount num; price ref:priceLevel; location ref:location; taxCode ref:taxCode; isTaxable flag; units text; isClosed flag; taxDetailsReference text; grossAmt num; tax1Amt num!; taxRate1 num!; quantityFulfilled num!; quantityBilled num!; quantityCommitted num!; itemType enum!; orderLine num; quantityPicked num!; quantityPacked num!; quantityReturned num!; quantityReceived num!; quantityCredited num!",
    ),
    (
        "taxDetail",
        "taxDetailsReference text; taxType ref:taxType; taxCode ref:taxCode; taxBasis num; taxRate num; taxAmount num",
    ),
    ("shipLine", "orderLine num; item ref:item!; itemreceive flag; location ref:location; quantity num"),
    ("package", "packageWeight num; packageDescr text; packageTrackingNumber text"),
    ("packageUps", "packageTrackingNumberUps text"),
    ("packageUsps", "packageTrackingNumberUsps text"),
    ("packageFedEx", "packageTrackingNumberFedEx text"),
    ("shipmentPackage", "trackingNumber text"),
    (
        "receiptLine",
        "line num!; orderLine num; item ref:item!; itemReceive flag; location ref:location; quantity num; restock flag; itemType enum!",
    ),
    ("member", "item ref:item; quantity num"),
    ("applyLine", "apply flag; doc ref:transaction; amount num"),
    ("adjustLine", "line num; item ref:item; location ref:location; adjustQtyBy num; unitCost num"),
    ("transferLine", "line num; item ref:item; description text; quantityOnHand num!; adjustQtyBy num"),
    (
        "purchaseLine",
        "line num; item ref:item; description text; quantity num; units text; rate num; amount num; location ref:location; isClosed flag; itemType enum!; quantityReceived num!; quantityBilled num!",
    ),
];

fn fields(text: &'static str) -> BTreeMap<&'static str, Field> {
    let mut fields = BTreeMap::new();
    for part in text.split(';') {
        let Some((name, kind)) = part.trim().split_once(' ') else { continue };
        let read_only = kind.ends_with('!');
        let kind = match kind.trim_end_matches('!').split_once(':') {
            Some(("ref", of)) => Kind::Ref(of),
            Some(("sub", of)) => Kind::Sub(of),
            Some((_, of)) => Kind::Lines(of),
            None => match kind.trim_end_matches('!') {
                "num" => Kind::Number,
                "flag" => Kind::Flag,
                "date" => Kind::Date,
                "enum" => Kind::Enum,
                _ => Kind::Text,
            },
        };
        fields.insert(name, Field { kind, read_only });
    }
    fields
}

/// Name, family, type, permission, posts, more fields.
type Row = (&'static str, Family, &'static str, &'static str, bool, &'static [&'static str]);

const RECORDS: &[Row] = &[
    (
        "customer",
        Family::Entity,
        "",
        "LIST_CUSTJOB",
        false,
        &[
            "id text!; entityId text!; externalId text; isPerson flag; companyName text; firstName text; lastName text; email text; phone text; subsidiary ref:subsidiary; currency ref:currency; priceLevel ref:priceLevel; terms ref:term; category ref:category; vatRegNumber text; isInactive flag; stage enum!; entityStatus ref:customerStatus; comments text; memo text; customForm ref:form; addressBook lines:addressBook; dateCreated text!; lastModifiedDate text!",
        ],
    ),
    ("inventoryItem", Family::Item, "", "LIST_ITEM", false, &[ITEM]),
    ("lotNumberedInventoryItem", Family::Item, "", "LIST_ITEM", false, &[ITEM]),
    ("serializedInventoryItem", Family::Item, "", "LIST_ITEM", false, &[ITEM]),
    ("nonInventorySaleItem", Family::Item, "", "LIST_ITEM", false, &[ITEM]),
    ("serviceSaleItem", Family::Item, "", "LIST_ITEM", false, &[ITEM]),
    ("kitItem", Family::Item, "", "LIST_ITEM", false, &[ITEM]),
    ("assemblyItem", Family::Item, "", "LIST_ITEM", false, &[ITEM]),
    ("otherChargeSaleItem", Family::Item, "", "LIST_ITEM", false, &[ITEM]),
    ("discountItem", Family::Item, "", "LIST_ITEM", false, &[ITEM]),
    ("giftCertificateItem", Family::Item, "", "LIST_ITEM", false, &[ITEM]),
    ("location", Family::Other, "", "LIST_LOCATION", false, &[LIST]),
    ("subsidiary", Family::Other, "", "LIST_SUBSIDIARY", false, &[LIST]),
    ("currency", Family::Other, "", "LIST_CURRENCY", false, &[LIST]),
    ("priceLevel", Family::Other, "", "ADMI_ACCOUNTINGLIST", false, &[LIST]),
    ("shipItem", Family::Other, "", "LIST_SHIPITEM", false, &[LIST]),
    ("account", Family::Other, "", "LIST_ACCOUNT", false, &[LIST]),
    ("vendor", Family::Other, "", "LIST_VENDOR", false, &[LIST]),
    ("paymentMethod", Family::Other, "", "ADMI_ACCOUNTINGLIST", false, &[LIST]),
    ("salesOrder", Family::Transaction, "SalesOrd", "TRAN_SALESORD", false, &[HEAD, SALE]),
    ("cashSale", Family::Transaction, "CashSale", "TRAN_CASHSALE", true, &[HEAD, SALE]),
    (
        "invoice",
        Family::Transaction,
        "CustInvc",
        "TRAN_CUSTINVC",
        true,
        &[HEAD, SALE, "amountPaid num!; amountRemaining num!"],
    ),
    ("returnAuthorization", Family::Transaction, "RtnAuth", "TRAN_RTNAUTH", false, &[HEAD, SALE]),
    (
        "itemReceipt",
        Family::Transaction,
        "ItemRcpt",
        "TRAN_ITEMRCPT",
        true,
        &[HEAD, "entity ref:entity!; item lines:receiptLine"],
    ),
    (
        "purchaseOrder",
        Family::Transaction,
        "PurchOrd",
        "TRAN_PURCHORD",
        false,
        &[
            HEAD,
            "entity ref:vendor; otherRefNum text; email text; orderStatus enum; total num!; item lines:purchaseLine",
        ],
    ),
    (
        "creditMemo",
        Family::Transaction,
        "CustCred",
        "TRAN_CUSTCRED",
        true,
        &[HEAD, SALE, "apply lines:applyLine; applied num!; unapplied num!"],
    ),
    ("cashRefund", Family::Transaction, "CashRfnd", "TRAN_CASHRFND", true, &[HEAD, SALE]),
    (
        "itemFulfillment",
        Family::Transaction,
        "ItemShip",
        "TRAN_ITEMSHIP",
        true,
        &[
            HEAD,
            PACKAGES,
            "entity ref:customer!; inventoryLocation ref:location; shipStatus enum; shipMethod ref:shipItem; item lines:shipLine",
        ],
    ),
    (
        "customerDeposit",
        Family::Transaction,
        "CustDep",
        "TRAN_CUSTDEP",
        true,
        &[
            HEAD,
            "customer ref:customer; salesOrder ref:transaction; payment num; paymentMethod ref:paymentMethod; account ref:account; undepFunds flag",
        ],
    ),
    (
        "inventoryAdjustment",
        Family::Transaction,
        "InvAdjst",
        "TRAN_INVADJST",
        true,
        &[HEAD, "account ref:account; adjLocation ref:location; inventory lines:adjustLine"],
    ),
    (
        "inventoryTransfer",
        Family::Transaction,
        "InvTrnfr",
        "TRAN_INVTRNFR",
        true,
        &[HEAD, "transferLocation ref:location; inventory lines:transferLine"],
    ),
];

fn records() -> &'static [RecordMeta] {
    static RECORDS_READ: OnceLock<Vec<RecordMeta>> = OnceLock::new();
    RECORDS_READ.get_or_init(|| {
        RECORDS
            .iter()
            .map(|(name, family, kind, permission, posts, parts)| RecordMeta {
                name,
                family: *family,
                kind,
                permission,
                posts: *posts,
                fields: parts.iter().flat_map(|part| fields(part)).collect(),
            })
            .collect()
    })
}

/// The record of this name, whatever its capitals: Oracle's own pages write them both ways.
pub(crate) fn record(name: &str) -> Option<&'static RecordMeta> {
    records().iter().find(|record| record.name.eq_ignore_ascii_case(name))
}

/// All records.
pub(crate) fn all() -> impl Iterator<Item = &'static RecordMeta> {
    records().iter()
}

/// All records that are items.
pub(crate) fn items() -> impl Iterator<Item = &'static RecordMeta> {
    records().iter().filter(|record| record.family == Family::Item)
}

/// The record that items of a kind are kept in: there is none called item.
pub(crate) fn item_record(kind: &str) -> &'static str {
    match kind {
        "NonInvtPart" => "nonInventorySaleItem",
        "Service" => "serviceSaleItem",
        "Kit" => "kitItem",
        "Assembly" => "assemblyItem",
        "OthCharge" => "otherChargeSaleItem",
        "Discount" => "discountItem",
        "GiftCert" => "giftCertificateItem",
        _ => "inventoryItem",
    }
}

/// The kind of the items that a record keeps.
pub(crate) fn item_kind(record: &str) -> &'static str {
    const KINDS: [&str; 7] =
        ["NonInvtPart", "Service", "Kit", "Assembly", "OthCharge", "Discount", "GiftCert"];
    KINDS.into_iter().find(|kind| item_record(kind) == record).unwrap_or("InvtPart")
}

/// All transactions.
pub(crate) fn transactions() -> impl Iterator<Item = &'static RecordMeta> {
    records().iter().filter(|record| record.family == Family::Transaction)
}

/// The fields of a sublist's lines or of a subrecord.
pub(crate) fn list(name: &str) -> &'static BTreeMap<&'static str, Field> {
    static LISTS_READ: OnceLock<BTreeMap<&'static str, BTreeMap<&'static str, Field>>> = OnceLock::new();
    static NONE: BTreeMap<&'static str, Field> = BTreeMap::new();
    LISTS_READ
        .get_or_init(|| LISTS.iter().map(|(name, text)| (*name, fields(text))).collect())
        .get(name)
        .unwrap_or(&NONE)
}
