//! The doctor, with each permission missing alone.

use crate::world::{LogOn, World};
use erp_core::prelude::*;
use erp_testkit::fault::{Fault, Rule};
use futures_util::future::{Either, select};
use netsuite::config::{GuestPolicy, OrderRecord};
use netsuite::{FieldState, NetsuiteClient, NetsuiteConfig};
use netsuite_emulator::{Level, Quirk};
use std::pin::pin;

const NEEDS: [Need; 11] = [
    Need::WriteOrders,
    Need::ReadInventory,
    Need::ReadCustomers,
    Need::WriteCustomers,
    Need::ReadPrices,
    Need::ReadFulfillments,
    Need::WriteFulfillments,
    Need::WriteInventory,
    Need::WriteRefunds,
    Need::WriteMovements,
    Need::ReadInvoices,
];

/// What the flows need: permission, level, and the level below it.
const NEEDED: [(&str, Level, Option<Level>); 24] = [
    ("ADMI_RESTWEBSERVICES", Level::Full, None),
    ("ADMI_LOGIN_OAUTH2", Level::Full, None),
    ("REPO_ANALYTICS", Level::Edit, Some(Level::View)),
    ("LIST_ITEM", Level::View, None),
    ("LIST_LOCATION", Level::View, None),
    ("LIST_CURRENCY", Level::View, None),
    ("LIST_CUSTJOB", Level::View, None),
    ("LIST_CUSTJOB", Level::Create, Some(Level::View)),
    ("LIST_CUSTJOB", Level::Edit, Some(Level::Create)),
    ("TRAN_FIND", Level::View, None),
    ("TRAN_SALESORD", Level::View, None),
    ("TRAN_SALESORD", Level::Create, Some(Level::View)),
    ("TRAN_SALESORD", Level::Edit, Some(Level::Create)),
    ("TRAN_ITEMSHIP", Level::View, None),
    ("TRAN_ITEMSHIP", Level::Create, Some(Level::View)),
    ("TRAN_INVADJST", Level::Edit, None),
    ("TRAN_INVTRNFR", Level::Create, Some(Level::View)),
    ("TRAN_PURCHORD", Level::View, None),
    ("TRAN_RTNAUTH", Level::View, None),
    ("TRAN_RTNAUTH", Level::Create, Some(Level::View)),
    ("TRAN_ITEMRCPT", Level::Create, Some(Level::View)),
    ("TRAN_CUSTCRED", Level::Create, Some(Level::View)),
    ("TRAN_CUSTINVC", Level::View, None),
    ("ADMI_ACCOUNTINGLIST", Level::View, None),
];

async fn probe(world: &World, needs: &[Need]) -> Vec<Finding> {
    probe_by(world, &world.client(), needs).await
}

async fn probe_by(world: &World, client: &NetsuiteClient, needs: &[Need]) -> Vec<Finding> {
    let cx = Context::new();
    let probing = pin!(client.probe(&cx, needs));
    match select(probing, pin!(world.wake())).await {
        Either::Left((findings, _)) => findings,
        Either::Right(((), _)) => unreachable!("the world is driven for ever"),
    }
}

fn bad(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.verdict == Verdict::Bad).collect()
}

fn take_away(world: &World, permission: &str, below: Option<Level>) {
    match below {
        Some(level) => world.emulator.world.grant(permission, level),
        None => world.emulator.world.deny(permission),
    }
}

#[tokio::test]
async fn all_is_well_where_all_is_granted() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let findings = probe(&world, &NEEDS).await;
    assert_eq!(bad(&findings), Vec::<&Finding>::new());
    assert!(findings.iter().any(|finding| finding.check == "amend and close sales orders"));
}

/// The table: each permission alone, with the role's own list at hand and without.
#[tokio::test]
async fn each_missing_permission_is_named_alone_with_its_level_and_menu() {
    let mut told = 0;
    for readable in [true, false] {
        for (permission, level, below) in NEEDED {
            let world = World::start(LogOn::Oauth2, &[]).await;
            if !readable {
                world.emulator.world.deny("ADMI_MANAGEROLES");
            }
            take_away(&world, permission, below);
            let findings = probe(&world, &NEEDS).await;
            let found = bad(&findings);
            assert!(!found.is_empty(), "{permission} below {level:?} was not noticed");
            for finding in &found {
                let text = format!("{} {}", finding.detail, finding.remedy);
                assert!(text.contains(permission), "{permission}: {finding:?}");
                assert!(text.contains("Manage Roles"), "{permission}: the menu is named: {finding:?}");
            }
            // Where the answer is the role's own list or a refusal by name, no other permission is named.
            if !permission.starts_with("ADMI_REST") && !permission.starts_with("ADMI_LOGIN") {
                let others = NEEDED.iter().filter(|(other, ..)| *other != permission);
                for (other, ..) in others {
                    let named = found.iter().any(|finding| finding.detail.contains(&format!("({other})")));
                    assert!(!named, "{other} was named, and {permission} was missing: {found:?}");
                }
                let wanted = format!("{permission}) at {level:?}");
                assert!(found.iter().any(|finding| finding.detail.contains(&wanted)), "{wanted}: {found:?}");
            }
            told += 1;
        }
    }
    assert_eq!(told, 2 * NEEDED.len());
}

#[tokio::test]
async fn the_token_log_on_needs_its_own_permission() {
    let world = World::start(LogOn::Tba, &[]).await;
    let findings = probe(&world, &NEEDS).await;
    assert_eq!(bad(&findings), Vec::<&Finding>::new());
    assert!(findings.iter().any(|finding| finding.detail.contains("2027.1")), "its end is told");
    world.emulator.world.deny("ADMI_LOGIN_OAUTH");
    let findings = probe(&world, &NEEDS).await;
    assert!(bad(&findings)[0].remedy.contains("ADMI_LOGIN_OAUTH"), "{findings:?}");
}

/// NetSweet/netsuite#341 and fylein/netsuite-sdk-py#110.
#[tokio::test]
async fn a_permission_that_is_dressed_up_is_told_as_one() {
    for quirk in [Quirk::PermissionAsNotFound, Quirk::SilentEmpty] {
        let world = World::start(LogOn::Oauth2, &[quirk]).await;
        world.emulator.world.deny("ADMI_MANAGEROLES");
        world.emulator.world.deny("LIST_CURRENCY");
        let findings = probe(&world, &[Need::WriteOrders]).await;
        let about: Vec<_> = findings.iter().filter(|finding| finding.verdict != Verdict::Good).collect();
        let text = format!("{about:?}");
        assert!(text.contains("LIST_CURRENCY") && text.contains("Manage Roles"), "{quirk:?}: {text}");
    }
}

#[tokio::test]
async fn fields_and_zones_of_the_configuration_are_checked() {
    let world = World::start(LogOn::Oauth2, &[Quirk::SchemaWithoutFields]).await;
    let client = world.client_with(|config| {
        config.orders.key_field = Some("custbody_no_such".to_owned());
        config.orders.line_key_field = None;
        config.time_zone = Some(Zone::named("Europe/Berlin").unwrap());
    });
    let cx = Context::new();
    let probing = pin!(client.probe(&cx, &NEEDS));
    let Either::Left((findings, _)) = select(probing, pin!(world.wake())).await else { unreachable!() };
    let text = format!(
        "{:?}",
        findings.iter().filter(|finding| finding.verdict != Verdict::Good).collect::<Vec<_>>()
    );
    assert!(text.contains("custbody_no_such"), "{text}");
    assert!(text.contains("line_key_field"), "{text}");
    assert!(text.contains("-07:00"), "the measured zone is told: {text}");
}

type Change = fn(&mut netsuite::config::OrderConfig, &mut netsuite::config::CustomerConfig);

/// Each configured field alone is missing: the finding names it, the key of the configuration, and where it is made.
#[tokio::test]
async fn each_missing_field_is_named_with_its_key_and_menu() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let seed = netsuite_emulator::NetsuiteSeed::new();
    world
        .emulator
        .world
        .seed(&seed.with_custom_field("custbody_there").with_custom_field("custentity_there"));
    let all = |config: &mut netsuite::NetsuiteConfig| {
        config.orders.fields = [("custbody_there".to_owned(), "number".to_owned())].into();
        config.customers.key_field = Some("custentity_there".to_owned());
    };
    let cx = Context::new();
    let client = world.client_with(all);
    let Either::Left((fine, _)) = select(pin!(client.check_fields(&cx)), pin!(world.wake())).await else {
        unreachable!()
    };
    assert_eq!(fine.len(), 4);
    assert!(fine.iter().all(|check| check.state == FieldState::There), "{fine:?}");
    let missing: [(&str, &str, &str, Change); 4] = [
        ("custbody_no", "orders.key_field", "Body Fields", |orders, _| {
            orders.key_field = Some("custbody_no".to_owned());
        }),
        ("custcol_no", "orders.line_key_field", "Line Fields", |orders, _| {
            orders.line_key_field = Some("custcol_no".to_owned());
        }),
        ("custbody_no", "orders.fields.custbody_no", "Body Fields", |orders, _| {
            orders.fields.insert("custbody_no".to_owned(), "store".to_owned());
        }),
        ("custentity_no", "customers.key_field", "Entity Fields", |_, customers| {
            customers.key_field = Some("custentity_no".to_owned());
        }),
    ];
    for (field, key, menu, change) in missing {
        let client = world.client_with(move |config| {
            all(config);
            change(&mut config.orders, &mut config.customers);
        });
        let probing = pin!(client.probe(&cx, &NEEDS));
        let Either::Left((findings, _)) = select(probing, pin!(world.wake())).await else { unreachable!() };
        let found = bad(&findings);
        assert_eq!(found.len(), 1, "{key}: {found:?}");
        assert!(found[0].check.contains(field), "{key}: {found:?}");
        assert!(found[0].detail.contains(key) && found[0].remedy.contains(menu), "{key}: {found:?}");
    }
}

#[tokio::test]
async fn a_catalogue_that_may_not_be_read_is_no_failure_of_the_fields() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    world.emulator.world.deny("TRAN_SALESORD");
    let findings = probe(&world, &NEEDS).await;
    let fields: Vec<_> = findings.iter().filter(|finding| finding.check.starts_with("hold cust")).collect();
    assert_eq!(fields.len(), 2, "{findings:?}");
    for finding in fields {
        assert_eq!(finding.verdict, Verdict::Warning, "{finding:?}");
        assert!(
            finding.detail.contains("TRAN_SALESORD") && finding.detail.contains("not checked"),
            "{finding:?}"
        );
        assert!(finding.remedy.contains("orders."), "{finding:?}");
    }
}

#[tokio::test]
async fn a_wrong_secret_and_a_wrong_key_are_told_apart_from_permissions() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let auth = netsuite::NetsuiteAuth::oauth2(
        "someone-else",
        world.emulator.certificate_id(),
        world.emulator.private_key(),
    )
    .with_algorithm(netsuite::JwtAlgorithm::Es256);
    let client = netsuite::NetsuiteClient::builder("netsuite", world.emulator.account())
        .base_url(world.emulator.base_url())
        .auth(auth)
        .clock(world.clock.shared())
        .build()
        .unwrap();
    let cx = Context::new();
    let probing = pin!(client.probe(&cx, &NEEDS));
    let Either::Left((findings, _)) = select(probing, pin!(world.wake())).await else { unreachable!() };
    assert_eq!(findings.len(), 1, "nothing else is tried: {findings:?}");
    assert!(findings[0].remedy.contains("Login Audit Trail"), "{findings:?}");
    assert_eq!(world.emulator.world.audit().last().map(String::as_str), Some("InvalidIssuer"));
}

fn answers(world: &World, path: &str, after: usize, fault: (u16, &'static str, &str)) {
    let (status, kind, body) = fault;
    let fault = Fault::Answer(status, kind, body.to_owned().into());
    world.emulator.server.faults().add(Rule { after, times: 1_000, ..Rule::once(None, path, fault) });
}

/// Nobody who answers for NetSuite has let anybody in.
#[tokio::test]
async fn a_host_that_is_not_the_accounts_is_no_log_on() {
    let redirect = (302, "text/html", "");
    let page = (404, "text/html", "<html>nothing here</html>");
    for (answer, says) in [(redirect, "data centre"), (page, "base_url")] {
        let world = World::start(LogOn::Tba, &[]).await;
        answers(&world, "/", 0, answer);
        let findings = probe(&world, &NEEDS).await;
        assert!(
            !findings.iter().any(|finding| finding.check == "log on" && finding.verdict == Verdict::Good),
            "{findings:?}"
        );
        let found = bad(&findings);
        assert_eq!(found.len(), 1, "nothing else is tried: {findings:?}");
        assert!(format!("{} {}", found[0].detail, found[0].remedy).contains(says), "{found:?}");
        assert!(!found[0].remedy.contains("ADMI_"), "no permission mends that: {found:?}");
    }
}

/// Older releases have no server time, whatever they say instead.
#[tokio::test]
async fn a_missing_server_time_is_no_refused_log_on() {
    for answer in [(404, "text/html", "<html>nothing here</html>"), (404, "application/json", "{}")] {
        let world = World::start(LogOn::Tba, &[]).await;
        answers(&world, "serverTime", 0, answer);
        let findings = probe(&world, &[Need::ReadInventory]).await;
        assert_eq!(bad(&findings), Vec::<&Finding>::new());
        assert!(findings.iter().any(|finding| finding.check == "log on"), "{findings:?}");
    }
}

#[tokio::test]
async fn a_system_that_is_away_for_a_while_lacks_no_permission() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    answers(&world, "suiteql", 0, (503, "text/html", "<html>maintenance</html>"));
    let findings = probe(&world, &NEEDS).await;
    let found = bad(&findings);
    assert_eq!(found.len(), 1, "{findings:?}");
    assert!(found[0].remedy.contains("later") && !found[0].remedy.contains("SuiteAnalytics"), "{found:?}");
}

/// How `rolepermissions` writes a level is known of one level only.
#[tokio::test]
async fn a_level_that_cannot_be_read_is_tried_and_not_taken_for_missing() {
    let list = r#"{"items":[{"permkey":"LIST_ITEM","permlevel":"View"},{"permkey":"LIST_LOCATION","permlevel":"1"}],"hasMore":false}"#;
    let world = World::start(LogOn::Oauth2, &[]).await;
    let role = Fault::Answer(200, "application/json", list.into());
    world.emulator.server.faults().add(Rule { after: 1, ..Rule::once(None, "suiteql", role) });
    let findings = probe(&world, &[Need::ReadInventory]).await;
    assert_eq!(bad(&findings), Vec::<&Finding>::new());
}

#[tokio::test]
async fn a_list_of_permissions_that_is_not_whole_proves_nothing() {
    let list = r#"{"items":[{"permkey":"LIST_LOCATION","permlevel":"1"}],"hasMore":true}"#;
    let world = World::start(LogOn::Oauth2, &[]).await;
    let role = Fault::Answer(200, "application/json", list.into());
    world.emulator.server.faults().add(Rule { after: 1, ..Rule::once(None, "suiteql", role) });
    let findings = probe(&world, &[Need::ReadInventory]).await;
    assert_eq!(bad(&findings), Vec::<&Finding>::new());
}

/// A form or a script that runs on save asks for permissions of other records: that one is to be granted.
#[tokio::test]
async fn a_refusal_that_names_another_permission_is_told_as_that() {
    let body = r#"{"status":403,"o:errorDetails":[{"detail":"Permission Violation: You need  the 'Lists -> Departments' permission to access this page.","o:errorCode":"INSUFFICIENT_PERMISSION"}]}"#;
    let world = World::start(LogOn::Oauth2, &[]).await;
    let refusal = Fault::Answer(403, "application/json", body.into());
    world.emulator.server.faults().add(Rule::once(Some("POST"), "/record/v1/salesOrder", refusal));
    let findings = probe(&world, &[Need::WriteOrders]).await;
    let found = bad(&findings);
    assert_eq!((found.len(), found[0].check.as_str()), (1, "create sales orders"));
    let text = format!("{} {}", found[0].detail, found[0].remedy);
    assert!(text.contains("LIST_DEPARTMENT") && text.contains("Manage Roles"), "{text}");
    assert!(!text.contains("TRAN_SALESORD"), "it is granted: {text}");
}

/// What orders need follows from what they become: nothing is missing that is not needed, and what is needed is tried.
#[tokio::test]
async fn what_orders_need_follows_from_the_configuration() {
    type Configure = fn(&mut NetsuiteConfig);
    let plain: Configure = |_| {};
    let cash: Configure = |config| config.orders.record = OrderRecord::CashSale;
    let deposits: Configure = |config| {
        config.orders.deposits = serde_json::from_str("{}").ok();
    };
    let shared: Configure = |config| {
        config.orders.guests = GuestPolicy::Shared;
        config.orders.guest_customer = Some("500".to_owned());
    };
    let currencies: Configure = |config| {
        config.orders.currencies = [("EUR".to_owned(), "1".to_owned())].into();
    };
    let below = Some(Level::View);
    for (configure, permission, below, missed) in [
        (plain, "TRAN_SALESORD", None, true),
        (cash, "TRAN_SALESORD", None, false),
        (cash, "TRAN_CASHSALE", None, true),
        (cash, "TRAN_CASHSALE", below, true),
        (plain, "TRAN_CUSTDEP", None, false),
        (deposits, "TRAN_CUSTDEP", None, true),
        (plain, "LIST_CUSTJOB", below, true),
        (shared, "LIST_CUSTJOB", below, false),
        (plain, "LIST_CURRENCY", None, true),
        (currencies, "LIST_CURRENCY", None, false),
    ] {
        for readable in [true, false] {
            let world = World::start(LogOn::Oauth2, &[]).await;
            if !readable {
                world.emulator.world.deny("ADMI_MANAGEROLES");
            }
            take_away(&world, permission, below);
            let findings = probe_by(&world, &world.client_with(configure), &[Need::WriteOrders]).await;
            let found = bad(&findings);
            assert_eq!(!found.is_empty(), missed, "{permission} {readable}: {found:?}");
            assert!(found.iter().all(|finding| finding.detail.contains(permission)), "{found:?}");
        }
    }
}
