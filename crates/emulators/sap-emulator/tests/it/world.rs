use crate::client::*;
use erp_core::time::{Clock as _, Timestamp};
use erp_testkit::emulator::ServerOptions;
use erp_testkit::fault::{Fault, FaultPlan, Rule};
use futures_util::future::join_all;
use sap_emulator::SapOptions;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

#[tokio::test]
async fn a_blocked_customer_gets_orders_that_do_not_ship() {
    let mut sap = Client::new();
    sap.world.block_credit("17100001");
    let reply = sap.post(&format!("{SALES}A_SalesOrder"), &order("M-1", &[("TG11", "1")])).await;
    assert_eq!(reply.status, 201);
    assert_eq!(body(&reply)["d"]["TotalCreditCheckStatus"], "B");
    assert!(header(&reply, "sap-message").contains("VU/013"));
    assert!(sap.world.post_goods_issue("1000001").is_err());
    sap.world.unblock_credit("17100001");
    assert_eq!(sap.world.order("1000001").unwrap().credit_status, "A");
    assert!(sap.world.post_goods_issue("1000001").is_ok());
}

#[tokio::test]
async fn what_only_a_tie_out_finds() {
    let mut sap = Client::new();
    for number in 1..=3 {
        sap.create(&order(&format!("M-{number}"), &[("TG11", "1")])).await;
    }
    assert!(sap.world.lose_order("1000001") && !sap.world.lose_order("1000001"));
    assert_eq!(sap.world.duplicate_order("1000002").as_deref(), Some("1000004"));
    assert!(sap.world.skew_cent("1000003") && !sap.world.skew_cent("7"));
    assert!(sap.world.order_by_key("PurchaseOrderByCustomer", "M-1").is_empty());
    assert_eq!(sap.world.order_by_key("PurchaseOrderByCustomer", "M-2").len(), 2);
    let found = sap.ok(&format!("{SALES}A_SalesOrder?$filter=PurchaseOrderByCustomer eq 'M-2'")).await;
    assert_eq!(found["results"].as_array().unwrap().len(), 2);
    assert_eq!(sap.world.order("1000003").unwrap().net, dec("10.01"));
    let distributor = sap.world.place_distributor_order("17100002", "D-1", &[("TG11", dec("40"))]).unwrap();
    assert_eq!(sap.world.order(&distributor).unwrap().net, dec("380.00"));
    assert_eq!(sap.world.available("TG11", "1710"), dec("57"));
    assert!(sap.world.place_distributor_order("17100002", "D-2", &[("NOPE", dec("1"))]).is_err());
    assert_eq!(sap.world.orders().len(), 4);
}

#[tokio::test]
async fn what_is_promised_first_stays_promised() {
    let mut sap = Client::new();
    sap.create(&order("M-1", &[("TG11", "60"), ("TG11", "30")])).await;
    let second = sap.create(&order("M-2", &[("TG11", "20"), ("TG11", "5")])).await;
    let confirmed = |order: &serde_json::Value| {
        let items = order["to_Item"]["results"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["ConfdDelivQtyInOrderQtyUnit"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(confirmed(&second), ["10", "0"]);
    let url = format!("{SALES}A_SalesOrder('1000001')");
    assert_eq!(
        sap.write("PATCH", &url, &[("if-match", "*")], &json!({"PaymentMethod": "D"})).await.status,
        204
    );
    assert_eq!(confirmed(&sap.ok(&format!("{url}?$expand=to_Item")).await), ["60", "30"]);
}

#[tokio::test]
async fn a_larger_quantity_competes_with_others_and_not_with_itself() {
    let mut sap = Client::new();
    sap.create(&order("M-1", &[("TG11", "60")])).await;
    sap.create(&order("M-2", &[("TG11", "10")])).await;
    let url = format!("{SALES}A_SalesOrderItem(SalesOrder='1000001',SalesOrderItem='10')");
    assert_eq!(sap.write("PATCH", &url, &[], &json!({"RequestedQuantity": "95"})).await.status, 204);
    assert_eq!(sap.ok(&url).await["ConfdDelivQtyInOrderQtyUnit"], "90");
    assert_eq!(sap.world.available("TG11", "1710"), dec("-5"));
}

#[tokio::test]
async fn everything_survives_a_kill() {
    let dir = std::env::temp_dir().join(format!("sap-emulator-{}", std::process::id()));
    let _ = std::fs::remove_file(&dir);
    let mut sap = Client::with(SapOptions::new().with_path(&dir));
    sap.create(&order("M-1", &[("TG11", "1")])).await;
    sap.world.draw_stock("TG11", "1710", 9);
    sap.world.block_credit("17100002");
    sap.world.post_goods_issue("1000001").unwrap();
    sap.create(&order("M-2", &[("TG11", "1")])).await;
    sap.world.lose_order("1000002");
    sap.create(&order("M-3", &[("TG11", "7")])).await;
    let (orders, stock) = (sap.world.orders(), sap.world.stock("TG11", "1710"));
    assert_eq!(sap.world.available("TG11", "1710"), dec("83"));
    let rows = sap.world.rows("A_SalesOrderItemPrElement", &[]);
    drop(sap);
    std::fs::File::options().append(true).open(&dir).unwrap().write_all(b"[{\"Put\":[\"A_Sal").unwrap();
    let mut sap = Client::with(SapOptions::new().with_path(&dir));
    assert_eq!((sap.world.orders(), sap.world.stock("TG11", "1710")), (orders, stock));
    assert_eq!(sap.world.rows("A_SalesOrderItemPrElement", &[]), rows);
    assert_eq!((stock, sap.world.available("TG11", "1710")), (dec("90"), dec("83")));
    assert_eq!(
        sap.create(&order("M-4", &[("TG11", "1")])).await["SalesOrder"],
        "1000004",
        "no number is given twice"
    );
    std::fs::remove_file(&dir).unwrap();
}

#[tokio::test]
async fn answers_take_time_on_few_lanes() {
    let sap = Client::new();
    sap.world.set_latency(1000..=1000, 2);
    let target = format!("{SALES}A_SalesOrder");
    let all = join_all((0..6).map(|_| sap.get(&target)));
    let drive = async {
        let mut wakes = Vec::new();
        while wakes.len() < 3 {
            tokio::task::yield_now().await;
            if sap.clock.next_wake().is_some() {
                // All six have booked their lane once three instants are known to differ; yield until they have.
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
                assert!(sap.clock.advance_to_next());
                wakes.push(sap.clock.now());
            }
        }
        wakes
    };
    let (replies, wakes) = tokio::join!(all, drive);
    assert!(replies.iter().all(|reply| reply.status == 200));
    let start = Timestamp::parse("2026-11-23T08:00:00Z").unwrap();
    let waits: Vec<_> = wakes.iter().map(|at| at.since(start).as_secs()).collect();
    assert_eq!(waits, [1, 2, 3]);
}

#[tokio::test]
async fn over_a_real_socket_with_a_lost_answer() {
    let faults = FaultPlan::new();
    let options = SapOptions::new().with_server(ServerOptions::new().with_faults(faults.clone()));
    let emulator = sap_emulator::start(options).await.unwrap();
    emulator.world.seed(&demo());
    let host = emulator.base_url().strip_prefix("http://").unwrap().to_owned();
    let call = |head: String, more: String, body: String| {
        let request = format!(
            "{head} HTTP/1.1\r\nhost: {host}\r\nauthorization: Basic U1lOQ19VU0VSOmVtdWxhdGVk\r\n\
             accept: application/json\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{more}\r\n{body}",
            body.len()
        );
        let host = host.clone();
        async move {
            let exchange = move || {
                let mut stream = TcpStream::connect(host).unwrap();
                stream.write_all(request.as_bytes()).unwrap();
                let mut answer = String::new();
                let _ = stream.read_to_string(&mut answer);
                answer
            };
            tokio::task::spawn_blocking(exchange).await.unwrap()
        }
    };
    let answer = call(format!("GET {SALES}"), "x-csrf-token: Fetch\r\n".to_owned(), String::new()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let values = |name: &str| {
        let lines = answer.lines().filter_map(|line| line.strip_prefix(name));
        lines.map(|line| line.split(';').next().unwrap().trim().to_owned()).collect::<Vec<_>>()
    };
    let (token, cookies) = (values("x-csrf-token:")[0].clone(), values("set-cookie:").join("; "));
    let session = format!("x-csrf-token: {token}\r\ncookie: {cookies}\r\n");
    faults.add(Rule::once(Some("POST"), "A_SalesOrder", Fault::DropAfterCommit));
    for (reference, answered) in [("M-1", false), ("M-2", true)] {
        let json = order(reference, &[("TG11", "1")]).to_string();
        let answer = call(format!("POST {SALES}A_SalesOrder"), session.clone(), json).await;
        assert_eq!(answer.starts_with("HTTP/1.1 201"), answered, "{answer}");
        assert_eq!(
            emulator.world.order_by_key("PurchaseOrderByCustomer", reference).len(),
            1,
            "the work stands"
        );
    }
    assert_eq!(emulator.server.count("POST", "A_SalesOrder"), 2);
}
