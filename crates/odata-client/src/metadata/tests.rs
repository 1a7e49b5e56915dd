use super::*;
use proptest::prelude::*;

const DOCUMENT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="1.0" xmlns:edmx="e" xmlns:m="m" xmlns:sap="s"><edmx:DataServices m:DataServiceVersion="2.0">
<Schema Namespace="API_X"><!-- comment with <EntityType Name="No"> -->
 <EntityType Name="A_OrderType" sap:label="Order &quot;head&quot;">
  <Key><PropertyRef Name="Order"/><PropertyRef Name="Item"/></Key>
  <Property Name="Order" Type="Edm.String" Nullable="false" MaxLength="10" sap:updatable="false"/>
  <Property Name="Item" Type="Edm.String" Nullable="false" MaxLength="6"/>
  <Property Name="Net" Type="Edm.Decimal" Precision="16" Scale="3" sap:creatable="false" sap:filterable="false"/>
  <Property Name="Changed" Type="Edm.DateTimeOffset" Precision="7" ConcurrencyMode="Fixed"></Property>
  <NavigationProperty Name="to_Item" Relationship="r" FromRole="a" ToRole="b"/>
 </EntityType>
 <EntityType Name="Empty"/>
 <EntityContainer Name="C"><EntitySet Name="A_Order" EntityType="API_X.A_OrderType" sap:deletable="false"/></EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>"#;

#[test]
fn reads_what_matters() {
    let metadata = Metadata::parse(DOCUMENT.as_bytes()).unwrap();
    assert_eq!(metadata.types.len(), 2);
    let order = metadata.type_of_set("A_Order").unwrap();
    assert_eq!(order.key, ["Order", "Item"]);
    assert_eq!(order.navigations, ["to_Item"]);
    assert!(order.needs_if_match());
    let number = metadata.property("A_Order", "Order").unwrap();
    assert_eq!(
        (number.max_length, number.nullable, number.creatable, number.updatable),
        (Some(10), false, true, false)
    );
    let net = &order.properties["Net"];
    assert_eq!((net.edm_type.as_str(), net.precision, net.scale), ("Edm.Decimal", Some(16), Some(3)));
    assert!(!net.creatable && !net.filterable && net.updatable && net.nullable);
    assert!(order.properties["Changed"].concurrency);
    let set = &metadata.sets["A_Order"];
    assert!(!set.deletable && set.creatable && set.addressable);
    assert!(metadata.property("A_Order", "Nope").is_none() && metadata.type_of_set("B").is_none());
}

#[test]
fn what_is_no_metadata_is_refused() {
    for body in ["", "{}", "<html/>", "<EntityType>"] {
        assert_eq!(Metadata::parse(body.as_bytes()).unwrap_err().code(), "erp.malformed", "{body}");
    }
}

#[test]
fn an_endless_document_is_refused() {
    let body = format!("<EntityType Name='A'>{}", "<Property Name='p'/>".repeat(PROPERTIES_MAX + 1));
    assert!(Metadata::parse(body.as_bytes()).unwrap_err().to_string().contains("too many"));
}

proptest! {
    #[test]
    fn never_panics(body in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..DOCUMENT.len(), text in any::<String>()) {
        let _ = Metadata::parse(&body);
        let _ = Metadata::parse(&DOCUMENT.as_bytes()[..cut]);
        let _ = Metadata::parse(format!("<EntityType Name=\"{text}\"><Property {text}").as_bytes());
    }
}
