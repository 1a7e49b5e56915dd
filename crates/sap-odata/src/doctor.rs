//! The doctor: logs on and tries what the flows need, without writing anything. Each finding names its remedy.

use crate::client::{SapClient, service};
use crate::config::{GuestPolicy, OrderConfig};
use crate::route::SalesArea;
use crate::wire::Row;
use erp_core::connector::{Finding, Need};
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::model::Basis;
use odata_client::{Batch, Filter, Metadata, ODataService, Query};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A service that a need asks for, and where it is granted.
struct Wanted<'a> {
    name: &'static str,
    service: &'a ODataService,
    scenario: &'static str,
    /// A set that can be read by itself.
    probe: &'static str,
}

pub(crate) async fn probe(client: &SapClient, cx: &Context, needs: &[Need]) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What a service says of itself, if it can be reached; it is asked once.
    let mut reached: BTreeMap<&str, Option<Metadata>> = BTreeMap::new();
    for need in needs {
        let Some(wanted) = wanted(client, *need) else {
            let text = format!("{need:?} is nothing that SAP offers here");
            findings.push(Finding::bad(format!("{need:?}"), text, "Use another system for it"));
            continue;
        };
        if !reached.contains_key(wanted.name) {
            let metadata = metadata_of(client, cx, &wanted).await;
            let readable = metadata.is_ok() && !wanted.probe.is_empty();
            if let Err(error) = &metadata {
                findings.push(trouble(&format!("reach {}", wanted.name), error, &wanted));
            }
            reached.insert(wanted.name, metadata.ok());
            if readable {
                findings.push(read(client, cx, &wanted).await);
            }
        }
        let Some(Some(metadata)) = reached.get(wanted.name) else { continue };
        if *need == Need::WriteOrders {
            let orders = &client.config().orders;
            findings.extend(key_fields(orders, metadata));
            findings.push(session(client, cx, &wanted).await);
            findings.push(create(client, cx, &wanted, json!({"SalesOrderType": ""})).await);
            findings.extend(partner_functions(client, cx).await);
            findings.extend(one_time_customers(client, cx).await);
        }
        if *need == Need::WriteCustomers {
            findings.push(create(client, cx, &wanted, json!({"BusinessPartnerCategory": ""})).await);
        }
    }
    findings
}

fn wanted(client: &SapClient, need: Need) -> Option<Wanted<'_>> {
    let inner = &client.0;
    let (name, service, scenario, probe) = match need {
        Need::ReadOrders | Need::WriteOrders => {
            (service::SALES_ORDER, &inner.sales_orders, "SAP_COM_0109", "A_SalesOrder")
        }
        Need::ReadInventory if inner.config.inventory.basis == Basis::Available => {
            (service::AVAILABILITY, &inner.availability, "", "")
        }
        Need::ReadInventory => (service::STOCK, &inner.stock, "", "A_MaterialStock"),
        Need::ReadCustomers | Need::WriteCustomers => {
            (service::PARTNER, &inner.partners, "SAP_COM_0008", "A_BusinessPartner")
        }
        Need::ReadPrices => (service::CONDITION, &inner.conditions, "", "A_SlsPrcgConditionRecord"),
        Need::ReadFulfillments => {
            (service::DELIVERY, &inner.deliveries, "SAP_COM_0106", "A_OutbDeliveryHeader")
        }
        _ => return None,
    };
    Some(Wanted { name, service, scenario, probe })
}

async fn metadata_of(client: &SapClient, cx: &Context, wanted: &Wanted<'_>) -> Result<Metadata> {
    let bytes = wanted.service.metadata(cx, client.read_call("sap.metadata")).await?;
    Metadata::parse(&bytes)
}

async fn read(client: &SapClient, cx: &Context, wanted: &Wanted<'_>) -> Finding {
    let check = format!("read {}", wanted.probe);
    let query = Query::new(wanted.probe).top(1);
    match client.rows(wanted.service, cx, client.read_call("sap.probe"), &query).await {
        Ok(rows) => {
            Finding::good(check, if rows.is_empty() { "allowed; there is none yet" } else { "allowed" })
        }
        Err(error) => trouble(&check, &error, wanted),
    }
}

/// Tries to create what cannot be created, a record without its type: whoever may not create is refused for that reason,
/// and whoever may for the other.
async fn create(client: &SapClient, cx: &Context, wanted: &Wanted<'_>, nothing: Value) -> Finding {
    let check = format!("create {}", wanted.probe);
    let call = client.create_call("sap.probe_create");
    match wanted.service.create::<Row, _>(cx, call, wanted.probe, &nothing).await {
        Ok(_) => Finding::bad(
            check,
            "an empty record was accepted",
            format!(
                "Remove it from {}; the field that tells its type should be mandatory there",
                wanted.probe
            ),
        ),
        Err(error) => match (error.kind(), error.upstream().and_then(|up| up.status)) {
            (ErrorKind::Auth | ErrorKind::Permission { .. } | ErrorKind::Config, _) => {
                trouble(&check, &error, wanted)
            }
            (_, Some(400..=499)) => {
                Finding::good(check, "granted; the trial itself was refused, as it should be")
            }
            _ => trouble(&check, &error, wanted),
        },
    }
}

/// A batch that only reads is still a POST: it proves that a CSRF session can be had and kept.
async fn session(client: &SapClient, cx: &Context, wanted: &Wanted<'_>) -> Finding {
    let check = "hold a CSRF session";
    let batch = Batch::new().get(&Query::new(wanted.probe).top(1));
    match wanted.service.batch(cx, client.read_call("sap.probe_session"), &batch).await {
        Ok(_) => Finding::good(check, "a token and its cookies are accepted"),
        Err(error) if *error.kind() == ErrorKind::Transient => Finding::bad(
            check,
            error.message(),
            "Let the load balancer before SAP keep sessions (sticky), and let HEAD and GET of the service root through",
        ),
        Err(error) => trouble(check, &error, wanted),
    }
}

/// The key fields must be creatable, filterable and long enough, by the system's own description.
fn key_fields(orders: &OrderConfig, metadata: &Metadata) -> Vec<Finding> {
    let remedy = "Set orders.key_field to PurchaseOrderByShipToParty, or to a custom field (YY1_…) that is exposed in API_SALES_ORDER_SRV";
    let check = format!("store our key in {}", orders.key_field);
    let key = match metadata.property("A_SalesOrder", &orders.key_field) {
        None => Finding::bad(check, "the field is not there", remedy),
        Some(property) if !property.creatable => Finding::bad(check, "the field cannot be created", remedy),
        Some(property) if !property.filterable => Finding::bad(check, "the field cannot be searched", remedy),
        Some(property) => match property.max_length {
            Some(max) if (max as usize) < orders.key_max => Finding::bad(
                check,
                format!("the field holds {max} characters, orders.key_max says {}", orders.key_max),
                format!("Set orders.key_max = {max}, and keep the names of systems short"),
            ),
            _ => Finding::good(check, "creatable, searchable and long enough"),
        },
    };
    let mut findings = vec![key];
    for (name, max) in [(&orders.line_key_field, orders.line_key_max()), (&orders.line_overflow_field, 35)] {
        if name.is_empty() {
            continue;
        }
        let check = format!("store our line id in {name}");
        let remedy = "Set orders.line_key_field and orders.line_overflow_field to creatable item fields";
        findings.push(match metadata.property("A_SalesOrderItem", name) {
            None => Finding::bad(check, "the field is not there", remedy),
            Some(property) if !property.creatable => {
                Finding::bad(check, "the field cannot be created", remedy)
            }
            Some(property) if property.max_length.is_some_and(|held| (held as usize) < max) => {
                Finding::bad(check, format!("the field holds fewer than {max} characters"), remedy)
            }
            Some(_) => Finding::good(check, "creatable"),
        });
    }
    let dated = metadata.property("A_SalesOrder", "CustomerPurchaseOrderDate");
    if dated.is_none_or(|property| !property.filterable || !property.creatable) {
        findings.push(Finding::bad(
            "list orders by their day",
            "CustomerPurchaseOrderDate cannot be created and searched",
            "Without it no statement can be read; ask SAP's administrator for the standard API_SALES_ORDER_SRV",
        ));
    }
    findings
}

/// Codes of partner functions depend on the logon language: orders that exist show how they are spelled here.
async fn partner_functions(client: &SapClient, cx: &Context) -> Vec<Finding> {
    let orders = &client.config().orders;
    let check = "partner functions in the logon language";
    let query = Query::new("A_SalesOrderHeaderPartner").top(200).select(&["SalesOrder", "PartnerFunction"]);
    let rows = match client.rows(&client.0.sales_orders, cx, client.read_call("sap.probe"), &query).await {
        Ok(rows) => rows,
        Err(error) => return vec![Finding::warning(check, error.message(), "Check the codes by hand")],
    };
    let seen: BTreeSet<String> =
        rows.iter().filter_map(|(row, _)| row.text("PartnerFunction").ok()).collect();
    let used = [&orders.sold_to_function, &orders.ship_to_function, &orders.bill_to_function];
    let missing: Vec<&str> =
        used.into_iter().filter(|code| !seen.contains(*code)).map(String::as_str).collect();
    if seen.is_empty() {
        return vec![Finding::warning(
            check,
            "there is no order yet to compare with",
            "Look again after the first order",
        )];
    }
    if missing.is_empty() {
        return vec![Finding::good(check, format!("{} are in use", used.map(String::as_str).join(", ")))];
    }
    let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
    vec![Finding::bad(
        check,
        format!("orders here have {}, and not {}", seen.join(", "), missing.join(", ")),
        format!(
            "Log on in the language of the codes (language = {:?} now), or set orders.sold_to_function, ship_to_function and bill_to_function",
            client.config().language
        ),
    )]
}

async fn one_time_customers(client: &SapClient, cx: &Context) -> Vec<Finding> {
    let orders = &client.config().orders;
    if orders.guests != GuestPolicy::OneTime {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (area, number) in &orders.one_time_customers {
        let check = format!("one-time customer {number} of {area}");
        let Ok(parsed) = SalesArea::parse(area) else {
            findings.push(Finding::bad(check, "the sales area cannot be read", "Write it as 1710/10/00"));
            continue;
        };
        let query = Query::new("A_CustomerSalesArea")
            .filter(Filter::eq("Customer", number.as_str()))
            .filter(Filter::eq("SalesOrganization", parsed.organization.as_str()))
            .filter(Filter::eq("DistributionChannel", parsed.channel.as_str()))
            .filter(Filter::eq("Division", parsed.division.as_str()));
        findings.push(match client.rows(&client.0.partners, cx, client.read_call("sap.probe"), &query).await {
            Ok(rows) if rows.is_empty() => Finding::bad(
                check,
                "the customer is not there, or not extended to the sales area",
                "Create a one-time customer (account group CPD) in this sales area, or correct orders.one_time_customers",
            ),
            Ok(_) => Finding::good(check, "is there"),
            Err(error) => Finding::warning(
                check,
                error.message(),
                "Grant read access to API_BUSINESS_PARTNER (SAP_COM_0008), or check the customer by hand",
            ),
        });
    }
    findings
}

/// What is wrong with a service, and who mends it where.
fn trouble(check: &str, error: &Error, wanted: &Wanted<'_>) -> Finding {
    let grant = if wanted.scenario.is_empty() {
        format!("a communication arrangement whose scenario contains {}", wanted.name)
    } else {
        format!("a communication arrangement for scenario {}", wanted.scenario)
    };
    let remedy = match error.kind() {
        ErrorKind::Auth => "Renew user and password of the communication user, and unlock it".to_owned(),
        ErrorKind::Permission { .. } => format!(
            "Cloud: give the communication user {grant}. On premise: grant S_SERVICE for {} and the business role",
            wanted.name
        ),
        ErrorKind::Config | ErrorKind::NotFound => {
            format!("Cloud: create {grant}. On premise: activate {} in /IWFND/MAINT_SERVICE", wanted.name)
        }
        ErrorKind::Transient | ErrorKind::Throttled => "SAP does not answer now; look again later".to_owned(),
        _ => "Report this with the message".to_owned(),
    };
    Finding::bad(check, error.to_string(), remedy)
}
