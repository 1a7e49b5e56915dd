//! What users may rely on: public types travel between threads, and nothing shows a secret.

use bytes::Bytes;
use erp_core::id::SystemId;
use erp_core::time::{SystemClock, Timestamp};
use erp_http::auth::basic::Basic;
use erp_http::auth::bearer::{Bearer, HeaderKey};
use erp_http::auth::oauth1::{OAuth1, OAuth1Keys};
use erp_http::auth::oauth2::OAuth2;
use erp_http::auth::secret::SecretSource;
use erp_http::quota::Quota;
use erp_http::script::Script;
use erp_http::{Authorize, HttpClient, Request, Response};
use http::{HeaderMap, StatusCode};

#[test]
fn public_types_travel_between_threads() {
    fn travels<T: Send + Sync + 'static>() {}
    travels::<HttpClient>();
    travels::<Quota>();
    travels::<OAuth2>();
    travels::<OAuth1>();
    travels::<Script>();
    travels::<SystemId>();
}

fn answer(status: u16) -> Response {
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        started: Timestamp::EPOCH,
    }
}

async fn authorized(auth: &dyn Authorize, url: &str) -> erp_core::error::Result<Request> {
    let mut request = Request::get(url.parse().unwrap());
    auth.authorize(&mut request).await.map(|()| request)
}

#[tokio::test]
async fn fixed_credentials_are_put_where_they_belong_and_nowhere_in_the_open() {
    let secret = || SecretSource::text("hunter2");
    let keys = OAuth1Keys::new(secret(), secret(), secret(), secret());
    let cases: [(Box<dyn Authorize>, &str, Option<&str>); 4] = [
        (Box::new(Bearer::new(secret())), "authorization", Some("Bearer hunter2")),
        (Box::new(Basic::new("anna".into(), secret())), "authorization", Some("Basic YW5uYTpodW50ZXIy")),
        (Box::new(HeaderKey::new("apikey".parse().unwrap(), secret())), "apikey", Some("hunter2")),
        (Box::new(OAuth1::new(keys, SystemClock::shared())), "authorization", None),
    ];
    for (auth, header, want) in cases {
        let request = authorized(&*auth, "https://a.test/").await.unwrap();
        if let Some(want) = want {
            assert_eq!(request.headers[header], want);
        }
        assert!(request.headers[header].is_sensitive());
        assert!(authorized(&*auth, "http://127.0.0.1:1/").await.is_ok());
        assert_eq!(authorized(&*auth, "http://a.test/").await.unwrap_err().code(), "erp.config");
        assert!(!auth.refused(&request, &answer(401)).await, "nothing has changed, so nothing is sent again");
        assert!(!format!("{auth:?} {request:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_rotated_password_is_sent_again_once() {
    let path = std::env::temp_dir().join(format!("erp-http-basic-{}", std::process::id()));
    std::fs::write(&path, "old").unwrap();
    let basic = Basic::new("anna".into(), SecretSource::file(&path));
    let bearer = Bearer::new(SecretSource::file(&path));
    for auth in [&basic as &dyn Authorize, &bearer] {
        std::fs::write(&path, "old").unwrap();
        let request = authorized(auth, "https://a.test/").await.unwrap();
        std::fs::write(&path, "new").unwrap();
        assert!(!auth.refused(&request, &answer(403)).await, "only 401 is about the credential");
        assert!(auth.refused(&request, &answer(401)).await);
        let again = authorized(auth, "https://a.test/").await.unwrap();
        assert_ne!(request.headers["authorization"], again.headers["authorization"]);
        assert!(!auth.refused(&again, &answer(401)).await);
    }
    std::fs::remove_file(&path).unwrap();
}
