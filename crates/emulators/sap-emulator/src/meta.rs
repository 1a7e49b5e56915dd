//! The service tables: entity sets, keys, lengths and what may be created, updated and filtered.
//!
//! The figures were read from the services' public `$metadata` (S/4HANA, OData V2) and stand in the `meta` folder, one
//! line per property: name, type, flags. Tenant-specific `YY1_` fields are left out, as are sets that no flow needs.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// What a property holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Edm.String with its length, if bounded.
    Str(Option<usize>),
    /// Edm.Boolean.
    Bool,
    /// Edm.Byte to Edm.Int32.
    Int,
    /// Edm.Int64.
    Long,
    /// Edm.Decimal with precision and scale.
    Dec(u32, u32),
    /// Edm.DateTime: a wall clock without zone.
    DateTime,
    /// Edm.DateTimeOffset: an instant.
    Offset,
    /// Edm.Time.
    Time,
    /// Edm.Guid.
    Guid,
}

impl Kind {
    fn parse(text: &str) -> Self {
        let digits = |rest: &str| rest.parse().ok();
        match text.split_at(1) {
            ("b", _) => Self::Bool,
            ("i", _) => Self::Int,
            ("l", _) => Self::Long,
            ("t", _) => Self::Time,
            ("g", _) => Self::Guid,
            ("d", "t") => Self::DateTime,
            ("d", "to") => Self::Offset,
            ("d", rest) => {
                let (precision, scale) = rest.split_once(',').unwrap_or(("31", "14"));
                Self::Dec(precision.parse().unwrap_or(31), scale.parse().unwrap_or(0))
            }
            (_, rest) => Self::Str(digits(rest)),
        }
    }

    /// The name in `$metadata` and in messages.
    pub(crate) fn edm(self) -> &'static str {
        match self {
            Self::Str(_) => "Edm.String",
            Self::Bool => "Edm.Boolean",
            Self::Int => "Edm.Int32",
            Self::Long => "Edm.Int64",
            Self::Dec(..) => "Edm.Decimal",
            Self::DateTime => "Edm.DateTime",
            Self::Offset => "Edm.DateTimeOffset",
            Self::Time => "Edm.Time",
            Self::Guid => "Edm.Guid",
        }
    }
}

/// One property of an entity type.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the annotations of one line, each on its own")]
pub(crate) struct Prop {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) key: bool,
    /// Digits are padded with zeros inside and shown without (the ALPHA exit).
    pub(crate) alpha: bool,
    pub(crate) upper: bool,
    pub(crate) creatable: bool,
    pub(crate) updatable: bool,
    pub(crate) filterable: bool,
    pub(crate) sortable: bool,
    /// An amount: written with the digits of its currency.
    pub(crate) amount: bool,
    pub(crate) currency: bool,
    pub(crate) unit: bool,
}

impl Prop {
    fn parse(line: &'static str) -> Option<Self> {
        let mut words = line.split(' ');
        let (name, kind, flags) = (words.next()?, words.next()?, words.next().unwrap_or(""));
        let has = |flag: char| flags.contains(flag);
        Some(Self {
            name,
            kind: Kind::parse(kind),
            key: has('k'),
            alpha: has('a'),
            upper: has('U'),
            creatable: !has('C'),
            updatable: !has('P') && !has('k'),
            filterable: !has('F'),
            sortable: !has('S'),
            amount: has('$'),
            currency: has('Y'),
            unit: has('M'),
        })
    }

    /// The text as SAP keeps it inside: upper case, numbers padded.
    pub(crate) fn inner(&self, text: &str) -> String {
        let text = if self.upper { text.to_uppercase() } else { text.to_owned() };
        match self.kind {
            Kind::Str(Some(width)) if self.alpha && is_number(&text) => format!("{text:0>width$}"),
            _ => text,
        }
    }

    /// The text as SAP shows it: upper case, numbers without leading zeros.
    pub(crate) fn outer(&self, text: &str) -> String {
        let text = if self.upper { text.to_uppercase() } else { text.to_owned() };
        if self.alpha && is_number(&text) {
            let stripped = text.trim_start_matches('0');
            return if stripped.is_empty() { String::new() } else { stripped.to_owned() };
        }
        text
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A navigation property.
#[derive(Debug)]
pub(crate) struct Nav {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    pub(crate) many: bool,
    /// Which property of the parent equals which of the target.
    pub(crate) join: Vec<(&'static str, &'static str)>,
}

impl Nav {
    fn parse(line: &'static str) -> Option<Self> {
        let mut words = line.split(' ').skip(1);
        let (name, target, many) = (words.next()?, words.next()?, words.next()? == "*");
        let join =
            words.next()?.split(',').map(|pair| pair.split_once('=').unwrap_or((pair, pair))).collect();
        Some(Self { name, target, many, join })
    }

    /// The table of the target.
    pub(crate) fn target(&self) -> &'static SetMeta {
        set(self.target)
    }
}

/// An entity set with its type.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the annotations of one line, each on its own")]
pub(crate) struct SetMeta {
    pub(crate) name: &'static str,
    pub(crate) service: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) creatable: bool,
    pub(crate) updatable: bool,
    pub(crate) deletable: bool,
    pub(crate) addressable: bool,
    pub(crate) pageable: bool,
    pub(crate) etag: Option<&'static str>,
    pub(crate) props: Vec<Prop>,
    pub(crate) navs: Vec<Nav>,
    by_name: BTreeMap<&'static str, usize>,
}

impl SetMeta {
    fn parse(line: &'static str, service: &'static str, namespace: &'static str) -> Option<Self> {
        let mut words = line.split(' ').skip(1);
        let (name, flags) = (words.next()?, words.next()?);
        let has = |flag: char| flags.contains(flag);
        Some(Self {
            name,
            service,
            namespace,
            creatable: has('c'),
            updatable: has('u'),
            deletable: has('d'),
            addressable: has('a'),
            pageable: has('p'),
            etag: words.next().and_then(|word| word.strip_prefix("etag=")),
            props: Vec::new(),
            navs: Vec::new(),
            by_name: BTreeMap::new(),
        })
    }

    pub(crate) fn prop(&self, name: &str) -> Option<&Prop> {
        self.by_name.get(name).map(|index| &self.props[*index])
    }

    pub(crate) fn nav(&self, name: &str) -> Option<&Nav> {
        self.navs.iter().find(|nav| nav.name == name)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Prop> {
        self.props.iter().filter(|prop| prop.key)
    }

    /// `A_SalesOrderType` for `A_SalesOrder`.
    pub(crate) fn type_name(&self) -> String {
        format!("{}Type", self.name)
    }
}

/// A function import.
#[derive(Debug)]
pub(crate) struct Func {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) returns: &'static str,
    pub(crate) params: Vec<(&'static str, Kind)>,
}

impl Func {
    fn parse(line: &'static str) -> Option<Self> {
        let mut words = line.split(' ').skip(1);
        let (name, method, returns) = (words.next()?, words.next()?, words.next()?);
        let params =
            words.filter_map(|word| word.split_once(':')).map(|(name, kind)| (name, Kind::parse(kind)));
        Some(Self { name, method, returns, params: params.collect() })
    }
}

/// One service.
#[derive(Debug)]
pub(crate) struct ServiceMeta {
    /// Its segment in the path, with the version where it has one.
    pub(crate) path: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) sets: Vec<&'static str>,
    pub(crate) funcs: Vec<Func>,
}

#[derive(Debug, Default)]
struct Tables {
    services: Vec<ServiceMeta>,
    sets: BTreeMap<&'static str, SetMeta>,
}

const TEXTS: [&str; 7] = [
    include_str!("meta/sales_order.txt"),
    include_str!("meta/stock.txt"),
    include_str!("meta/availability.txt"),
    include_str!("meta/partner.txt"),
    include_str!("meta/pricing.txt"),
    include_str!("meta/delivery.txt"),
    include_str!("meta/product.txt"),
];

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut tables = Tables::default();
        TEXTS.iter().for_each(|text| tables.read(text));
        tables
    })
}

impl Tables {
    fn read(&mut self, text: &'static str) {
        let mut set: Option<SetMeta> = None;
        let mut service: Option<ServiceMeta> = None;
        for line in text.lines() {
            match line.split(' ').next() {
                Some("service") => {
                    let mut words = line.split(' ').skip(1);
                    service = words.next().zip(words.next()).map(|(path, namespace)| ServiceMeta {
                        path,
                        namespace,
                        sets: Vec::new(),
                        funcs: Vec::new(),
                    });
                }
                Some("set") => {
                    if let (Some(done), Some(service)) = (set.take(), &mut service) {
                        service.sets.push(done.name);
                        self.sets.insert(done.name, done);
                    }
                    set = service.as_ref().and_then(|s| SetMeta::parse(line, s.path, s.namespace));
                }
                Some("nav") => {
                    if let (Some(set), Some(nav)) = (&mut set, Nav::parse(line)) {
                        set.navs.push(nav);
                    }
                }
                Some("func") => {
                    if let (Some(service), Some(func)) = (&mut service, Func::parse(line)) {
                        service.funcs.push(func);
                    }
                }
                _ => {
                    if let (Some(set), Some(prop)) = (&mut set, Prop::parse(line)) {
                        set.by_name.insert(prop.name, set.props.len());
                        set.props.push(prop);
                    }
                }
            }
        }
        if let Some(mut service) = service {
            if let Some(done) = set {
                service.sets.push(done.name);
                self.sets.insert(done.name, done);
            }
            self.services.push(service);
        }
    }
}

/// All services.
pub(crate) fn services() -> &'static [ServiceMeta] {
    &tables().services
}

/// The service at this path segment; the version parameter may be left out.
pub(crate) fn service(segment: &str) -> Option<&'static ServiceMeta> {
    let name = |path: &'static str| path.split(';').next().unwrap_or(path);
    services().iter().find(|service| service.path == segment || name(service.path) == segment)
}

/// The set of this name, if any service has it.
pub(crate) fn find_set(name: &str) -> Option<&'static SetMeta> {
    tables().sets.get(name)
}

/// A set that this crate knows to be there.
///
/// # Panics
/// If the name is not in the tables, which the tests rule out.
pub(crate) fn set(name: &str) -> &'static SetMeta {
    find_set(name).unwrap_or_else(|| unreachable!("{name} is in no table"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_tables_is_understood() {
        for text in TEXTS {
            for line in text.lines() {
                let words = line.split(' ').count();
                assert!((2..=8).contains(&words), "{line}");
            }
        }
        assert_eq!(services().len(), 7);
        assert_eq!(tables().sets.len(), 12 + 2 + 13 + 3 + 4 + 5);
        assert_eq!(set("A_MatlStkInAcctMod").keys().count(), 11, "stock has eleven keys");
    }

    #[test]
    fn every_navigation_leads_somewhere() {
        for set in tables().sets.values() {
            for nav in &set.navs {
                let target = find_set(nav.target).unwrap_or_else(|| panic!("{} of {}", nav.name, set.name));
                assert!(!nav.join.is_empty());
                for (from, to) in &nav.join {
                    assert!(set.prop(from).is_some(), "{} {from}", set.name);
                    assert!(target.prop(to).is_some(), "{} {to}", nav.target);
                }
            }
        }
    }

    #[test]
    fn what_the_vendor_says_of_the_sales_order() {
        let order = set("A_SalesOrder");
        assert_eq!(order.etag, Some("LastChangeDateTime"));
        assert!(!order.prop("ExternalDocumentID").unwrap().creatable);
        assert!(!order.prop("TotalNetAmount").unwrap().creatable);
        assert_eq!(order.prop("PurchaseOrderByCustomer").unwrap().kind, Kind::Str(Some(35)));
        assert!(!set("A_SalesOrderPartnerAddress").creatable);
        assert!(set("A_SalesOrderPartnerAddress").updatable);
        assert!(!set("A_SalesOrderText").prop("LongText").unwrap().filterable);
    }

    #[test]
    fn numbers_are_padded_inside_and_shown_bare() {
        let order = set("A_SalesOrder").prop("SalesOrder").unwrap();
        assert_eq!(order.inner("42"), "0000000042");
        assert_eq!(order.outer("0000000042"), "42");
        let material = set("A_SalesOrderItem").prop("Material").unwrap();
        assert_eq!(material.inner("0042a"), "0042A", "materials are no numbers, but upper case");
    }
}
