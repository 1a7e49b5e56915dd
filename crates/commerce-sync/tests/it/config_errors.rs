//! Bad configs: one clear line with the remedy, exit 2.

const GOOD: &str = r#"
[ledger]
path = "sync.db"
[systems.shop]
kind = "commerce"
environment = "sandbox"
base_url = "http://127.0.0.1:1"
auth = { type = "bearer", token = "hunter2" }
[systems.sap]
kind = "sap"
environment = "sandbox"
base_url = "http://127.0.0.1:1"
auth = { type = "basic", user = "U", password = "hunter2" }
[flows.orders]
record = "orders"
from = "shop"
to = "sap"
start = "now"
every = "15m"
routes = [ { store = "*", sales_area = "1710/10/00" } ]
"#;

fn check(text: &str) -> (u8, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    std::fs::write(&file, text).unwrap();
    let args = ["commerce-sync", "--config", file.to_str().unwrap(), "check"].map(Into::into);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let code = runtime.block_on(commerce_sync::main(args, &mut out, &mut err, false, std::future::pending()));
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn a_good_config_is_good() {
    let (code, out, err) = check(GOOD);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("orders shop→sap, every 15 min"), "{out}");
}

/// Counts and movements of one system into another, as a warehouse tells them.
const COUNTS: &str = r#"
[systems.netsuite]
kind = "netsuite"
environment = "sandbox"
account = "1234567_SB1"
base_url = "http://127.0.0.1:1"
auth = { type = "tba", consumer_key = "a", consumer_secret = "b", token = "c", token_secret = "d" }
[systems.netsuite.inventory.adjustments]
account = "58"
[flows.shipments]
record = "fulfillments"
from = "sap"
to = "netsuite"
every = "10m"
orders_of_the_sink = true
start = "now"
[flows.counts]
record = "inventory"
from = "sap"
to = "netsuite"
every = "10m"
movements_by = ["shipments"]
"#;

#[test]
fn counts_name_the_flows_that_move_their_goods() {
    let good = format!("{GOOD}{COUNTS}");
    let (code, out, err) = check(&good);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    for (from, to, says) in [
        ("movements_by = [\"shipments\"]", "movements_by = [\"shipment\"]", "shipment"),
        (
            "movements_by = [\"shipments\"]",
            "movements_by = [5]",
            "must be a list of names, and one of them is of type integer",
        ),
        (
            "movements_by = [\"shipments\"]",
            "movements_by = [\"orders\"]",
            "must be a flow of fulfillments or movements",
        ),
        ("orders_of_the_sink = true", "orders_of_the_sink = true\norders_by = \"orders\"", "contradicts"),
    ] {
        assert!(good.contains(from));
        let (code, _, err) = check(&good.replace(from, to));
        assert_eq!(code, 2, "{to}: {err}");
        assert!(err.contains(says) && err.lines().count() == 1, "{to}: {err}");
    }
}

#[test]
fn a_server_needs_an_address_and_somebody_who_announces() {
    let server = "[server]\nlisten = \"127.0.0.1:8787\"\n";
    let events = "[systems.netsuite.events]\nsecret = \"what the script and we know, and nobody else\"\n";
    let (code, out, err) = check(&format!("{GOOD}{COUNTS}{server}{events}"));
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("hooks    http://127.0.0.1:8787/hooks/netsuite"), "{out}");
    let elsewhere = format!("{server}[systems.netsuite.events]\nsecret = {{ file = \"no-such-file\" }}\n");
    for (server, says) in [
        (elsewhere, "systems.netsuite.events.secret: "),
        (server.to_owned(), "server.listen: no system takes announcements"),
        (server.replace("127.0.0.1:8787", "8787"), "server.listen: \"8787\" is no address with a port"),
        (server.replace("listen", "lisen"), "server.lisen: unknown key; did you mean listen?"),
    ] {
        let (code, _, err) = check(&format!("{GOOD}{COUNTS}{server}"));
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(says) && err.lines().count() == 1, "{err}");
    }
}

#[test]
fn each_fault_is_one_line_that_names_the_key() {
    let table = [
        ("every = \"15m\"", "evry = \"15m\"", "flows.orders.evry: unknown key; did you mean every?"),
        ("every = \"15m\"", "", "flows.orders.every: is missing; say every = \"15m\""),
        ("start = \"now\"", "strat = \"now\"", "flows.orders.strat: unknown key; did you mean start?"),
        (
            "record = \"orders\"",
            "record = \"oders\"",
            "flows.orders.record: \"oders\" is no record; did you mean orders?",
        ),
        ("start = \"now\"\n", "", "flows.orders.start: is missing; say start = \"now\""),
        (
            "start = \"now\"",
            "start = \"now\"\nlate_aftr = \"3m\"",
            "flows.orders.late_aftr: unknown key; did you mean late_after?",
        ),
        (
            "base_url = \"http://127.0.0.1:1\"\nauth = { type = \"bearer\"",
            "bse_url = \"x\"\nauth = { type = \"bearer\"",
            "systems.shop.bse_url: unknown key; did you mean base_url?",
        ),
        (
            "password = \"hunter2\"",
            "password = { env = \"NO_SUCH_VARIABLE_HERE\" }",
            "systems.sap.auth.password: the environment variable NO_SUCH_VARIABLE_HERE is not set; set NO_SUCH_VARIABLE_HERE",
        ),
        (
            "kind = \"sap\"\nenvironment = \"sandbox\"",
            "kind = \"sap\"\nenvironment = \"live\"",
            "flows.orders: shop is sandbox and sap is live; sandbox and live never mix",
        ),
        (
            "base_url = \"http://127.0.0.1:1\"\nauth = { type = \"basic\"",
            "base_url = \"http://sap.example\"\nauth = { type = \"basic\"",
            "must be https; plain http is only for loopback",
        ),
        ("to = \"sap\"", "to = \"sap2\"", "flows.orders.to: there is no [systems.sap2]; did you mean sap?"),
    ];
    for (right, wrong, line) in table {
        assert!(GOOD.contains(right), "{right}");
        let (code, out, err) = check(&GOOD.replacen(right, wrong, 1));
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(line), "{err} should say {line}");
        assert_eq!(err.trim_end().lines().count(), 1, "{err}");
        assert!(!err.contains("hunter2"), "{err}");
    }
}

const NETSUITE: &str = r#"
[ledger]
path = "sync.db"
[systems.shop]
kind = "commerce"
environment = "sandbox"
base_url = "http://127.0.0.1:1"
auth = { type = "bearer", token = "hunter2" }
[systems.netsuite]
kind = "netsuite"
environment = "sandbox"
account = "1234567_SB1"
auth = { type = "oauth2", client_id = "c", certificate_id = "k", algorithm = "ES256", private_key = "hunter2" }
[flows.orders]
record = "orders"
from = "shop"
to = "netsuite"
start = "now"
every = "15m"
routes = [ { store = "*", subsidiary = "1" } ]
"#;

#[test]
fn each_algorithm_of_netsuite_is_known_and_then_its_key_is_looked_at() {
    for (name, line) in [
        ("PS256", "systems.netsuite: auth.private_key: the private key is no PEM text"),
        ("PS384", "systems.netsuite: auth.private_key: the private key is no PEM text"),
        ("PS512", "systems.netsuite: auth.private_key: the private key is no PEM text"),
        ("ES256", "systems.netsuite: auth.private_key: the private key is no PEM text"),
        ("ES384", "systems.netsuite: auth.private_key: the private key is no PEM text"),
        ("ES512", "systems.netsuite: auth.private_key: the private key is no PEM text"),
        ("RS256", "systems.netsuite: auth.algorithm = \"RS256\" is refused by NetSuite; use PS256"),
        ("ES521", "systems.netsuite.auth: is not known; did you mean ES512?"),
    ] {
        let (code, out, err) = check(&NETSUITE.replace("ES256", name));
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(line), "{err} should say {line}");
        assert_eq!(err.trim_end().lines().count(), 1, "{err}");
        assert!(!err.contains("hunter2"), "{err}");
    }
}

/// The verdict on a flow of `record` beside that of orders.
fn with_flow(record: &str, from: &str, to: &str, more: &str) -> (u8, String, String) {
    let flow = format!(
        "[flows.{record}]\nrecord = \"{record}\"\nfrom = \"{from}\"\nto = \"{to}\"\nevery = \"15m\"\n{more}"
    );
    let whole = NETSUITE.replace("auth = { type = \"oauth2\", client_id = \"c\", certificate_id = \"k\", algorithm = \"ES256\", private_key = \"hunter2\" }", "auth = { type = \"tba\", consumer_key = \"a\", consumer_secret = \"hunter2\", token = \"b\", token_secret = \"hunter2\" }");
    check(&format!("{whole}{flow}"))
}

#[test]
fn a_flow_of_movements_is_told_what_it_lacks() {
    let flow = |from: &str, more: &str| {
        let flow =
            format!("record = \"movements\"\nfrom = \"{from}\"\nto = \"netsuite\"\nevery = \"15m\"\n{more}");
        let counts = COUNTS.replace("[\"shipments\"]", "[\"shipments\", \"moved\"]");
        check(&format!("{GOOD}{counts}[flows.moved]\n{flow}"))
    };
    let start = "start = \"now\"\n";
    for (from, more, says) in [
        ("sap", "", "so that the first run does not post years of history"),
        ("sap", "start = { after = { default = \"7\" } }\n", "for movements"),
        ("sap", "start = \"now\"\nlocations = { a = 5 }\n", "flows.moved.locations.a: must be a text"),
        ("sap", "start = \"now\"\norders_by = \"orders\"\n", "flows.moved.orders_by: unknown key"),
        ("sap", start, "flows.moved.from: sap gives no movements of stock"),
        ("shop", start, "flows.moved.from: shop gives no movements of stock"),
    ] {
        let (code, _, err) = flow(from, more);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(says) && err.lines().count() == 1, "{err} should say {says}");
    }
}

#[test]
fn a_flow_of_refunds_is_told_what_it_lacks() {
    let start = "start = \"now\"\n";
    for (from, to, start, says) in [
        ("shop", "netsuite", "", "so that the first run does not post years of history"),
        ("shop", "netsuite", "start = { after = { default = \"7\" } }\n", "for refunds"),
        ("netsuite", "shop", start, "gives no refunds"),
        ("shop", "shop", start, "takes no refunds"),
    ] {
        let (code, _, err) = with_flow("refunds", from, to, start);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(says), "{err} should say {says}");
    }
}

#[test]
fn a_flow_of_invoices_is_told_what_it_lacks_and_is_taken_when_it_lacks_nothing() {
    let start = "start = \"now\"\n";
    for (from, to, more, says) in [
        ("netsuite", "shop", "", "so that the first run does not post years of history"),
        ("netsuite", "shop", "start = { after = { default = \"7\" } }\n", "for invoices"),
        ("shop", "netsuite", start, "gives no invoices"),
        ("netsuite", "netsuite", start, "takes no invoices"),
        ("netsuite", "shop", "start = \"now\"\ncapture = \"yes\"\n", "capture"),
        ("netsuite", "shop", "start = \"now\"\nlocations = { a = \"b\" }\n", "locations"),
        ("netsuite", "shop", "start = \"now\"\norders_by = \"nobody\"\n", "nobody"),
    ] {
        let (code, _, err) = with_flow("invoices", from, to, more);
        assert_eq!(code, 2, "{more}: {err}");
        assert!(err.contains(says), "{err} should say {says}");
    }
    let whole = "start = \"2026-11-01\"\norders_by = \"orders\"\ncapture = true\nnotify_within = \"2d\"\n";
    let (code, out, err) = with_flow("invoices", "netsuite", "shop", whole);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("invoices billed since 2026-11-01"), "{out}");
    assert!(out.contains("the shop takes their money"), "{out}");
}
