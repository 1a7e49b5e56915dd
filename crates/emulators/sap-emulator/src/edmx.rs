//! `$metadata` and the service document, made from the tables.

use crate::meta::{Kind, ServiceMeta, SetMeta, set};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The metadata document.
pub(crate) fn metadata(service: &ServiceMeta) -> String {
    let namespace = service.namespace;
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <edmx:Edmx Version=\"1.0\" xmlns:edmx=\"http://schemas.microsoft.com/ado/2007/06/edmx\" \
         xmlns:m=\"http://schemas.microsoft.com/ado/2007/08/dataservices/metadata\" \
         xmlns:sap=\"http://www.sap.com/Protocols/SAPData\"><edmx:DataServices m:DataServiceVersion=\"2.0\">",
    );
    let _ = write!(
        out,
        "<Schema Namespace=\"{namespace}\" xml:lang=\"en\" sap:schema-version=\"1\" \
         xmlns=\"http://schemas.microsoft.com/ado/2008/09/edm\">"
    );
    let sets: Vec<&SetMeta> = service.sets.iter().map(|name| set(name)).collect();
    sets.iter().for_each(|set| entity_type(&mut out, set));
    if !service.funcs.is_empty() {
        out.push_str(
            "<ComplexType Name=\"AvailabilityRecord\">\
             <Property Name=\"PeriodStartUTCDateTime\" Type=\"Edm.DateTimeOffset\"/>\
             <Property Name=\"PeriodEndUTCDateTime\" Type=\"Edm.DateTimeOffset\"/>\
             <Property Name=\"PeriodStartTimeZone\" Type=\"Edm.String\" MaxLength=\"6\"/>\
             <Property Name=\"PeriodEndTimeZone\" Type=\"Edm.String\" MaxLength=\"6\"/>\
             <Property Name=\"AvailableQuantityInBaseUnit\" Type=\"Edm.Decimal\" Precision=\"16\" Scale=\"3\"/>\
             <Property Name=\"BaseUnit\" Type=\"Edm.String\" MaxLength=\"3\"/></ComplexType>",
        );
    }
    for set in &sets {
        for nav in &set.navs {
            let name = format!("assoc_{}_{}", set.name, nav.name);
            let many = if nav.many { "*" } else { "0..1" };
            let _ = write!(
                out,
                "<Association Name=\"{name}\"><End Type=\"{namespace}.{}\" Multiplicity=\"1\" Role=\"From{name}\"/>\
                 <End Type=\"{namespace}.{}\" Multiplicity=\"{many}\" Role=\"To{name}\"/></Association>",
                set.type_name(),
                nav.target().type_name()
            );
        }
    }
    container(&mut out, service, &sets);
    out.push_str("</Schema></edmx:DataServices></edmx:Edmx>");
    out
}

fn entity_type(out: &mut String, set: &SetMeta) {
    let _ = write!(out, "<EntityType Name=\"{}\" sap:content-version=\"1\"><Key>", set.type_name());
    for key in set.keys() {
        let _ = write!(out, "<PropertyRef Name=\"{}\"/>", key.name);
    }
    out.push_str("</Key>");
    for prop in &set.props {
        let _ = write!(out, "<Property Name=\"{}\" Type=\"{}\"", prop.name, prop.kind.edm());
        match prop.kind {
            Kind::Str(Some(max)) => {
                let _ = write!(out, " MaxLength=\"{max}\"");
            }
            Kind::Dec(precision, scale) => {
                let _ = write!(out, " Precision=\"{precision}\" Scale=\"{scale}\"");
            }
            _ => {}
        }
        if prop.key {
            out.push_str(" Nullable=\"false\"");
        }
        if set.etag == Some(prop.name) {
            out.push_str(" ConcurrencyMode=\"Fixed\"");
        }
        for (absent, annotation) in [
            (!prop.creatable, "creatable"),
            (!prop.updatable && !prop.key, "updatable"),
            (!prop.filterable, "filterable"),
            (!prop.sortable, "sortable"),
        ] {
            if absent {
                let _ = write!(out, " sap:{annotation}=\"false\"");
            }
        }
        if prop.upper {
            out.push_str(" sap:display-format=\"UpperCase\"");
        }
        if prop.currency {
            out.push_str(" sap:semantics=\"currency-code\"");
        }
        if prop.unit {
            out.push_str(" sap:semantics=\"unit-of-measure\"");
        }
        out.push_str("/>");
    }
    for nav in &set.navs {
        let name = format!("assoc_{}_{}", set.name, nav.name);
        let _ = write!(
            out,
            "<NavigationProperty Name=\"{}\" Relationship=\"{}.{name}\" FromRole=\"From{name}\" ToRole=\"To{name}\"/>",
            nav.name, set.namespace
        );
    }
    out.push_str("</EntityType>");
}

fn container(out: &mut String, service: &ServiceMeta, sets: &[&SetMeta]) {
    let namespace = service.namespace;
    let _ = write!(
        out,
        "<EntityContainer Name=\"{namespace}_Entities\" m:IsDefaultEntityContainer=\"true\" \
         sap:supported-formats=\"atom json xlsx\">"
    );
    for set in sets {
        let _ =
            write!(out, "<EntitySet Name=\"{}\" EntityType=\"{namespace}.{}\"", set.name, set.type_name());
        for (present, annotation) in [
            (set.creatable, "creatable"),
            (set.updatable, "updatable"),
            (set.deletable, "deletable"),
            (set.addressable, "addressable"),
            (set.pageable, "pageable"),
        ] {
            if !present {
                let _ = write!(out, " sap:{annotation}=\"false\"");
            }
        }
        out.push_str("/>");
    }
    for set in sets {
        for nav in &set.navs {
            let name = format!("assoc_{}_{}", set.name, nav.name);
            let _ = write!(
                out,
                "<AssociationSet Name=\"{name}_set\" Association=\"{namespace}.{name}\">\
                 <End EntitySet=\"{}\" Role=\"From{name}\"/><End EntitySet=\"{}\" Role=\"To{name}\"/></AssociationSet>",
                set.name, nav.target
            );
        }
    }
    for func in &service.funcs {
        let _ = write!(
            out,
            "<FunctionImport Name=\"{}\" ReturnType=\"{}\" m:HttpMethod=\"{}\">",
            func.name, func.returns, func.method
        );
        for (name, kind) in &func.params {
            let _ = write!(out, "<Parameter Name=\"{name}\" Type=\"{}\" Mode=\"In\"/>", kind.edm());
        }
        out.push_str("</FunctionImport>");
    }
    out.push_str("</EntityContainer>");
}

/// The service document.
pub(crate) fn service_document(service: &ServiceMeta) -> Value {
    json!({"d": {"EntitySets": service.sets}})
}

/// The service document for those who do not ask for JSON.
pub(crate) fn service_document_xml(service: &ServiceMeta) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><app:service xmlns:app=\"http://www.w3.org/2007/app\" \
         xmlns:atom=\"http://www.w3.org/2005/Atom\"><app:workspace><atom:title>Data</atom:title>",
    );
    for name in &service.sets {
        let _ =
            write!(out, "<app:collection href=\"{name}\"><atom:title>{name}</atom:title></app:collection>");
    }
    out.push_str("</app:workspace></app:service>");
    out
}
