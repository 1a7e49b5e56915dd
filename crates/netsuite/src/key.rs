//! Our keys as NetSuite's external ids: letters, digits, `_` and `-`, and no two keys the same id.

use erp_core::error::{Error, Result};
use erp_core::id::Key;
use std::fmt::Write as _;

/// The longest external id that is made. Nobody publishes the limit; searches truncate nothing below this.
const MAX: usize = 150;

/// The external id of a key: `shop-eu:1042` is `shop-eu_1042`.
///
/// A colon before a letter or digit becomes `_`, an underscore `__`, and anything else that an external id cannot hold
/// `_-` and its bytes in hexadecimal, so that every id can be read back as the one key that it was made of.
///
/// # Errors
/// `Invalid` if the key is empty or too long.
pub fn external_id(key: &Key) -> Result<String> {
    let mut id = String::with_capacity(key.as_str().len() + 2);
    let mut rest = key.as_str().chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' => id.push(c),
            '_' => id.push_str("__"),
            ':' if rest.peek().is_some_and(char::is_ascii_alphanumeric) => id.push('_'),
            other => {
                let mut bytes = [0; 4];
                for byte in other.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(id, "_-{byte:02X}");
                }
            }
        }
    }
    if id.is_empty() || id.len() > MAX {
        let text = format!("a key makes an external id of 1 to {MAX} characters; this one has {}", id.len());
        return Err(Error::invalid("key", "netsuite.key_too_long", text));
    }
    Ok(id)
}

/// The key of an external id, if it was made by [`external_id`].
pub fn key_of(external_id: &str) -> Option<Key> {
    let mut bytes = Vec::with_capacity(external_id.len());
    let mut rest = external_id;
    while let Some(c) = rest.chars().next() {
        match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' => {
                bytes.push(u8::try_from(c).ok()?);
                rest = rest.get(1..)?;
            }
            '_' => match rest.as_bytes().get(1) {
                Some(b'_') => {
                    bytes.push(b'_');
                    rest = rest.get(2..)?;
                }
                Some(b'-') => {
                    let digits = rest.get(2..4)?;
                    let upper = digits.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
                    bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| upper)?);
                    rest = rest.get(4..)?;
                }
                Some(next) if next.is_ascii_alphanumeric() => {
                    bytes.push(b':');
                    rest = rest.get(1..)?;
                }
                _ => return None,
            },
            _ => return None,
        }
    }
    let key = Key::from(String::from_utf8(bytes).ok()?);
    (self::external_id(&key).ok()? == external_id).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usual_keys_are_read_by_people() {
        assert_eq!(external_id(&Key::from("shop-eu:1042")).unwrap(), "shop-eu_1042");
        assert_eq!(external_id(&Key::from("my_shop:1")).unwrap(), "my__shop_1");
        assert_eq!(key_of("shop-eu_1042"), Some(Key::from("shop-eu:1042")));
        for foreign in ["", "M2|1", "a b", "_", "a_", "a_-zz", "a_-3a", "é"] {
            assert_eq!(key_of(foreign), None, "{foreign}");
        }
        assert!(external_id(&Key::from("")).is_err() && external_id(&Key::from("x".repeat(151))).is_err());
    }

    proptest! {
        #[test]
        fn every_id_is_read_back_as_its_key(text in "[a-c:_\\- é|]{1,12}|\\PC{1,8}") {
            let key = Key::from(text);
            let id = external_id(&key).unwrap();
            prop_assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{id}");
            prop_assert_eq!(key_of(&id), Some(key));
        }

        #[test]
        fn foreign_ids_never_panic_and_are_read_one_way(text in "[A-Ca-c0-3_\\-]{0,12}") {
            if let Some(key) = key_of(&text) {
                prop_assert_eq!(external_id(&key).unwrap(), text);
            }
        }
    }
}
