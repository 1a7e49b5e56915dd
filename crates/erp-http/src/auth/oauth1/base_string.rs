//! The text that is signed.

use http::Method;
use std::cmp::Ordering;
use url::Url;

/// How the server builds the text that is signed. All three agree when path and values hold only unreserved characters and
/// no array index is above 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignatureProfile {
    /// RFC 5849, as NetSuite and the newest Commerce do it.
    #[default]
    Rfc5849,
    /// Commerce 2.4.4 to 2.4.7: escapes in the path that stand for unreserved characters or one of `/ : @ & = + $ , ; %`
    /// are decoded, parameters are sorted naturally (`[2]` before `[10]`).
    LaminasPathDecode,
    /// Patched builds of 2024: only unreserved characters are decoded in the path, values are encoded twice, parameters are
    /// sorted naturally.
    DoubleEncodedValues,
}

impl SignatureProfile {
    /// The three, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Rfc5849, Self::LaminasPathDecode, Self::DoubleEncodedValues];

    /// `METHOD&url&parameters`, from a URL, the oauth parameters and a form body if there is one.
    pub(crate) fn base_string(
        self,
        method: &Method,
        url: &Url,
        oauth: &[(&str, &str)],
        form: Option<&str>,
    ) -> String {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in [url.query(), form].into_iter().flatten().flat_map(form_pairs) {
            pairs.push((encode_bytes(&name), self.encoded_value(&value)));
        }
        for (name, value) in oauth {
            pairs.push((encode(name), self.encoded_value(value.as_bytes())));
        }
        self.sort(&mut pairs);
        let parameters: Vec<String> =
            pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{method}&{}&{}", encode(&self.base_url(url)), encode(&parameters.join("&")))
    }

    fn encoded_value(self, value: &[u8]) -> String {
        let once = encode_bytes(value);
        if self == Self::DoubleEncodedValues { encode(&once) } else { once }
    }

    /// Commerce's older servers keep parameters in a map: of two with one name the last counts.
    fn sort(self, pairs: &mut Vec<(String, String)>) {
        if self == Self::Rfc5849 {
            pairs.sort();
            return;
        }
        pairs.reverse();
        pairs.sort_by(|(a, _), (b, _)| natural(a.as_bytes(), b.as_bytes()).then_with(|| a.cmp(b)));
        pairs.dedup_by(|(b, _), (a, _)| a == b);
    }

    /// Scheme, host, a port that is not the scheme's own, path; no query.
    fn base_url(self, url: &Url) -> String {
        let path = match self {
            Self::Rfc5849 => url.path().to_owned(),
            Self::LaminasPathDecode => {
                decode_some(url.path(), |b| is_unreserved(b) || b"/:@&=+$,;%".contains(&b))
            }
            Self::DoubleEncodedValues => decode_some(url.path(), is_unreserved),
        };
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}{path}", url.scheme(), url.host_str().unwrap_or_default())
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Percent-encodes everything but `A-Z a-z 0-9 - . _ ~`, as RFC 5849 section 3.6 wants it.
#[must_use]
pub fn encode(text: &str) -> String {
    encode_bytes(text.as_bytes())
}

fn encode_bytes(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(bytes.len() + bytes.len() / 4);
    for &byte in bytes {
        if is_unreserved(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

/// Names and values of a query or form, decoded; a `+` is a blank.
fn form_pairs(text: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        match (first, escaped(tail)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(first),
        }
        rest = tail;
    }
    bytes
}

/// Decodes the escapes for which `decoded` says so; the others stay, in upper case.
fn decode_some(path: &str, decoded: impl Fn(u8) -> bool) -> String {
    let mut result = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        result.push_str(before);
        match escaped(&escape.as_bytes()[1..]) {
            Some(byte) => {
                if decoded(byte) {
                    result.push(char::from(byte));
                } else {
                    result.push_str(&escape[..3].to_ascii_uppercase());
                }
                rest = &escape[3..];
            }
            None => {
                result.push('%');
                rest = &escape[1..];
            }
        }
    }
    result.push_str(rest);
    result
}

fn escaped(after_percent: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*after_percent.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// PHP's `strnatcmp` for names without blanks: runs of digits compare as numbers, those with a leading zero as fractions.
fn natural(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (Some(&x), Some(&y)) = (a.first(), b.first()) else { return a.len().cmp(&b.len()) };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (run_a, run_b) = (digits(a), digits(b));
            let order = if x == b'0' || y == b'0' {
                run_a.cmp(run_b)
            } else {
                run_a.len().cmp(&run_b.len()).then_with(|| run_a.cmp(run_b))
            };
            if order != Ordering::Equal {
                return order;
            }
            (a, b) = (&a[run_a.len()..], &b[run_b.len()..]);
        } else if x == y {
            (a, b) = (&a[1..], &b[1..]);
        } else {
            return x.cmp(&y);
        }
    }
}

fn digits(text: &[u8]) -> &[u8] {
    &text[..text.iter().take_while(|byte| byte.is_ascii_digit()).count()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn natural_order_counts() {
        let mut names = ["b10", "b9", "a", "b1", "b09", "b"];
        names.sort_by(|a, b| natural(a.as_bytes(), b.as_bytes()));
        assert_eq!(names, ["a", "b", "b09", "b1", "b9", "b10"]);
    }

    #[test]
    fn ports_are_signed_unless_they_are_the_schemes_own() {
        let base = |url: &str| SignatureProfile::Rfc5849.base_url(&Url::parse(url).unwrap());
        assert_eq!(base("https://A.test:443/x?q"), "https://a.test/x");
        assert_eq!(base("http://127.0.0.1:8080/x"), "http://127.0.0.1:8080/x");
    }

    #[test]
    fn of_two_parameters_with_one_name_old_servers_keep_the_last() {
        let url = Url::parse("https://a.test/?b=1&b=2").unwrap();
        let base = |profile: SignatureProfile| profile.base_string(&Method::GET, &url, &[], None);
        assert!(base(SignatureProfile::Rfc5849).ends_with("b%3D1%26b%3D2"));
        assert!(base(SignatureProfile::LaminasPathDecode).ends_with("&b%3D2"));
    }

    proptest! {
        #[test]
        fn encoding_round_trips_and_leaves_only_unreserved(text in "\\PC{0,40}") {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|b| is_unreserved(b) || b == b'%'));
            prop_assert_eq!(decode(&encoded), text.as_bytes());
        }

        /// The text that is signed can be taken apart again, so no two different requests share one.
        #[test]
        fn the_base_string_says_all(
            pairs in prop::collection::vec(("[a-z\\[\\]=&%+ é]{1,8}", "\\PC{0,12}"), 0..6),
            path in "/[a-zA-Z0-9/._~-]{0,20}",
        ) {
            let mut url = Url::parse("https://a.test").unwrap();
            url.set_path(&path);
            let query: Vec<String> = pairs.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
            url.set_query(Some(&query.join("&")));
            let base = SignatureProfile::Rfc5849.base_string(&Method::PUT, &url, &[("oauth_nonce", "n")], None);
            let parts: Vec<&str> = base.split('&').collect();
            prop_assert_eq!(parts.len(), 3);
            prop_assert_eq!(parts[0], "PUT");
            prop_assert_eq!(decode(parts[1]), format!("https://a.test{}", url.path()).into_bytes());
            let parameters = String::from_utf8(decode(parts[2])).unwrap();
            let mut read: Vec<_> = form_pairs(&parameters).collect();
            let mut want: Vec<_> = pairs.iter().map(|(n, v)| (n.clone().into_bytes(), v.clone().into_bytes())).collect();
            want.push((b"oauth_nonce".to_vec(), b"n".to_vec()));
            read.sort();
            want.sort();
            prop_assert_eq!(read, want);
        }

        #[test]
        fn profiles_agree_on_plain_requests(path in "(/[a-zA-Z0-9._~-]{1,6}){0,3}", value in "[a-zA-Z0-9._~-]{0,9}") {
            let mut url = Url::parse("https://a.test").unwrap();
            url.set_path(&path);
            url.set_query(Some(&format!("a%5B0%5D={value}&b={value}")));
            let base = |p: SignatureProfile| p.base_string(&Method::GET, &url, &[("oauth_nonce", "n")], None);
            prop_assert_eq!(base(SignatureProfile::Rfc5849), base(SignatureProfile::LaminasPathDecode));
            prop_assert_eq!(base(SignatureProfile::Rfc5849), base(SignatureProfile::DoubleEncodedValues));
        }
    }
}
