use super::*;
use bytes::Bytes;
use erp_core::time::Timestamp;
use erp_testkit::clock::VirtualClock;
use futures_util::FutureExt as _;
use http::HeaderMap;

const COMMERCE: [&str; 4] = ["ck-0001", "cs-secret-0001", "at-0001", "at-secret-0001"];
const ORACLE: [&str; 4] = [
    "ef40afdd8abaac111b13825dd5e5e2ddddb44f86d5a0dd6dcf38c20aae6b67e4",
    "d26ad321a4b2f23b0741c8d38392ce01c3e23e109df6c96eac6d099e9ab9e8b5",
    "2b0ce516420110bcbd36b69e99196d1b7f6de3c6234c5afb799b73d87569f5cc",
    "c29a677df7d5439a458c063654187e3d678d73aca8e3c9d8bea1478a3eb0d295",
];
const OURS: [&str; 4] = [
    "cccccccccccccccc0123456789abcdef0123456789abcdef0123456789abcdef",
    "5555555555555555fedcba9876543210fedcba9876543210fedcba9876543210",
    "77777777777777770f1e2d3c4b5a69780f1e2d3c4b5a69780f1e2d3c4b5a6978",
    "aaaaaaaaaaaaaaaa13579bdf02468ace13579bdf02468ace13579bdf02468ace",
];

fn clock() -> VirtualClock {
    VirtualClock::new(Timestamp::from_secs(1_760_000_000))
}

fn signer(keys: [&str; 4]) -> OAuth1 {
    let [key, secret, token, token_secret] = keys.map(SecretSource::text);
    OAuth1::new(OAuth1Keys::new(key, secret, token, token_secret), clock().shared())
}

fn request(method: &Method, url: &str) -> Request {
    Request::new(method.clone(), Url::parse(url).unwrap())
}

/// (name, keys, method, url, nonce, timestamp, profile, signature)
type Vector<'a> = (&'a str, [&'a str; 4], Method, String, &'a str, &'a str, SignatureProfile, &'a str);

fn vectors() -> Vec<Vector<'static>> {
    use SignatureProfile::{DoubleEncodedValues, LaminasPathDecode, Rfc5849};
    let filter = "searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B0%5D";
    let orders = format!(
        "https://shop.example.test/rest/all/V1/orders?{filter}%5Bfield%5D=updated_at&{filter}%5Bvalue%5D=\
         2026-01-02%2003%3A04%3A05&{filter}%5Bcondition_type%5D=gteq&searchCriteria%5BpageSize%5D=50"
    );
    let product = "https://shop.example.test/rest/all/V1/products/A%2FB%20C".to_owned();
    let skus: Vec<String> = (0..11).map(|n| format!("skus%5B{n}%5D=s{n}&")).collect();
    let skus = skus.concat();
    let salable =
        format!("https://shop.example.test/rest/all/V1/inventory/are-products-salable?{skus}stockId=1");
    let oracle = ("fjaLirsIcCGVZWzBX0pg", "1508242306");
    let ours = ("k3Xw0ZpQ7nVbT2mR8sLd", "1795392000");
    let netsuite = "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest";
    let (c, get, put, post) = (COMMERCE, Method::GET, Method::PUT, Method::POST);
    vec![
        ("C1", c, get.clone(), orders.clone(), "nonce-0001", "1760000000", Rfc5849, "vb78bdbuN/GxhncEBeTPSehdgWbHkRdG0/50ig+tphI="),
        ("C1 A", c, get.clone(), orders.clone(), "nonce-0001", "1760000000", LaminasPathDecode, "vb78bdbuN/GxhncEBeTPSehdgWbHkRdG0/50ig+tphI="),
        ("C1b", c, get.clone(), orders, "nonce-0001", "1760000000", DoubleEncodedValues, "/TobgR/13mmnNfvoWrWFlFKDpua+HO0VW4m4ryWaxQk="),
        ("C2", c, put.clone(), product.clone(), "nonce-0002", "1760000001", Rfc5849, "S3fg2u5nbRiiBC0aEHteIbsjp9pIyYBLG9IsDzopgM8="),
        ("C2b", c, put, product, "nonce-0002", "1760000001", LaminasPathDecode, "SOyRRfctOquWMk3xqTxOEdgv9cUSDsbbKi+hUmtpZ8w="),
        ("C3", c, get.clone(), salable.clone(), "nonce-0003", "1760000002", Rfc5849, "iMGxA4JNPkiQt1y39t4KVGd1ey6hdBJHiuNK4k1/COk="),
        ("C3b A", c, get.clone(), salable.clone(), "nonce-0003", "1760000002", LaminasPathDecode, "cpo4mu/8OeqoBlauzl40c0/DYvjCdEd8nSP+AYWnMvY="),
        ("C3b B", c, get.clone(), salable, "nonce-0003", "1760000002", DoubleEncodedValues, "cpo4mu/8OeqoBlauzl40c0/DYvjCdEd8nSP+AYWnMvY="),
        ("O1", ORACLE, get.clone(), "https://123456.suitetalk.api.netsuite.com/services/rest/record/v1/employee/40".into(), oracle.0, oracle.1, Rfc5849, "B5OIWznZ2YP0OB7VrJrGkYsTh+8H+5T9Hag+o92q0zY="),
        ("O2", ORACLE, post.clone(), "https://123456.restlets.api.netsuite.com/app/site/hosting/restlet.nl?script=6&deploy=1&customParam=someValue&testParam=someOtherValue".into(), oracle.0, oracle.1, Rfc5849, "+KK4SKNgz4ZiILGLwOMtfYlgcXSy1eis8ldE9X90azQ="),
        ("S1", OURS, post.clone(), format!("{netsuite}/query/v1/suiteql?limit=1000&offset=2000"), ours.0, ours.1, Rfc5849, "NcOwqfCztz7w8bDIF+FHxPCR3Lbfsez8qF/QLprHS64="),
        ("S2", OURS, get.clone(), format!("{netsuite}/record/v1/customer?q=email%20START_WITH%20%22jos%C3%A9%2Bb2b%22&limit=100&offset=0"), ours.0, ours.1, Rfc5849, "rAlhdu9H7TfhAfNUjtsffAQK2fcgpDJK9zc2H8+aiMA="),
        ("S2 plus", OURS, get.clone(), format!("{netsuite}/record/v1/customer?q=email+START_WITH+%22jos%C3%A9%2Bb2b%22&limit=100&offset=0"), ours.0, ours.1, Rfc5849, "rAlhdu9H7TfhAfNUjtsffAQK2fcgpDJK9zc2H8+aiMA="),
        ("S3", OURS, post, format!("{netsuite}/record/v1/salesOrder/eid:M2-000000123/!transform/itemFulfillment"), ours.0, ours.1, Rfc5849, "UTLrd70Wf/Tob1jWE0OENuVY+UTUJjMoFNRAjb454jo="),
        ("S4", OURS, get, "https://1234567-sb1.restlets.api.netsuite.com/app/site/hosting/restlet.nl?script=customscript_stock&deploy=1&sku=B&sku=A&empty=".into(), ours.0, ours.1, Rfc5849, "vZA4lImGH1ZKqbyR9OojCJLRnN+DvyEd2ptZEDfhDxE="),
    ]
}

#[test]
fn known_answers() {
    for (name, keys, method, url, nonce, timestamp, profile, want) in vectors() {
        let signer = signer(keys);
        let keys = signer.read_keys().unwrap();
        let got = signer.signature(&keys, &request(&method, &url), nonce, timestamp, profile);
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn soap_passports_sign_a_text_of_their_own() {
    for (keys, account, nonce, timestamp, want) in [
        (
            ORACLE,
            "123456",
            "fjaLirsIcCGVZWzBX0pg",
            "1508242306",
            "tIcC5zyKUmycB5Ml/cNxOHDusw03Y5KPQiXVNUHHp4U=",
        ),
        (
            OURS,
            "1234567_SB1",
            "k3Xw0ZpQ7nVbT2mR8sLd",
            "1795392000",
            "K9i1oJjhNv8f4JQnQHSEGynI9nTJrFiIUp0s6rSdoWI=",
        ),
    ] {
        let [key, secret, token, token_secret] = keys;
        let text = [account, key, token, nonce, timestamp].map(encode).join("&");
        assert_eq!(sign(&Secret::from(secret), &Secret::from(token_secret), &text), want);
    }
}

#[test]
fn the_header_is_as_netsuite_wants_it() {
    let signer = signer(OURS).with_realm("1234567_SB1");
    let url = "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/query/v1/suiteql?limit=1000&offset=2000";
    let keys = signer.read_keys().unwrap();
    let header = signer.header(&keys, &request(&Method::POST, url), "k3Xw0ZpQ7nVbT2mR8sLd", "1795392000");
    let want = format!(
        "OAuth realm=\"1234567_SB1\", oauth_consumer_key=\"{}\", oauth_token=\"{}\", \
         oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"1795392000\", \
         oauth_nonce=\"k3Xw0ZpQ7nVbT2mR8sLd\", oauth_version=\"1.0\", \
         oauth_signature=\"NcOwqfCztz7w8bDIF%2BFHxPCR3Lbfsez8qF%2FQLprHS64%3D\"",
        OURS[0], OURS[2]
    );
    assert_eq!(header, want);
}

#[test]
fn form_bodies_are_signed_and_json_bodies_are_not() {
    let signer = signer(COMMERCE);
    let keys = signer.read_keys().unwrap();
    let url = "https://shop.example.test/oauth/token/request";
    let signature = |request: &Request| signer.signature(&keys, request, "n", "1", SignatureProfile::Rfc5849);
    let bare = signature(&request(&Method::POST, url));
    let query = signature(&request(&Method::POST, "https://shop.example.test/oauth/token/request?a=b%20c"));
    let form =
        request(&Method::POST, url).with_body("application/x-www-form-urlencoded; charset=utf-8", "a=b+c");
    assert_eq!(signature(&form), query);
    assert_eq!(signature(&request(&Method::POST, url).with_json("{\"a\":1}")), bare);
}

#[test]
fn a_proxy_in_between_is_signed_around() {
    let inside = "http://shop.internal:8080/magento/rest/V1/orders?a=1";
    let plain = signer(COMMERCE);
    let proxied = signer(COMMERCE).with_signing_base(
        Url::parse("https://shop.example.test/rest/").unwrap(),
        Url::parse("http://shop.internal:8080/magento/rest/").unwrap(),
    );
    let keys = plain.read_keys().unwrap();
    let sign = |signer: &OAuth1, url| {
        signer.signature(&keys, &request(&Method::GET, url), "n", "1", SignatureProfile::Rfc5849)
    };
    assert_eq!(sign(&proxied, "https://shop.example.test/rest/V1/orders?a=1"), sign(&plain, inside));
    let elsewhere = "https://other.example.test/rest/V1/orders?a=1";
    assert_eq!(sign(&proxied, elsewhere), sign(&plain, elsewhere));
}

fn answer(status: u16, body: &'static str) -> Response {
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
        started: Timestamp::from_secs(1_760_000_000),
    }
}

const INVALID: &str = r#"{"message":"The signature is invalid. Verify and try again."}"#;
const TELLING: &str = "https://shop.example.test/rest/V1/products?a=b%20c/d";

fn authorized(signer: &OAuth1, method: &Method, url: &str) -> Request {
    let mut request = request(method, url);
    signer.authorize(&mut request).now_or_never().unwrap().unwrap();
    request
}

fn refused(signer: &OAuth1, method: &Method, url: &str, response: &Response) -> bool {
    let request = authorized(signer, method, url);
    signer.refused(&request, response).now_or_never().unwrap()
}

#[test]
fn an_invalid_signature_tries_the_next_profile_and_remembers_it() {
    let signer = signer(COMMERCE);
    // Path and order are plain, so the second profile would sign the same: only the third differs.
    assert!(refused(&signer, &Method::GET, TELLING, &answer(401, INVALID)));
    assert_eq!(signer.profile(), SignatureProfile::DoubleEncodedValues);
    assert!(!refused(&signer, &Method::GET, TELLING, &answer(200, "{}")));
    assert_eq!(signer.profile(), SignatureProfile::DoubleEncodedValues, "it is remembered");
}

#[test]
fn each_profile_is_tried_once_then_the_keys_are_to_blame() {
    let signer = signer(COMMERCE);
    let url = "https://shop.example.test/rest/V1/products/A%2FB%20C?a=b%20c";
    let mut switches = 0;
    while refused(&signer, &Method::GET, url, &answer(401, INVALID)) {
        switches += 1;
    }
    assert_eq!(switches, 2);
    assert_eq!(signer.profile(), SignatureProfile::Rfc5849);
    assert!(!refused(&signer, &Method::GET, url, &answer(401, INVALID)), "no more tries on wrong keys");
}

#[test]
fn writes_plain_requests_and_other_refusals_switch_nothing() {
    let signer = signer(COMMERCE);
    assert!(!refused(&signer, &Method::POST, TELLING, &answer(401, INVALID)));
    assert!(!refused(&signer, &Method::GET, "https://shop.example.test/rest/V1/x", &answer(401, INVALID)));
    let forbidden = answer(401, r#"{"message":"The consumer isn't authorized to access %resources."}"#);
    assert!(!refused(&signer, &Method::GET, TELLING, &forbidden));
    assert!(!refused(&signer, &Method::GET, TELLING, &answer(500, INVALID)));
    assert_eq!(signer.profile(), SignatureProfile::Rfc5849);
    assert!(refused(&signer, &Method::GET, TELLING, &answer(401, INVALID)), "a telling one still does");
}

#[test]
fn the_servers_clock_is_followed_when_it_refuses_ours() {
    let signer = signer(COMMERCE);
    let mut response = answer(400, "oauth_problem=timestamp_refused");
    response.headers.insert("date", "Thu, 09 Oct 2025 08:43:20 GMT".parse().unwrap());
    assert!(
        authorized(&signer, &Method::GET, TELLING).headers["authorization"]
            .to_str()
            .unwrap()
            .contains("oauth_timestamp=\"1760000000\"")
    );
    assert!(refused(&signer, &Method::GET, TELLING, &response));
    let header =
        authorized(&signer, &Method::GET, TELLING).headers["authorization"].to_str().unwrap().to_owned();
    assert!(header.contains("oauth_timestamp=\"1759999400\""), "{header}");
    assert!(!refused(&signer, &Method::GET, TELLING, &response), "the same clock is no news");
}

/// A script of an account that fails at some time stamp has run, and must not run again.
#[test]
fn a_time_stamp_that_is_not_oauths_is_no_reason_to_send_again() {
    let signer = signer(COMMERCE);
    for (text, again) in [
        ("{\"message\":\"Invalid timestamp value in field shipDate\"}", false),
        ("{\"message\":\"The timestamp value in the oauth_timestamp parameter isn't valid.\"}", true),
    ] {
        let mut response = answer(400, text);
        response.headers.insert("date", "Thu, 09 Oct 2025 08:43:20 GMT".parse().unwrap());
        assert_eq!(refused(&signer, &Method::POST, TELLING, &response), again, "{text}");
    }
}

#[test]
fn nonces_differ_and_nothing_is_signed_in_the_open() {
    let signer = signer(COMMERCE);
    let header = |_| authorized(&signer, &Method::GET, TELLING).headers["authorization"].clone();
    assert_ne!(header(0), header(1));
    assert!(header(0).is_sensitive());
    let mut open = request(&Method::GET, "http://shop.example.test/x");
    assert_eq!(signer.authorize(&mut open).now_or_never().unwrap().unwrap_err().code(), "erp.config");
    assert!(open.headers.is_empty());
    assert!(!format!("{signer:?}").contains("secret-0001"));
}

#[test]
fn a_used_nonce_is_replaced_for_reads_only() {
    let signer = signer(COMMERCE);
    let used = answer(401, "oauth_problem=nonce_used");
    assert!(refused(&signer, &Method::GET, TELLING, &used));
    assert!(!refused(&signer, &Method::POST, TELLING, &used));
    assert_eq!(signer.profile(), SignatureProfile::Rfc5849);
}

#[test]
fn after_a_success_a_server_that_was_upgraded_is_learnt_anew() {
    let signer = signer(COMMERCE);
    assert!(refused(&signer, &Method::GET, TELLING, &answer(401, INVALID)));
    assert!(!refused(&signer, &Method::GET, TELLING, &answer(200, "{}")));
    assert!(refused(&signer, &Method::GET, TELLING, &answer(401, INVALID)));
    assert_eq!(signer.profile(), SignatureProfile::Rfc5849);
}
