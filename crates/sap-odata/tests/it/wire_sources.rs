//! Stock, and the doctor.

use crate::support::*;
use erp_core::model::{Basis, InventoryQuery};
use erp_core::prelude::*;
use futures_util::StreamExt as _;
use sap_odata::SapClient;
use sap_odata::config::StockPlace;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

fn stock(material: &str, storage: &str, batch: &str, quantity: &str) -> Value {
    json!({"Material": material, "Plant": "1710", "StorageLocation": storage, "Batch": batch, "InventoryStockType": "01",
        "InventorySpecialStockType": "", "MatlWrhsStkQtyInMatlBaseUnit": quantity, "MaterialBaseUnit": "PC"})
}

fn with_stock(url: &str, basis: Basis) -> SapClient {
    SapClient::builder("sap-prod")
        .base_url(url)
        .basic("u", "p")
        .configure(|config| {
            config.page_size = 3;
            config.inventory.basis = basis;
            config.inventory.places = vec![StockPlace::plant("1710").named("berlin")];
        })
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_materials_rows_are_summed_although_a_page_cuts_them() {
    let server = sap().await;
    let first = [stock("A", "171A", "", "1"), stock("B", "171A", "1", "2.5"), stock("B", "171A", "2", "3")];
    then(&server, "GET", "A_MatlStkInAcctMod$", list(&first)).await;
    let second = [stock("B", "171A", "1", "2.5"), stock("B", "171A", "2", "3"), stock("B", "171B", "", "4")];
    then(&server, "GET", "A_MatlStkInAcctMod$", list(&second)).await;
    then(
        &server,
        "GET",
        "A_MatlStkInAcctMod$",
        list(&[&second[..], &[stock("C", "171A", "", "0")]].concat()),
    )
    .await;
    let client = with_stock(&server.uri(), Basis::OnHand);
    let levels: Vec<_> = client.inventory(&Context::new(), InventoryQuery::new()).collect().await;
    let found: Vec<_> = levels
        .iter()
        .map(|level| level.as_ref().unwrap())
        .map(|level| (level.sku.as_str(), level.location.as_str(), level.quantity.to_string()))
        .collect();
    let want = [("A", "1 PC"), ("B", "9.5 PC"), ("C", "0 PC")];
    assert_eq!(found, want.map(|(sku, quantity)| (sku, "berlin", quantity.to_owned())));
    insta::assert_snapshot!(journal(&server).await);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_spoils_its_own_sum_and_no_other() {
    let server = sap().await;
    let rows = [stock("A", "171A", "", "1"), stock("B", "171A", "1", "a few"), stock("B", "171A", "2", "3")];
    then(&server, "GET", "A_MatlStkInAcctMod$", list(&rows[..2])).await;
    let mut client = with_stock(&server.uri(), Basis::OnHand);
    let levels: Vec<_> = client.inventory(&Context::new(), InventoryQuery::new()).collect().await;
    assert_eq!(levels.len(), 2, "{levels:?}");
    assert_eq!(levels[0].as_ref().unwrap().sku.as_str(), "A");
    let error = levels[1].as_ref().unwrap_err();
    assert_eq!(error.unreadable_key(), Some("B@berlin".into()));
    assert!(error.to_string().contains("MatlWrhsStkQtyInMatlBaseUnit"), "{error}");

    let server = sap().await;
    let more = [&rows[..], &[stock("C", "171A", "", "4")]].concat();
    then(&server, "GET", "A_MatlStkInAcctMod$", list(&more)).await;
    client = client_of(&server.uri());
    let levels: Vec<_> = client.inventory(&Context::new(), InventoryQuery::new()).collect().await;
    let read: Vec<_> = levels.iter().flatten().map(|level| level.sku.as_str()).collect();
    assert_eq!((levels.len(), read), (3, vec!["A", "C"]), "a good row of B does not make it a figure");
}

fn client_of(url: &str) -> SapClient {
    SapClient::builder("sap-prod")
        .base_url(url)
        .basic("u", "p")
        .configure(|config| config.inventory.places = vec![StockPlace::plant("1710").named("berlin")])
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_known_material_that_lies_nowhere_is_zero_and_an_unknown_one_is_not_told() {
    let server = sap().await;
    then(&server, "GET", "A_MatlStkInAcctMod$", list(&[])).await;
    then(
        &server,
        "GET",
        "A_MaterialStock$",
        list(&[json!({"Material": "24-MB01", "MaterialBaseUnit": "PC"})]),
    )
    .await;
    let client = with_stock(&server.uri(), Basis::OnHand);
    let levels = client.inventory_of(&Context::new(), &["24-mb01".into(), "NOPE".into()]).await.unwrap();
    assert_eq!(levels.len(), 1);
    assert_eq!((levels[0].sku.as_str(), levels[0].quantity.to_string()), ("24-mb01", "0 PC".to_owned()));
}

#[tokio::test]
async fn availability_is_asked_for_in_one_batch() {
    let server = sap().await;
    let part = |status: &str, body: &str| {
        format!(
            "--r\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}\r\n",
            body.len()
        )
    };
    let good =
        r#"{"d":{"DetermineAvailabilityAt":{"AvailableQuantityInBaseUnit":"12.000","BaseUnit":"PC"}}}"#;
    let bad = r#"{"error":{"code":"ATP/012","message":{"lang":"en","value":"Material B is not maintained in plant 1710"}}}"#;
    let body = format!("{}{}--r--\r\n", part("200 OK", good), part("400 Bad Request", bad));
    let answer = ResponseTemplate::new(202).set_body_raw(body, "multipart/mixed; boundary=r");
    then(&server, "POST", "batch$", answer).await;
    let client = with_stock(&server.uri(), Basis::Available);
    let levels = client.inventory_of(&Context::new(), &["A".into(), "B".into()]).await.unwrap();
    assert_eq!(levels.len(), 1, "a material that the plant does not check is not known");
    assert_eq!((levels[0].basis, levels[0].quantity.to_string()), (Basis::Available, "12 PC".to_owned()));
    let asked = journal(&server).await;
    assert!(
        asked.contains("DetermineAvailabilityAt?SupplyingPlant='1710'&Material='A'&ATPCheckingRule='A'"),
        "{asked}"
    );
}

fn described(key_field: &str) -> ResponseTemplate {
    let document = format!(
        r#"<edmx:Edmx xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" xmlns:sap="http://www.sap.com/Protocols/SAPData"><edmx:DataServices><Schema Namespace="API_SALES_ORDER_SRV">
        <EntityType Name="A_SalesOrderType"><Key><PropertyRef Name="SalesOrder"/></Key><Property Name="SalesOrder" Type="Edm.String"/>
        {key_field}<Property Name="CustomerPurchaseOrderDate" Type="Edm.DateTime"/></EntityType>
        <EntityType Name="A_SalesOrderItemType"><Key><PropertyRef Name="SalesOrder"/></Key>
        <Property Name="UnderlyingPurchaseOrderItem" Type="Edm.String" MaxLength="6"/>
        <Property Name="PurchaseOrderByShipToParty" Type="Edm.String" MaxLength="35"/></EntityType>
        <EntityContainer Name="C"><EntitySet Name="A_SalesOrder" EntityType="API_SALES_ORDER_SRV.A_SalesOrderType"/>
        <EntitySet Name="A_SalesOrderItem" EntityType="API_SALES_ORDER_SRV.A_SalesOrderItemType"/></EntityContainer>
        </Schema></edmx:DataServices></edmx:Edmx>"#
    );
    ResponseTemplate::new(200).set_body_raw(document, "application/xml")
}

async fn bad_findings(key_field: &str) -> Vec<Finding> {
    let server = sap().await;
    then(&server, "GET", "metadata$", described(key_field)).await;
    let findings = client(&server.uri()).probe(&Context::new(), &[Need::WriteOrders]).await;
    findings
        .into_iter()
        .filter(|finding| finding.check.starts_with("store our key") && finding.verdict == Verdict::Bad)
        .collect()
}

#[tokio::test]
async fn the_doctor_names_a_key_field_that_cannot_be_used() {
    assert!(
        bad_findings(r#"<Property Name="PurchaseOrderByShipToParty" Type="Edm.String" MaxLength="35"/>"#)
            .await
            .is_empty()
    );
    for field in [
        "",
        r#"<Property Name="PurchaseOrderByShipToParty" Type="Edm.String" MaxLength="35" sap:creatable="false"/>"#,
        r#"<Property Name="PurchaseOrderByShipToParty" Type="Edm.String" MaxLength="35" sap:filterable="false"/>"#,
        r#"<Property Name="PurchaseOrderByShipToParty" Type="Edm.String" MaxLength="20"/>"#,
    ] {
        let bad = bad_findings(field).await;
        assert_eq!(bad.len(), 1, "{field}");
        assert!(bad[0].remedy.contains("orders.key_"), "{field}");
    }
}

#[tokio::test]
async fn the_doctor_names_who_grants_what() {
    for (answer, verdict, remedy) in [
        (ResponseTemplate::new(404), Verdict::Bad, "SAP_COM_0109"),
        (
            refusal(403, "/IWFND/CM_CONSUMER/101", "No authorization for service", ""),
            Verdict::Bad,
            "SAP_COM_0109",
        ),
        (ResponseTemplate::new(401), Verdict::Bad, "communication user"),
    ] {
        let server = sap().await;
        for _ in 0..4 {
            then(&server, "GET", "metadata$", answer.clone()).await;
        }
        let findings = client(&server.uri()).probe(&Context::new(), &[Need::WriteOrders]).await;
        assert_eq!((findings.len(), findings[0].verdict), (1, verdict));
        assert!(findings[0].remedy.contains(remedy), "{findings:?}");
    }
}
