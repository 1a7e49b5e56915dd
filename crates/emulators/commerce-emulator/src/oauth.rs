//! OAuth 1.0a as the server checks it, in the three generations that are in the wild. Written from the facts about the
//! server, not from any client, so that a client's signature is judged by somebody else.

use crate::php::Refusal;
use crate::quirk::{Quirk, Quirks};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How far a timestamp may lie ahead of the server's clock, in seconds. There is no bound behind.
const AHEAD_MAX: i64 = 600;

/// Which generation of server code computes the base string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// 2.4.4 to 2.4.6: reserved octets of the path are decoded, parameters sorted naturally.
    Laminas,
    /// Some builds of 2024: parameter values are encoded twice, sorted naturally.
    DoubleEncoded,
    /// The rewritten helper: the path as sent, parameters sorted by their decoded names.
    AsSent,
}

impl Generation {
    pub(crate) fn of(quirks: &Quirks) -> Self {
        if quirks.has(Quirk::OauthLaminas) {
            Self::Laminas
        } else if quirks.has(Quirk::OauthDoubleEncoded) {
            Self::DoubleEncoded
        } else {
            Self::AsSent
        }
    }
}

/// The parts of a request that are signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    /// `http` or `https`.
    pub(crate) scheme: &'a str,
    /// Host and port as the `Host` header gives them.
    pub(crate) host: &'a str,
    /// As sent.
    pub(crate) path: &'a str,
    /// As sent, without the question mark.
    pub(crate) query: &'a str,
}

/// The parameters of an `Authorization: OAuth …` header.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Header(BTreeMap<String, String>);

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Header({:?})", self.0.keys())
    }
}

impl Header {
    /// Reads the header; `None` if it is of another kind.
    pub(crate) fn parse(authorization: &str) -> Option<Self> {
        let (scheme, rest) = authorization.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("oauth") {
            return None;
        }
        let mut parameters = BTreeMap::new();
        for part in rest.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            let value = value.trim().trim_matches('"');
            let name = name.trim();
            if !name.eq_ignore_ascii_case("realm") {
                parameters.insert(decode(name, false), decode(value, false));
            }
        }
        Some(Self(parameters))
    }

    /// What a parameter says.
    ///
    /// # Errors
    /// The refusal for a missing parameter.
    pub(crate) fn get(&self, name: &str) -> Result<&str, Refusal> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Refusal::required(name))
    }

    /// Everything that can be refused before secrets are looked at: version, method, timestamp.
    ///
    /// # Errors
    /// 400 with the product's sentence.
    pub(crate) fn check_form(&self, now_secs: i64) -> Result<(), Refusal> {
        for name in [
            "oauth_consumer_key",
            "oauth_token",
            "oauth_signature",
            "oauth_signature_method",
            "oauth_nonce",
            "oauth_timestamp",
        ] {
            self.get(name)?;
        }
        if let Some(version) = self.0.get("oauth_version").filter(|version| *version != "1.0") {
            return Err(Refusal::bad("The \"%1\" OAuth version isn't supported.").with(json!([version])));
        }
        let method = self.get("oauth_signature_method")?;
        if method != "HMAC-SHA256" {
            return Err(Refusal::bad(format!("Signature method {method} is not supported")));
        }
        let timestamp = self.get("oauth_timestamp")?.parse::<i64>().unwrap_or(0);
        if timestamp <= 0 || timestamp > now_secs.saturating_add(AHEAD_MAX) {
            return Err(Refusal::bad("Incorrect timestamp value in the oauth_timestamp parameter"));
        }
        Ok(())
    }

    /// Whether the signature is the one that this generation computes.
    pub(crate) fn is_signed(
        &self,
        request: Signed<'_>,
        secrets: (&str, &str),
        generation: Generation,
    ) -> bool {
        let Ok(signature) = self
            .get("oauth_signature")
            .and_then(|text| STANDARD.decode(text).map_err(|_| Refusal::bad("signature")))
        else {
            return false;
        };
        let base = self.base_string(request, generation);
        let key = hmac::Key::new(hmac::HMAC_SHA256, signing_key(secrets).as_bytes());
        hmac::verify(&key, base.as_bytes(), &signature).is_ok()
    }

    fn base_string(&self, request: Signed<'_>, generation: Generation) -> String {
        let mut parameters: BTreeMap<String, String> = BTreeMap::new();
        for pair in request.query.split('&') {
            let pieces: Vec<&str> = pair.split('=').collect();
            // The server drops a pair that does not split into exactly two.
            if let [name, value] = pieces.as_slice() {
                let plus_is_blank = generation != Generation::AsSent;
                let name = decode(name, plus_is_blank);
                let name = if generation == Generation::AsSent { php_name(&name) } else { name };
                parameters.insert(name, decode(value, plus_is_blank));
            }
        }
        for (name, value) in self.0.iter().filter(|(name, _)| *name != "oauth_signature") {
            parameters.insert(name.clone(), value.clone());
        }
        let mut pairs: Vec<(String, String)> = parameters
            .into_iter()
            .map(|(name, value)| {
                let value = match generation {
                    Generation::DoubleEncoded => encode(&encode(&value)),
                    _ => encode(&value),
                };
                (encode(&name), value)
            })
            .collect();
        if generation != Generation::AsSent {
            pairs.sort_by(|a, b| natural(&a.0, &b.0));
        }
        let joined: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let url = base_url(request, generation);
        format!("{}&{}&{}", request.method.to_uppercase(), encode(&url), encode(&joined.join("&")))
    }
}

fn signing_key((consumer_secret, token_secret): (&str, &str)) -> String {
    format!("{}&{}", encode(consumer_secret), encode(token_secret))
}

fn base_url(request: Signed<'_>, generation: Generation) -> String {
    let host = request.host.to_lowercase();
    let default = if request.scheme == "https" { ":443" } else { ":80" };
    let host = match generation {
        Generation::AsSent => host.as_str(),
        _ => host.strip_suffix(default).unwrap_or(&host),
    };
    let path = match generation {
        Generation::AsSent => request.path.to_owned(),
        Generation::Laminas => normalise(request.path, b"/:@&=+$,;%"),
        Generation::DoubleEncoded => normalise(request.path, b""),
    };
    format!("{}://{host}{path}", request.scheme)
}

/// Decodes octets that stand for unreserved characters or any of `also`; writes the others in capitals.
fn normalise(path: &str, also: &[u8]) -> String {
    let mut out = Vec::with_capacity(path.len());
    let bytes = path.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match escape(bytes, at) {
            Some(octet) if is_unreserved(octet) || also.contains(&octet) => {
                out.push(octet);
                at += 3;
            }
            Some(octet) => {
                out.extend(format!("%{octet:02X}").bytes());
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The octet that `%XX` at `at` stands for.
fn escape(bytes: &[u8], at: usize) -> Option<u8> {
    let digits = bytes.get(at..at.checked_add(3)?)?;
    let text = std::str::from_utf8(digits).ok()?.strip_prefix('%')?;
    text.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u8::from_str_radix(text, 16).ok()).flatten()
}

/// Percent-decodes; with `plus_is_blank` as PHP's `urldecode`, otherwise as `rawurldecode`.
pub(crate) fn decode(text: &str, plus_is_blank: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if let Some(octet) = escape(bytes, at) {
            out.push(octet);
            at += 3;
        } else {
            out.push(if byte == b'+' && plus_is_blank { b' ' } else { byte });
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// RFC 3986: everything but unreserved characters.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// A parameter's name as PHP registers it: dots and blanks before the first bracket become underscores.
fn php_name(name: &str) -> String {
    let (head, tail) = name.split_at(name.find('[').unwrap_or(name.len()));
    format!("{}{tail}", head.replace(['.', ' '], "_"))
}

/// PHP's `strnatcmp`: runs of digits compare as numbers; a run that begins with zero compares digit by digit.
fn natural(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let (mut i, mut j) = (0usize, 0usize);
    loop {
        match (left.get(i), right.get(j)) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) if one.is_ascii_digit() && other.is_ascii_digit() => {
                let (one, other) = (run(left, i), run(right, j));
                let fractional = one.starts_with(b"0") || other.starts_with(b"0");
                let order = if fractional {
                    one.cmp(other)
                } else {
                    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
                };
                if order.is_ne() {
                    return order;
                }
                i += one.len();
                j += other.len();
            }
            (Some(one), Some(other)) if one == other => {
                i += 1;
                j += 1;
            }
            (Some(one), Some(other)) => return one.cmp(other),
        }
    }
}

fn run(bytes: &[u8], at: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Generation::{AsSent, DoubleEncoded, Laminas};

    const SECRETS: (&str, &str) = ("cs-secret-0001", "at-secret-0001");

    fn header(number: u32, signature: &str) -> Header {
        let text = format!(
            "OAuth realm=\"x\", oauth_consumer_key=\"ck-0001\", oauth_token=\"at-0001\", oauth_nonce=\"nonce-{number:04}\", \
             oauth_timestamp=\"{}\", oauth_signature_method=\"HMAC-SHA256\", oauth_version=\"1.0\", oauth_signature=\"{}\"",
            1_759_999_999 + number,
            encode(signature)
        );
        Header::parse(&text).unwrap()
    }

    fn accepts(number: u32, method: &str, path: &str, query: &str, signature: &str) -> Vec<Generation> {
        let request = Signed { method, scheme: "https", host: "shop.example.test", path, query };
        let header = header(number, signature);
        [Laminas, DoubleEncoded, AsSent]
            .into_iter()
            .filter(|generation| header.is_signed(request, SECRETS, *generation))
            .collect()
    }

    const ORDERS: &str = "searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B0%5D%5Bfield%5D=updated_at\
        &searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B0%5D%5Bvalue%5D=2026-01-02%2003%3A04%3A05\
        &searchCriteria%5Bfilter_groups%5D%5B0%5D%5Bfilters%5D%5B0%5D%5Bcondition_type%5D=gteq\
        &searchCriteria%5BpageSize%5D=50";

    #[test]
    fn vector_1_a_value_with_blank_and_colon() {
        let path = "/rest/all/V1/orders";
        let rfc = "vb78bdbuN/GxhncEBeTPSehdgWbHkRdG0/50ig+tphI=";
        assert_eq!(accepts(1, "GET", path, ORDERS, rfc), [Laminas, AsSent]);
        let doubled = "/TobgR/13mmnNfvoWrWFlFKDpua+HO0VW4m4ryWaxQk=";
        assert_eq!(accepts(1, "GET", path, ORDERS, doubled), [DoubleEncoded]);
        assert_eq!(accepts(1, "POST", path, ORDERS, rfc), []);
        assert_eq!(accepts(2, "GET", path, ORDERS, rfc), []);
    }

    #[test]
    fn vector_2_a_path_with_an_encoded_slash() {
        let path = "/rest/all/V1/products/A%2FB%20C";
        let rfc = "S3fg2u5nbRiiBC0aEHteIbsjp9pIyYBLG9IsDzopgM8=";
        assert_eq!(accepts(2, "PUT", path, "", rfc), [DoubleEncoded, AsSent]);
        let decoded = "SOyRRfctOquWMk3xqTxOEdgv9cUSDsbbKi+hUmtpZ8w=";
        assert_eq!(accepts(2, "PUT", path, "", decoded), [Laminas]);
    }

    #[test]
    fn vector_3_eleven_array_indices() {
        let path = "/rest/all/V1/inventory/are-products-salable";
        let skus: Vec<String> = (0..11).map(|n| format!("skus%5B{n}%5D=s{n}")).collect();
        let query = format!("{}&stockId=1", skus.join("&"));
        let rfc = "iMGxA4JNPkiQt1y39t4KVGd1ey6hdBJHiuNK4k1/COk=";
        assert_eq!(
            accepts(3, "GET", path, &query, rfc),
            [],
            "no generation sorts ten and more as the RFC does"
        );
        let natural = "cpo4mu/8OeqoBlauzl40c0/DYvjCdEd8nSP+AYWnMvY=";
        assert_eq!(accepts(3, "GET", path, &query, natural), [Laminas, DoubleEncoded]);
    }

    #[test]
    fn the_form_is_checked_first() {
        let at = 1_760_000_000;
        assert_eq!(header(1, "x").check_form(at), Ok(()));
        assert_eq!(header(1, "x").check_form(0).unwrap_err().status, 400, "601 s ahead and more");
        assert_eq!(header(1, "x").check_form(at - 600), Ok(()));
        assert_eq!(header(1, "x").check_form(at - 601).unwrap_err().status, 400);
        assert_eq!(header(1, "x").check_form(at + 1_000_000), Ok(()), "no bound behind");
        let without = |name: &str| {
            let mut header = header(1, "x");
            header.0.remove(name);
            header.check_form(at)
        };
        assert_eq!(without("oauth_nonce"), Err(Refusal::required("oauth_nonce")));
        assert_eq!(without("oauth_version"), Ok(()));
        let mut sha1 = header(1, "x");
        sha1.0.insert("oauth_signature_method".to_owned(), "HMAC-SHA1".to_owned());
        assert_eq!(sha1.check_form(at), Err(Refusal::bad("Signature method HMAC-SHA1 is not supported")));
        assert!(Header::parse("Bearer abc").is_none());
    }

    #[test]
    fn numbers_sort_as_numbers() {
        let mut names = ["a10", "a9", "a1", "a01", "b", "a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "a01", "a1", "a9", "a10", "b"]);
    }
}
