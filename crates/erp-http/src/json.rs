//! Decoding answers, with the path to what is wrong.

use crate::request::Response;
use erp_core::error::{Error, Result};
use serde::de::DeserializeOwned;

/// Decodes a JSON body.
///
/// # Errors
/// `Malformed` with the JSON path, and never the value, of what did not fit.
pub fn decode<T: DeserializeOwned>(operation: &'static str, response: &Response) -> Result<T> {
    decode_bytes(operation, &response.body)
}

/// Decodes JSON bytes; see [`decode`].
///
/// # Errors
/// As [`decode`].
pub fn decode_bytes<T: DeserializeOwned>(operation: &'static str, body: &[u8]) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|e| {
        let path = e.path().to_string();
        let inner = e.into_inner();
        let what =
            if inner.is_eof() { "the answer is cut off" } else { "the answer has an unexpected shape" };
        Error::malformed(format!("{what} at {path} (line {}, column {})", inner.line(), inner.column()))
            .with_operation(operation)
    })
}
