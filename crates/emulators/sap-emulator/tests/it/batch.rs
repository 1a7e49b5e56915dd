use crate::client::*;
use erp_testkit::emulator::Reply;
use sap_emulator::{Access, Quirk, SapOptions};
use serde_json::Value;
use std::fmt::Write as _;

const KIND: &str = "multipart/mixed; boundary=batch_1";

fn read(url: &str) -> String {
    format!(
        "--batch_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
         GET {url} HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n"
    )
}

fn set(writes: &[(&str, &str, &Value)]) -> String {
    let mut out = "--batch_1\r\nContent-Type: multipart/mixed; boundary=set_1\r\n\r\n".to_owned();
    for (index, (method, url, body)) in writes.iter().enumerate() {
        let body = body.to_string();
        let _ = write!(
            out,
            "--set_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {}\r\n\r\n\
             {method} {url} HTTP/1.1\r\nContent-Type: application/json\r\nAccept: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}\r\n",
            index + 1,
            body.len()
        );
    }
    out + "--set_1--\r\n"
}

async fn send(sap: &mut Client, parts: &[String], more: &[(&str, &str)]) -> Reply {
    let body = parts.concat() + "--batch_1--\r\n";
    let headers: Vec<_> = [("content-type", KIND), ("accept", "multipart/mixed")]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    sap.raw("POST", &format!("{SALES}$batch"), &headers, body).await
}

fn statuses(reply: &Reply) -> Vec<u16> {
    text(reply)
        .lines()
        .filter_map(|line| line.strip_prefix("HTTP/1.1 "))
        .map(|line| line[..3].parse().unwrap())
        .collect()
}

#[tokio::test]
async fn reads_and_a_change_set_with_a_reference() {
    let mut sap = Client::new();
    let item = serde_json::json!({"Material": "TG12", "RequestedQuantity": "1"});
    let set =
        set(&[("POST", "A_SalesOrder", &order("M-1", &[("TG11", "1")])), ("POST", "$1/to_Item", &item)]);
    let reply = send(&mut sap, &[read("A_SalesOrder/$count"), set, read("/A_SalesOrder/$count")], &[]).await;
    assert_eq!(reply.status, 202, "{}", text(&reply));
    assert_eq!(statuses(&reply), [200, 201, 201, 200]);
    assert_eq!(header(&reply, "content-type"), "multipart/mixed; boundary=ejjeeffe0");
    assert!(text(&reply).contains("content-id: 2"));
    let made = sap.world.order("1000001").unwrap();
    assert_eq!(made.items.len(), 2);
    assert_eq!(made.net, dec("13.33"));
}

#[tokio::test]
async fn a_failed_change_set_leaves_nothing_and_ends_the_batch() {
    let mut sap = Client::new();
    let good = order("M-1", &[("TG11", "1")]);
    let bad = order("M-2", &[("NOPE", "1")]);
    let both = set(&[("POST", "A_SalesOrder", &good), ("POST", "A_SalesOrder", &bad)]);
    let reply = send(&mut sap, &[both.clone(), read("A_SalesOrder/$count")], &[]).await;
    assert_eq!(statuses(&reply), [400], "one bare part, and nothing after it");
    assert!(text(&reply).contains("V1/382") && text(&reply).contains("content-id: 2"));
    assert_eq!(sap.world.order_count(), 0, "the first write is rolled back");
    let reply = send(
        &mut sap,
        &[both.clone(), read("A_SalesOrder/$count")],
        &[("prefer", "odata.continue-on-error")],
    )
    .await;
    assert_eq!(statuses(&reply), [400, 200]);

    let mut sap = Client::with(
        SapOptions::new()
            .with_quirk(Quirk::ChangesetErrorMultipart)
            .with_quirk(Quirk::QuotedBoundaryResponse),
    );
    let reply = send(&mut sap, &[both], &[]).await;
    assert_eq!(statuses(&reply), [400]);
    assert!(text(&reply).contains("boundary=ejjeeffe1"), "the error stands inside a multipart");
    assert_eq!(header(&reply, "content-type"), "multipart/mixed; boundary=\"ejjeeffe0\"");
}

#[tokio::test]
async fn what_a_batch_must_not_be() {
    let mut sap = Client::new();
    let good = read("A_SalesOrder") + "--batch_1--\r\n";
    let quoted = "multipart/mixed; boundary=\"batch_1\"";
    let outside = good.replace("GET", "DELETE");
    let inner_id = good.replace("Accept:", "Content-ID: 1\r\nAccept:");
    for (kind, body, want) in [
        (KIND, good.clone(), 202),
        (KIND, good.replace("\r\n", "\n"), 400),
        (quoted, good.clone(), 400),
        (KIND, outside, 400),
        (KIND, inner_id, 400),
        ("application/json", good.clone(), 415),
    ] {
        let reply = sap.raw("POST", &format!("{SALES}$batch"), &[("content-type", kind)], body).await;
        assert_eq!(reply.status, want, "{kind} {}", text(&reply));
    }
    let absolute = send(&mut sap, &[read(&format!("{SALES}A_SalesOrder"))], &[]).await;
    assert_eq!(statuses(&absolute), [404], "part addresses are relative to the service");
    sap.token = "forged".to_owned();
    assert_eq!(
        send(&mut sap, &[read("A_SalesOrder")], &[]).await.status,
        403,
        "even a batch of reads is a post"
    );
}

#[tokio::test]
async fn a_reader_may_read_in_batches_but_not_write() {
    let mut sap = Client::new();
    sap.world.permissions("API_SALES_ORDER_SRV", Access::ReadOnly);
    let write = set(&[("POST", "A_SalesOrder", &order("M-1", &[("TG11", "1")]))]);
    let reply = send(&mut sap, &[read("A_SalesOrder"), write], &[]).await;
    assert_eq!(statuses(&reply), [200, 403]);
    assert_eq!(sap.world.order_count(), 0);
}
