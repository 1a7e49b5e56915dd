//! Decoding answers, with the path to what is wrong.

use crate::request::Response;
use erp_core::error::{Error, Result};
use serde::de::DeserializeOwned;

/// Decodes a JSON body. Decimals read with [`erp_core::exact`] keep every digit.
///
/// # Errors
/// `Malformed` with the JSON path, and never the value, of what did not fit; or that the body is empty, is a web page, is
/// cut off, or goes on after its end.
pub fn decode<T: DeserializeOwned>(operation: &'static str, response: &Response) -> Result<T> {
    decode_bytes(operation, &response.body)
}

/// Decodes JSON bytes; see [`decode`].
///
/// # Errors
/// As [`decode`].
pub fn decode_bytes<T: DeserializeOwned>(operation: &'static str, body: &[u8]) -> Result<T> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let bad = |text: String| Error::malformed(text).with_operation(operation);
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(bad("the answer is empty where JSON was expected".into())),
        Some(b'<') => return Err(bad("the answer is a web page or XML where JSON was expected".into())),
        Some(_) => {}
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|e| {
        let path = e.path().to_string();
        let inner = e.into_inner();
        let what =
            if inner.is_eof() { "the answer is cut off" } else { "the answer has an unexpected shape" };
        bad(format!("{what} at {path} (line {}, column {})", inner.line(), inner.column()))
    })?;
    deserializer
        .end()
        .map_err(|e| bad(format!("the answer goes on after its end (column {})", e.column())))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::{Decimal, exact};
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Order {
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    struct Item {
        #[serde(deserialize_with = "exact::decimal")]
        price: Decimal,
        #[serde(default, deserialize_with = "exact::option")]
        cost: Option<Decimal>,
    }

    fn order(json: &str) -> Result<Order> {
        decode_bytes("shop.order", json.as_bytes())
    }

    #[test]
    fn decimals_keep_every_digit() {
        let json =
            r#"{"items":[{"price":123456789012345.67},{"price":79228162514264337593543950.33,"cost":1.10}]}"#;
        let items = order(json).unwrap().items;
        assert_eq!(items[0].price.to_string(), "123456789012345.67");
        assert_eq!(items[1].price.to_string(), "79228162514264337593543950.33");
        assert_eq!(items[1].cost.unwrap().to_string(), "1.10", "the scale stays too");
    }

    #[test]
    fn errors_name_the_path_and_never_the_value() {
        for (json, want) in [
            (r#"{"items":[{"price":1},{"price":"anna@example.de"}]}"#, "unexpected shape at items[1].price"),
            (r#"{"items":[{"price":1},{"cost":1}]}"#, "unexpected shape at items[1]"),
            (r#"{"items":[{"price":1},{"pri"#, "cut off at items[1]"),
            ("", "is empty"),
            (" \n", "is empty"),
            ("<html>anna@example.de</html>", "web page"),
            (r#"{"items":[]} anna"#, "goes on after its end"),
        ] {
            let error = order(json).unwrap_err();
            assert_eq!((error.code(), error.operation()), ("erp.malformed", "shop.order"), "{json}");
            assert!(error.to_string().contains(want), "{json}: {error}");
            assert!(!format!("{error:?}").contains("anna"), "{error:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_harm() {
        assert!(order("\u{feff}{\"items\":[]}").unwrap().items.is_empty());
    }
}
