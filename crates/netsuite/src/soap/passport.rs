//! The log-on of a SOAP request: a token passport in its header, signed anew for each try.
//!
//! It signs a text of its own, the five values with `&` between them, under the keys of token-based authentication (Oracle's
//! online help, section 1534941088).

use super::fault::Fault;
use super::xml::Element;
use super::{OPENING, envelope_of};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::time::Clock;
use erp_http::auth::oauth1::{OAuth1Keys, encode, nonce, sign};
use erp_http::auth::secret::LiveSecret;
use erp_http::{Authorize, Request, Response};
use std::sync::Arc;

const CLOSING: &str = "</msgs:tokenPassport>";

/// Puts a passport into each request's header.
#[derive(Debug)]
pub(super) struct Passport {
    account: String,
    consumer_key: LiveSecret,
    consumer_secret: LiveSecret,
    token: LiveSecret,
    token_secret: LiveSecret,
    clock: Arc<dyn Clock>,
}

/// The text that is signed.
fn base_string(account: &str, consumer_key: &str, token: &str, nonce: &str, timestamp: &str) -> String {
    [account, consumer_key, token, nonce, timestamp].map(encode).join("&")
}

impl Passport {
    /// `account` is the realm, with its underscore and in capitals.
    pub(super) fn new(account: &str, keys: OAuth1Keys, clock: Arc<dyn Clock>) -> Self {
        Self {
            account: account.to_owned(),
            consumer_key: LiveSecret::new(keys.consumer_key),
            consumer_secret: LiveSecret::new(keys.consumer_secret),
            token: LiveSecret::new(keys.token),
            token_secret: LiveSecret::new(keys.token_secret),
            clock,
        }
    }

    fn element(&self, nonce: &str, timestamp: i64) -> Result<Element> {
        let (consumer_key, token) = (self.consumer_key.get()?, self.token.get()?);
        let timestamp = timestamp.to_string();
        let base = base_string(&self.account, consumer_key.expose(), token.expose(), nonce, &timestamp);
        let signature = sign(&self.consumer_secret.get()?, &self.token_secret.get()?, &base);
        Ok(Element::new("msgs:tokenPassport")
            .with(Element::of("core:account", self.account.as_str()))
            .with(Element::of("core:consumerKey", consumer_key.expose()))
            .with(Element::of("core:token", token.expose()))
            .with(Element::of("core:nonce", nonce))
            .with(Element::of("core:timestamp", timestamp))
            .with(Element::of("core:signature", signature).attr("algorithm", "HMAC-SHA256")))
    }

    /// Whether a request carries a passport that was made with other keys than those that are known now.
    fn is_outdated(&self, request: &Request) -> bool {
        let outdated = || {
            let rest = std::str::from_utf8(request.body.strip_prefix(OPENING.as_bytes())?).ok()?;
            let (passport, _) = rest.split_once(CLOSING)?;
            let sent = Element::parse(format!("{passport}{CLOSING}").as_bytes()).ok()?;
            let now = self.element(sent.say("nonce")?, sent.say("timestamp")?.parse().ok()?).ok()?;
            Some(now != sent)
        };
        outdated().unwrap_or_default()
    }
}

#[async_trait]
impl Authorize for Passport {
    async fn authorize(&self, request: &mut Request) -> Result<()> {
        let rest = request.body.strip_prefix(OPENING.as_bytes());
        let rest =
            rest.ok_or_else(|| Error::unexpected("a passport has its place in a SOAP envelope only"))?;
        let passport = self.element(&nonce()?, self.clock.now().as_secs())?.to_xml()?;
        let mut body = BytesMut::with_capacity(request.body.len() + passport.len());
        body.extend_from_slice(OPENING.as_bytes());
        body.extend_from_slice(&passport);
        body.extend_from_slice(rest);
        request.body = Bytes::from(body);
        Ok(())
    }

    /// A refused log-on is tried again only if somebody exchanged the keys meanwhile: five refusals lock the user.
    async fn refused(&self, request: &Request, response: &Response) -> bool {
        let refused = envelope_of(&response.body)
            .ok()
            .and_then(|body| Fault::of(&body))
            .is_some_and(|fault| *fault.error(erp_core::error::Effect::None).kind() == ErrorKind::Auth);
        if !refused {
            return false;
        }
        // Who was refused at the same time has read other keys meanwhile.
        if self.is_outdated(request) {
            return true;
        }
        let keys = [&self.consumer_key, &self.consumer_secret, &self.token, &self.token_secret];
        let changed: Vec<bool> =
            keys.iter().map(|key| key.get().is_ok_and(|used| key.renewed(&used))).collect();
        changed.contains(&true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::time::SystemClock;
    use erp_http::auth::secret::SecretSource;

    /// Consumer key and secret, token and secret, nonce, timestamp, account, signature.
    const KNOWN: [[&str; 8]; 2] = [
        // The inputs and the signature that Oracle prints.
        [
            "ef40afdd8abaac111b13825dd5e5e2ddddb44f86d5a0dd6dcf38c20aae6b67e4",
            "d26ad321a4b2f23b0741c8d38392ce01c3e23e109df6c96eac6d099e9ab9e8b5",
            "2b0ce516420110bcbd36b69e99196d1b7f6de3c6234c5afb799b73d87569f5cc",
            "c29a677df7d5439a458c063654187e3d678d73aca8e3c9d8bea1478a3eb0d295",
            "fjaLirsIcCGVZWzBX0pg",
            "1508242306",
            "123456",
            "tIcC5zyKUmycB5Ml/cNxOHDusw03Y5KPQiXVNUHHp4U=",
        ],
        // A sandbox's account, signed by another library (oauthlib).
        [
            "cccccccccccccccc0123456789abcdef0123456789abcdef0123456789abcdef",
            "5555555555555555fedcba9876543210fedcba9876543210fedcba9876543210",
            "77777777777777770f1e2d3c4b5a69780f1e2d3c4b5a69780f1e2d3c4b5a6978",
            "aaaaaaaaaaaaaaaa13579bdf02468ace13579bdf02468ace13579bdf02468ace",
            "k3Xw0ZpQ7nVbT2mR8sLd",
            "1795392000",
            "1234567_SB1",
            "K9i1oJjhNv8f4JQnQHSEGynI9nTJrFiIUp0s6rSdoWI=",
        ],
    ];

    fn passport(known: &[&'static str; 8]) -> Passport {
        let [key, secret, token, token_secret, _, _, account, _] = *known;
        let source = |text: &str| SecretSource::text(text);
        let keys = OAuth1Keys::new(source(key), source(secret), source(token), source(token_secret));
        Passport::new(account, keys, SystemClock::shared())
    }

    #[test]
    fn passports_of_known_inputs_have_the_known_signatures() {
        for known in &KNOWN {
            let [key, _, token, _, nonce, stamp, account, signature] = *known;
            assert_eq!(
                base_string(account, key, token, nonce, stamp),
                [account, key, token, nonce, stamp].join("&"),
                "nothing in it needs an escape"
            );
            let element = passport(known).element(nonce, stamp.parse().unwrap()).unwrap();
            let order: Vec<_> = element.children().map(Element::local).collect();
            assert_eq!(order, ["account", "consumerKey", "token", "nonce", "timestamp", "signature"]);
            let signed = element.child("signature").unwrap();
            assert_eq!((signed.text(), signed.attribute("algorithm")), (signature, Some("HMAC-SHA256")));
        }
    }

    #[test]
    fn values_are_escaped_before_they_are_joined() {
        assert_eq!(base_string("a&b", "c d", "é", "n", "1"), "a%26b&c%20d&%C3%A9&n&1");
    }

    #[tokio::test]
    async fn each_try_has_a_nonce_of_its_own_and_the_rest_stays() {
        let passport = passport(&KNOWN[1]);
        let url: url::Url = "https://1234567-sb1.suitetalk.api.netsuite.com/".parse().unwrap();
        let written = super::super::envelope(&Element::new("msgs:getItemAvailability")).unwrap();
        let mut nonces = Vec::new();
        for _ in 0..2 {
            let mut request = Request::post(url.clone()).with_body("text/xml", written.clone());
            passport.authorize(&mut request).await.unwrap();
            let sent = Element::parse(&request.body).unwrap();
            let header = sent.child("Header").unwrap().child("tokenPassport").unwrap();
            nonces.push(header.say("nonce").unwrap().to_owned());
            assert!(sent.child("Body").unwrap().child("getItemAvailability").is_some());
            assert!(
                !String::from_utf8_lossy(&request.body).contains("aaaaaaaaaaaaaaaa"),
                "no secret travels"
            );
        }
        assert_ne!(nonces[0], nonces[1]);
        let mut other = Request::post(url).with_body("text/xml", "<a/>");
        assert_eq!(passport.authorize(&mut other).await.unwrap_err().code(), "erp.unexpected");
        assert!(!format!("{passport:?}").contains("cccccccc"), "nothing is shown");
    }
}
