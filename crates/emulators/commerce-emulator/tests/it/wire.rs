use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use commerce_emulator::{Options, Quirk, Quirks, start};
use erp_testkit::emulator::ServerOptions;
use erp_testkit::fault::{Fault, Rule};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{dec, noon, wish};
use erp_testkit::clock::VirtualClock;

/// Sends bytes, and returns status and body; `None` if the connection broke.
async fn raw(base_url: &str, request: &str) -> Option<(u16, String)> {
    let address = base_url.strip_prefix("http://").unwrap().to_owned();
    let request = request.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        Some((status, body.to_owned()))
    })
    .await
    .unwrap()
}

fn enc(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// A GET that is signed as RFC 5849 says. The query's pairs are already encoded and sorted.
fn signed(base_url: &str, path: &str, query: &str, nonce: &str, at: i64) -> String {
    let mut pairs: Vec<String> =
        query.split('&').filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
    let oauth = [
        ("oauth_consumer_key", "erp-consumer-key".to_owned()),
        ("oauth_nonce", nonce.to_owned()),
        ("oauth_signature_method", "HMAC-SHA256".to_owned()),
        ("oauth_timestamp", at.to_string()),
        ("oauth_token", "erp-access-token".to_owned()),
    ];
    pairs.extend(oauth.iter().map(|(name, value)| format!("{name}={}", enc(value))));
    pairs.sort();
    let base = format!("GET&{}&{}", enc(&format!("{base_url}{path}")), enc(&pairs.join("&")));
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"erp-consumer-secret&erp-access-token-secret");
    let signature = enc(&STANDARD.encode(hmac::sign(&key, base.as_bytes())));
    let header: Vec<String> =
        oauth.iter().map(|(name, value)| format!("{name}=\"{}\"", enc(value))).collect();
    let host = base_url.strip_prefix("http://").unwrap();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    format!(
        "GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nauthorization: OAuth {}, oauth_signature=\"{signature}\"\r\n\r\n",
        header.join(", ")
    )
}

const NOW: i64 = 1_795_435_200;

#[tokio::test]
async fn a_signed_call_over_a_socket() {
    let clock = VirtualClock::new(noon());
    let shop = start(Options::new().with_server(ServerOptions::new().on(&clock))).await.unwrap();
    let base = shop.base_url();
    let wish = wish().with_delivery("ups_GND", "Ground", dec("29.95"));
    let id = shop.world.place_order(wish).unwrap();
    let query = "fields=entity_id%2Cshipping_amount";
    let path = format!("/rest/all/V1/orders/{id}");
    let (status, body) = raw(&base, &signed(&base, &path, query, "n1", NOW)).await.unwrap();
    assert_eq!((status, body.as_str()), (200, "{\"entity_id\":1,\"shipping_amount\":29.949999999999999}"));

    let (status, body) = raw(&base, &signed(&base, &path, query, "n1", NOW)).await.unwrap();
    assert_eq!(status, 401);
    assert!(body.contains("nonce is already being used"), "{body}");
    let forged = signed(&base, &path, query, "n2", NOW).replace("/orders/1", "/orders/2");
    let (status, body) = raw(&base, &forged).await.unwrap();
    assert_eq!(
        (status, body.as_str()),
        (401, "{\"message\":\"The signature is invalid. Verify and try again.\"}")
    );
    assert_eq!(raw(&base, &signed(&base, &path, query, "n3", NOW + 601)).await.unwrap().0, 400);
    let unsigned = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert_eq!(raw(&base, &unsigned).await.unwrap().0, 401);
    let bearer = unsigned.replace("host: x", "host: x\r\nauthorization: Bearer erp-access-token");
    assert_eq!(raw(&base, &bearer).await.unwrap().0, 401, "off by default");
    shop.world.set_quirks(Quirks::new().without(Quirk::BearerOff));
    assert_eq!(raw(&base, &bearer).await.unwrap().0, 200);
    assert_eq!(shop.server.count("GET", "/orders/1"), 6);
}

#[tokio::test]
async fn the_generations_of_the_server_disagree_about_values_with_colons() {
    let clock = VirtualClock::new(noon());
    let shop = start(Options::new().with_server(ServerOptions::new().on(&clock))).await.unwrap();
    let base = shop.base_url();
    let query = "fields=total_count&searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B0%5D%5Bcondition_type%5D=gteq\
        &searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B0%5D%5Bfield%5D=updated_at\
        &searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B0%5D%5Bvalue%5D=2026-01-02%2003%3A04%3A05";
    let ask =
        |nonce| raw(&base, Box::leak(signed(&base, "/rest/V1/orders", query, nonce, NOW).into_boxed_str()));
    assert_eq!(ask("a").await.unwrap(), (200, "{\"total_count\":0}".to_owned()));
    shop.world.set_quirks(Quirks::new().with(Quirk::OauthLaminas));
    assert_eq!(ask("b").await.unwrap().0, 200);
    shop.world.set_quirks(Quirks::new().with(Quirk::OauthDoubleEncoded));
    assert_eq!(ask("c").await.unwrap().0, 401);
}

#[tokio::test]
async fn an_answer_lost_after_the_commit_leaves_the_work() {
    let shop = start(Options::new().with_quirks(Quirks::new().without(Quirk::BearerOff))).await.unwrap();
    let id = shop.world.place_order(wish()).unwrap();
    shop.server.faults().add(Rule::once(Some("POST"), "/cancel", Fault::DropAfterCommit));
    let request = format!(
        "POST /rest/V1/orders/{id}/cancel HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\nauthorization: Bearer erp-access-token\r\n\r\n"
    );
    assert_eq!(raw(&shop.base_url(), &request).await, None);
    assert_eq!(shop.world.order(id).unwrap().state, "canceled");
    assert_eq!(raw(&shop.base_url(), &request).await.unwrap(), (200, "false".to_owned()));
}
