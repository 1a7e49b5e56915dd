//! The life of a sync, as an operator lives it: every verb of the program, from outside.

use crate::town::{Town, sync};
use erp_core::time::{Clock as _, SystemClock};
use serde_json::Value;
use std::io::{Read as _, Write as _};

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {value}"))
}

/// The number of the one order that is held, and of one that waits for its payment.
fn held_and_deferred(town: &Town) -> (String, Option<String>) {
    let groups = town.json(&["list"]);
    let of = |state: &str| {
        groups.iter().find(|group| group["state"] == state).map(|group| text(group, "/example").to_owned())
    };
    (of("held").expect("one order cannot be sent"), of("deferred"))
}

#[test]
fn records_are_read_written_found_and_adopted() {
    let town = Town::with_orders(4);
    assert!(town.sync(&["check"]).done().contains("orders: orders shop→sap, every 15 s"));
    let doctor = town.sync(&["doctor"]).done();
    assert!(doctor.trim_end().ends_with("all is well"), "{doctor}");
    assert!(!doctor.contains("BAD") && !doctor.contains("unexpected shape"), "{doctor}");
    for finding in town.json(&["doctor", "shop"]) {
        for field in ["/system", "/check", "/verdict", "/detail", "/remedy"] {
            text(&finding, field);
        }
    }

    let read = town.sync(&["read", "shop", "orders"]).done();
    let lines: Vec<Value> = read.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (mark, orders) = lines.split_last().unwrap();
    assert!(mark.get("watermark").is_some_and(|mark| !mark.is_null()), "{mark}");
    assert_eq!(orders.len(), 6);
    let again = town.sync(&["read", "shop", "orders", "--since", &mark.to_string()]).done();
    assert!(again.lines().count() <= orders.len() + 1, "a mark is not behind what it covers");
    let one = town.sync(&["read", "shop", "orders", "--key", text(&orders[0], "/number")]);
    one.refused(1, &["shop has no"]);

    let key = text(&orders[0], "/key").to_owned();
    assert_eq!(town.sync(&["find", "sap", "order", &key]).code, 1, "not there yet");
    std::fs::write(town.path("one.ndjson"), format!("{}\n{{\"nonsense\":1}}\n", orders[0])).unwrap();
    let written = town.json(&["write", "sap", "orders", "--file", "one.ndjson"]);
    assert_eq!((text(&written[0], "/outcome"), text(&written[1], "/outcome")), ("applied", "failed"));
    assert_eq!(text(&written[1], "/error/effect"), "none");
    let twice = town.json(&["write", "sap", "orders", "--file", "one.ndjson"]);
    assert_eq!(text(&twice[0], "/receipt/native_id"), text(&written[0], "/receipt/native_id"));
    let found = town.sync(&["find", "sap", "order", &key]).done();
    assert!(found.contains("whole as") && found.contains("total"), "{found}");

    let adopted = town.sync(&["adopt", "orders"]).done();
    assert!(adopted.contains("orders: 1 linked, 5 not in the target"), "{adopted}");
    let number = text(&orders[0], "/number");
    assert!(town.sync(&["why", number]).done().contains("settled"), "what was adopted is proven");
    assert!(town.sync(&["find", "sap", "order", number]).done().contains("whole"), "found by its number");
}

#[test]
fn the_doctor_names_what_is_not_granted_and_where_to_grant_it() {
    for (denied, grant) in [
        ("Magento_Sales::actions_view", "Sales > Operations > Orders > Actions > View"),
        ("API_SALES_ORDER_SRV", "SAP_COM_0109"),
    ] {
        let town = Town::with(2, &["--deny", denied]);
        let said = town.sync(&["doctor"]);
        assert_eq!(said.code, 1, "{said:#?}");
        let bad: Vec<_> = said.out.lines().skip_while(|line| !line.contains("BAD")).take(2).collect();
        assert!(bad.join(" ").contains(denied) && bad.join(" ").contains(grant), "{denied}: {said:#?}");
        assert!(said.out.matches("BAD").count() <= 2, "{said:#?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let said = sync(dir.path(), &["emulate", "--deny", "Magento_Sales::nothing"]);
    said.refused(
        2,
        &["--deny Magento_Sales::nothing is not known", "Magento_Sales::ship", "API_PRODUCT_SRV"],
    );
}

/// Broken orders between good ones: each is held with what is wrong, or goes whole, and nothing stops. One of 10,000 lines
/// would take minutes without optimisation; the connector's own tests have it.
#[test]
fn no_broken_order_stops_the_others_or_goes_unnoticed() {
    let kinds = [
        ("total-off", "held", "totals.total: states 40 but its parts make 39"),
        ("unknown-total", "held", "is there a total segment that is not mapped?"),
        ("unknown-sku", "held", "NO-SUCH-SKU"),
        ("unknown-account", "held", "Sold-to party 99999999"),
        ("unknown-segment", "held", "the company has no customer number in SAP"),
        ("unknown-currency", "held", "order_currency_code is not a currency"),
        ("negative-quantity", "held", "lines[1].quantity: -1 is not a positive quantity"),
        ("no-lines", "held", "lines: "),
        ("four-byte-letters", "settled", "written as"),
    ];
    let more: Vec<&str> = kinds.iter().flat_map(|(kind, ..)| ["--broken", kind]).collect();
    let town = Town::with(3, &more);
    town.sync(&["run", "--once"]).done();
    for (kind, state, text) in kinds {
        let key = town.said.iter().find_map(|line| line.strip_prefix(&format!("{kind} is "))).unwrap();
        let why = town.sync(&["why", key]).done();
        assert!(why.contains(&format!("of flow orders: {state}")) && why.contains(text), "{kind}: {why}");
    }
    let key = town.said.iter().find_map(|line| line.strip_prefix("no-lines is ")).unwrap();
    town.sync(&["retry", key]).refused(2, &["is a record of each of customers, orders", "--flow"]);
    town.sync(&["retry", key, "--flow", "orders"]).done();
    let status = town.sync(&["status"]).done();
    assert!(status.contains("9 held for a person, 1 deferred by the source, 4 settled"), "{status}");
    let tied = town.sync(&["tie-out"]).done();
    assert!(tied.trim_end().ends_with("unexplained: 0"), "{tied}");
}

/// The same program, the same shop, another ERP.
#[test]
fn the_same_verbs_reach_a_netsuite() {
    let town = Town::with(3, &["retail"]);
    assert!(town.sync(&["check"]).done().contains("orders: orders shop→netsuite"));
    let doctor = town.sync(&["doctor"]).done();
    assert!(doctor.trim_end().ends_with("all is well"), "{doctor}");
    let read = town.sync(&["read", "shop", "orders", "--limit", "1"]).done();
    std::fs::write(town.path("one.ndjson"), read.lines().next().unwrap()).unwrap();
    let written = town.json(&["write", "netsuite", "orders", "--file", "one.ndjson"]);
    let twice = town.json(&["write", "netsuite", "orders", "--file", "one.ndjson"]);
    assert_eq!(text(&twice[0], "/receipt/native_id"), text(&written[0], "/receipt/native_id"));
    let rehearsed = town.sync(&["rehearse", "orders"]).done();
    assert!(rehearsed.contains("NO-SUCH-SKU"), "{rehearsed}");
    town.sync(&["run", "--once"]).done();
    let groups = town.json(&["list", "--flow", "orders"]);
    let held = groups.iter().find(|group| group["state"] == "held").expect("one order cannot be sent");
    let why = town.sync(&["why", text(held, "/example")]).done();
    assert!(why.contains("NetSuite knows no item NO-SUCH-SKU"), "{why}");
    let tied = town.sync(&["tie-out"]).done();
    assert!(tied.trim_end().ends_with("unexplained: 0"), "{tied}");
}

/// What one side tells the other comes back, and must find itself there: no write, and no second address.
#[test]
fn customers_that_go_both_ways_come_to_rest() {
    let town = Town::with(2, &["retail"]);
    let config = town.path("commerce-sync.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let (systems, _) = text.split_once("[flows.orders]").unwrap();
    let flow = |name: &str, from: &str, to: &str| {
        format!(
            "[flows.{name}]\nrecord = \"customers\"\nfrom = \"{from}\"\nto = \"{to}\"\nstart = \"2020-01-01\"\nevery = \"1m\"\n"
        )
    };
    let (out, back) = (flow("out", "shop", "netsuite"), flow("back", "netsuite", "shop"));
    std::fs::write(&config, format!("{systems}{out}{back}")).unwrap();
    for _ in 0..2 {
        town.sync(&["run", "--once"]).done();
    }
    let read = || {
        ["shop", "netsuite"].map(|system| town.sync(&["read", system, "customers", "--limit", "200"]).done())
    };
    let before = read();
    assert!(before.iter().all(|customers| customers.lines().count() > 80), "{before:?}");
    let notes = town.json(&["run", "--once"]);
    let settled: Vec<_> = notes.iter().filter(|note| note["note"] == "settled").collect();
    assert!(settled.is_empty(), "a third run has nothing to tell: {settled:?}");
    assert!(read() == before, "and nothing changed on either side");
}

#[test]
fn a_netsuite_role_that_lacks_something_is_told_what() {
    let town = Town::with(2, &["retail", "--deny", "TRAN_SALESORD"]);
    let said = town.sync(&["doctor"]);
    assert_eq!(said.code, 1, "{said:#?}");
    let bad = &said.out;
    assert!(
        bad.contains("TRAN_SALESORD") && bad.contains("Manage Roles") && bad.contains("Create"),
        "{said:#?}"
    );
}

#[test]
fn an_operator_sees_mends_and_signs() {
    let town = Town::with_orders(6);
    let rehearsed = town.sync(&["rehearse", "orders"]).done();
    assert!(rehearsed.contains("would pass") && rehearsed.contains("NO-SUCH-SKU"), "{rehearsed}");
    town.sync(&["status"]).refused(2, &["there is no ledger", "commerce-sync run"]);
    town.sync(&["run", "--once"]).done();
    let status = town.sync(&["status"]).done();
    assert!(status.contains("1 held for a person") && status.contains("nothing lost: 8 records"), "{status}");
    assert!(status.contains("customers shop→sap: nothing waits, 84 settled"), "{status}");
    let (held, deferred) = held_and_deferred(&town);

    let why = town.sync(&["why", &held]).done();
    for part in ["held", "NO-SUCH-SKU", "remedy", "first seen"] {
        assert!(why.contains(part), "{part} in {why}");
    }
    let preview = town.sync(&["retry", &held]).done();
    assert!(preview.contains("nothing was changed"), "{preview}");
    assert!(town.sync(&["why", &held]).done().contains("held"), "a preview changes nothing");
    let nobody = town.sync(&["write-off", &held, "--reason", "a test order"]);
    nobody.refused(2, &["who are you", "--who"]);
    let signed = |verb: &str, key: &str| town.sync(&[verb, key, "--reason", "a test order", "--who", "ann"]);
    signed("write-off", &held).done();
    let tied = town.sync(&["tie-out"]).done();
    assert!(tied.contains("written off  1") && tied.trim_end().ends_with("unexplained: 0"), "{tied}");
    assert_eq!(signed("retry", &held).code, 1, "what is written off is not retried");
    signed("reopen", &held).done();
    let why = town.sync(&["why", &held]).done();
    assert!(why.contains("written off by a person (ann: a test order)"), "{why}");
    assert!(why.contains("reopened by a person"), "{why}");
    let story = town.json(&["why", &held]);
    assert!(story[0].pointer("/story/0/text").is_some() && story[0].get("record").is_some(), "{story:?}");

    let deferred = deferred.expect("one order waits for its payment");
    signed("release", &deferred).done();
    town.sync(&["run", "--once"]).done();
    assert!(town.sync(&["why", &deferred]).done().contains(": settled"), "a person released it");

    town.sync(&["pause", "orders", "--reason", "stocktaking", "--who", "ann"]).done();
    let status = town.sync(&["status"]).done();
    assert!(status.contains("PAUSED: stocktaking (ann)"), "{status}");
    signed("retry", &held).done();
    let paused = town.sync(&["run", "--once"]);
    assert_eq!(paused.code, 3, "a run that sends nothing is no success: {paused:#?}");
    assert!(paused.err.contains("orders is PAUSED") && paused.err.contains("resume orders"), "{paused:#?}");
    assert!(
        town.sync(&["why", &held]).done().contains("pending")
            || town.sync(&["why", &held]).done().contains("in_doubt")
    );
    town.sync(&["resume", "orders", "--reason", "done", "--who", "ann"]).done();
    let flows = town.json(&["status"]);
    let flows: Vec<_> = flows.iter().filter_map(|line| line.get("health")).collect();
    let names: Vec<_> = flows.iter().map(|health| text(health, "/flow")).collect();
    assert_eq!(names, ["customers", "orders"]);
    assert!(flows.iter().all(|health| health["paused"].is_null()), "{flows:?}");
}

#[test]
fn tie_out_names_what_nobody_can_explain() {
    let town = Town::with_orders(3);
    town.sync(&["run", "--once"]).done();
    town.sync(&["tie-out"]).done();
    let read = town.sync(&["read", "shop", "orders", "--limit", "1"]).done();
    let mut order: Value = serde_json::from_str(read.lines().next().unwrap()).unwrap();
    order["key"] = "shop:4711".into();
    order["number"] = "000004711".into();
    std::fs::write(town.path("ghost.ndjson"), order.to_string()).unwrap();
    let written = town.json(&["write", "sap", "orders", "--file", "ghost.ndjson"]);
    assert_eq!(text(&written[0], "/outcome"), "applied", "{written:?}");
    let said = town.sync(&["tie-out"]);
    assert_eq!(said.code, 3, "{said:#?}");
    assert!(said.out.contains("shop:4711") && said.out.contains("the shop has no such order"), "{said:#?}");
    assert!(said.out.trim_end().ends_with("unexplained: 1"), "{said:#?}");
    let report = town.json(&["tie-out"]);
    assert_eq!(text(&report[0], "/tie_out/flow"), "orders");
    assert!(
        report[0]["tie_out"]["items"].as_array().unwrap().iter().any(|item| item["key"] == "shop:4711"),
        "{report:?}"
    );
}

#[test]
fn a_run_is_alone_on_its_ledger_serves_operators_and_ends_when_it_is_told() {
    let town = Town::with_orders(3);
    let run = town.start(&["run"]);
    run.until("settled");
    town.sync(&["run", "--once"]).refused(1, &["another runner has this ledger"]);
    let status = town.sync(&["status"]).done();
    assert!(status.contains("held for a person"), "{status}");
    let (held, _) = held_and_deferred(&town);
    town.sync(&["retry", &held, "--reason", "mended", "--who", "ann"]).done();
    assert_eq!(run.terminate(), Some(0));
    town.sync(&["run", "--once"]).done();
}

/// What an account's script posts reaches the engine; what somebody else posts is told and does nothing.
#[test]
fn announcements_are_taken_while_it_runs() {
    const SECRET: &str = "what the script and we know, and nobody else";
    let town = Town::with(2, &["retail"]);
    let config = town.path("commerce-sync.toml");
    let more =
        format!("[server]\nlisten = \"127.0.0.1:0\"\n[systems.netsuite.events]\nsecret = \"{SECRET}\"\n");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n{more}")).unwrap();
    let run = town.start(&["run"]);
    let line = run.line("announcements are taken at");
    run.until("orders: ");
    let (_, url) = line.split_once("http://").unwrap();
    let (address, path) = url.split_once('/').unwrap();
    let send = |secret: &str| {
        let body = br#"{"record":"customer","id":"500","type":"edit"}"#;
        let secret = erp_http::auth::secret::Secret::new(secret);
        let parts = netsuite::events::signed(&secret, path, SystemClock.now(), body);
        let mut request =
            format!("POST /{path} HTTP/1.1\r\nhost: here\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in parts.headers() {
            request = request + name + ": " + value + "\r\n";
        }
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(&[request.as_bytes(), b"\r\n", body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(send("what a stranger thinks that we know").starts_with("HTTP/1.1 401"));
    run.until("an announcement in the name of netsuite was refused");
    assert!(send(SECRET).starts_with("HTTP/1.1 202"));
    run.until("netsuite hints at customers, which no flow reads from it");
    assert_eq!(run.terminate(), Some(0));
}

#[test]
fn a_ledger_that_cannot_be_used_is_refused_and_left_as_it_is() {
    let town = Town::with_orders(2);
    town.sync(&["run", "--once"]).done();
    let ledger = town.path("sync.db");
    let whole = std::fs::read(&ledger).unwrap();

    let mut newer = whole.clone();
    // The schema's version is SQLite's user_version: four bytes at 60 of the header.
    newer[60..64].copy_from_slice(&9_999_u32.to_be_bytes());
    let mut torn = whole.clone();
    let middle = torn.len() / 2;
    torn[100..middle].fill(0x5a);
    for (bytes, part) in
        [(newer, "newer"), (torn, "damaged"), (b"this is no ledger at all".to_vec(), "ledger")]
    {
        for tail in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(town.path(&format!("sync.db{tail}")));
        }
        std::fs::write(&ledger, &bytes).unwrap();
        for verb in ["status", "run"] {
            let args: &[&str] = if verb == "run" { &["run", "--once"] } else { &["status"] };
            let said = town.sync(args);
            assert!([1, 2].contains(&said.code), "{part}, {verb}: {said:#?}");
            assert!(said.err.contains(part), "{part}, {verb}: {said:#?}");
            assert_eq!(std::fs::read(&ledger).unwrap(), bytes, "{part}: {verb} changed it");
        }
    }
}

#[test]
fn a_host_that_is_not_there_is_one_line_with_its_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let config = r#"
[ledger]
path = "sync.db"
[systems.shop]
kind = "commerce"
environment = "sandbox"
base_url = "http://127.0.0.1:9"
auth = { type = "bearer", token = "hunter2" }
"#;
    std::fs::write(dir.path().join("commerce-sync.toml"), config).unwrap();
    let said = sync(dir.path(), &["read", "shop", "orders"]);
    assert!(!said.err.contains("hunter2"), "{said:#?}");
    said.refused(2, &["no connection to http://127.0.0.1:9", "check base_url", "doctor"]);
}
