//! What may be logged, and what is cut out first.
//!
//! The rule is an allow-list: method, host, path, status, sizes, a few headers. Queries, bodies and all other headers stay
//! out. Where a vendor's own sentence or the beginning of a body helps, it goes through [`text`] first, which removes what
//! looks like a secret or like personal data. It errs on the side of removing.

use http::{HeaderName, Method};
use url::Url;

/// The longest excerpt of a body, in bytes.
pub const EXCERPT_MAX: usize = 2048;

const HEADERS: [&str; 12] = [
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "retry-after",
    "sap-message",
    "sap-perf-fesrec",
    "server",
    "transfer-encoding",
    "via",
    "x-request-id",
    "x-correlation-id",
];

/// Names whose values are never shown, as parts of lower-case words.
const TELLTALE: [&str; 25] = [
    "authorization",
    "cookie",
    "csrf",
    "password",
    "passwd",
    "secret",
    "token",
    "signature",
    "nonce",
    "api_key",
    "apikey",
    "consumer_key",
    "assertion",
    "email",
    "firstname",
    "lastname",
    "first_name",
    "last_name",
    "street",
    "telephone",
    "phone",
    "iban",
    "vat_id",
    "cvv",
    "dob",
];

/// Whether a header's value may be logged.
#[must_use]
pub fn header_may_be_logged(name: &HeaderName) -> bool {
    HEADERS.contains(&name.as_str())
}

/// `GET host/path`, for spans: no query, no credentials, no address of a person.
#[must_use]
pub fn target(method: &Method, url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let path: Vec<&str> = url
        .path()
        .split('/')
        .map(|part| if part.contains('@') || part.to_ascii_lowercase().contains("%40") { "…" } else { part })
        .collect();
    cut(&format!("{method} {host}{}", path.join("/")), 300)
}

/// The beginning of a body, at most [`EXCERPT_MAX`] bytes, without what looks secret or personal.
#[must_use]
pub fn excerpt(body: &[u8]) -> String {
    let shown = &body[..body.len().min(EXCERPT_MAX)];
    let mut clean = text(&String::from_utf8_lossy(shown));
    if body.len() > EXCERPT_MAX {
        clean.push('…');
    }
    clean
}

/// A vendor's sentence without what looks like a secret or like personal data: values after telling names, mail addresses,
/// long tokens, long runs of digits, queries of URLs.
#[must_use]
pub fn text(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut armed = Armed::No;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| !c.is_whitespace() && !"\"'<>(){}[],;=&|".contains(c);
        if !is_word(first) {
            armed = armed.after_mark(first);
            clean.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        rest = tail;
        if word.split_once('?').is_some_and(|(_, query)| !query.is_empty()) {
            rest = rest.trim_start_matches(|c: char| !c.is_whitespace() && !"\"'<>(){}[]".contains(c));
        }
        if word == ":" {
            armed = armed.after_mark(':');
            clean.push(':');
        } else if is_scheme(word) {
            armed = Armed::Ready;
            clean.push_str(word);
        } else if armed == Armed::Ready || (armed == Armed::Named && word.starts_with(':')) {
            armed = Armed::No;
            clean.push('…');
        } else {
            armed = match (is_telling(word), word.ends_with(':')) {
                (true, true) => Armed::Ready,
                (true, false) => Armed::Named,
                (false, _) => Armed::No,
            };
            clean.push_str(&shown(word));
        }
    }
    clean
}

/// Whether the next word is a value to be removed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Armed {
    No,
    /// A telling name has gone by; a `:` or `=` after it makes the next word its value.
    Named,
    Ready,
}

impl Armed {
    fn after_mark(self, mark: char) -> Self {
        match mark {
            ':' | '=' if self == Self::Named => Self::Ready,
            ',' | ';' | '{' | '}' | '&' | '<' | '>' => Self::No,
            _ => self,
        }
    }
}

fn is_scheme(word: &str) -> bool {
    matches!(word.to_ascii_lowercase().as_str(), "bearer" | "basic")
}

fn is_telling(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    TELLTALE.iter().any(|name| lower.contains(name))
}

fn shown(word: &str) -> String {
    if let Some((name, value)) = word.split_once(':')
        && !value.is_empty()
        && is_telling(name)
    {
        return format!("{name}:…");
    }
    if let Some((path, query)) = word.split_once('?')
        && !query.is_empty()
    {
        return format!("{}?…", shown(path));
    }
    let looks_like_mail = word.split_once('@').is_some_and(|(_, host)| host.contains('.'));
    if looks_like_mail || is_long_number(word) || is_token(word) { "…".into() } else { word.into() }
}

fn is_long_number(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    digits >= 10 && word.chars().all(|c| c.is_ascii_digit() || "+-./:".contains(c)) && !is_time(word)
}

/// `2026-11-23`, alone or with a time.
fn is_time(word: &str) -> bool {
    let shape = word.bytes().take(10).map(|b| if b.is_ascii_digit() { b'0' } else { b });
    shape.eq(*b"0000-00-00") && word.len() <= 32
}

fn is_token(word: &str) -> bool {
    let (mut letters, mut digits, mut length) = (0, 0, 0);
    for c in word.chars() {
        length += 1;
        letters += usize::from(c.is_ascii_alphabetic());
        digits += usize::from(c.is_ascii_digit());
    }
    let known = is_time(word) || length == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    length >= 20 && letters >= 2 && digits >= 2 && !known && !word.starts_with('/') && !word.contains("://")
}

/// Cuts after so many characters.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_target_has_no_query_and_no_person() {
        let url = Url::parse("https://u:p@shop.test/V1/customers/a%40b.de/x?email=a@b.de").unwrap();
        assert_eq!(target(&Method::GET, &url), "GET shop.test/V1/customers/…/x");
    }

    #[test]
    fn secrets_and_persons_are_cut_out() {
        for (dirty, clean) in [
            ("Authorization: Bearer abc.def", "Authorization: Bearer …"),
            (r#"{"password":"hunter2","code":"V1/042"}"#, r#"{"password":"…","code":"V1/042"}"#),
            ("access_token=abc&expires_in=3600", "access_token=…&expires_in=3600"),
            ("mail to anna.b@example.de now", "mail to … now"),
            ("see https://a.test/p?sig=1", "see https://a.test/p?…"),
            ("card 4111111111111111 refused", "card … refused"),
            ("key k3Xw0ZpQ7nVbT2mR8sLdAA is bad", "key … is bad"),
            (r#"{"email" : "anna"}"#, r#"{"email" : "…"}"#),
        ] {
            assert_eq!(text(dirty), clean);
        }
    }

    #[test]
    fn what_helps_stays() {
        for sentence in [
            "The consumer isn't authorized to access Magento_Sales::actions_view.",
            "Material 24-MB01 does not exist in sales area 1710 10 00",
            "order 000000123 at 2026-11-23T08:00:00Z",
            "The signature is invalid. Verify and try again.",
            "request 3f2b8a50-6b1c-4b8e-9f57-0d6f3a1b2c3d failed",
        ] {
            assert_eq!(text(sentence), sentence);
        }
    }

    #[test]
    fn an_excerpt_is_short() {
        assert!(excerpt(&vec![b'a'; 10_000]).len() <= EXCERPT_MAX + '…'.len_utf8());
        assert!(!header_may_be_logged(&http::header::AUTHORIZATION));
        assert!(!header_may_be_logged(&http::header::SET_COOKIE));
        assert!(header_may_be_logged(&http::header::RETRY_AFTER));
    }

    proptest! {
        #[test]
        fn a_password_never_survives(secret in "[a-zA-Z0-9!*~$^]{6,40}") {
            let secret = format!("Q{secret}");
            for dirty in [
                format!("{{\"password\":\"{secret}\"}}"),
                format!("{{\"client_secret\" : \"{secret}\", \"x\":1}}"),
                format!("refresh_token={secret}&a=b"),
                format!("Authorization: Bearer {secret}"),
                format!("Authorization: Basic {secret}"),
            ] {
                prop_assert!(!text(&dirty).contains(&secret), "{}", text(&dirty));
            }
        }

        #[test]
        fn never_panics(any in "\\PC{0,200}") {
            let _ = text(&any);
        }
    }
}
