//! A tolerant reader of `multipart/mixed`, and of the HTTP message inside a part.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// How many parts one body may have.
const PARTS_MAX: usize = 10_000;
/// How many header lines one part may have.
const HEADERS_MAX: usize = 200;

/// One part: its headers and what follows them.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An HTTP answer inside a part.
#[derive(Debug)]
pub(crate) struct InnerHttp {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The boundary that a content type names, quoted or not; `None` if it is no multipart.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().get(..10)?.eq_ignore_ascii_case("multipart/") {
        return None;
    }
    let mut rest = parameters;
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_once(';').unwrap_or((value, "")),
        };
        if name.trim().trim_start_matches(';').trim().eq_ignore_ascii_case("boundary") {
            return Some(value.trim()).filter(|boundary| !boundary.is_empty());
        }
        rest = after;
    }
    None
}

/// The parts of a body.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) parts: Vec<Part>,
    /// Whether the closing delimiter came: without it the body may have been cut, and what is missing proves nothing.
    pub(crate) closed: bool,
}

/// Splits a body at its boundary; preamble and epilogue are dropped. `None` if there are more parts than anybody sends.
pub(crate) fn split(body: &Bytes, boundary: &str) -> Option<Parts> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut parts = Vec::new();
    let mut start = None;
    let mut at = 0;
    while at <= body.len() {
        let (line, next) = line_at(body, at);
        let marker = line.strip_prefix(delimiter.as_slice()).map(trim_end);
        if matches!(marker, Some(b"" | b"--")) {
            if let Some(from) = start {
                parts.push(part(&body.slice(from..end_before(body, from, at))));
                if parts.len() > PARTS_MAX {
                    return None;
                }
            }
            start = Some(next);
            if marker == Some(b"--") {
                return Some(Parts { parts, closed: true });
            }
        }
        if next <= at {
            break;
        }
        at = next;
    }
    if let Some(from) = start.filter(|from| *from < body.len()) {
        parts.push(part(&body.slice(from..)));
    }
    Some(Parts { parts, closed: false })
}

/// Reads the HTTP answer inside a part. `None` if it has no status line.
pub(crate) fn inner_http(part: &Bytes) -> Option<InnerHttp> {
    let mut at = 0;
    // Some servers leave blank lines between the part's headers and the status line.
    let status = loop {
        let (line, next) = line_at(part, at);
        if !trim_end(line).is_empty() {
            at = next;
            break status_of(line)?;
        }
        if next <= at {
            return None;
        }
        at = next;
    };
    let Part { headers, body } = self::part(&part.slice(at.min(part.len())..));
    let length: Option<usize> =
        headers.get("content-length").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let body = match length {
        // Some servers count characters instead of bytes; the delimiter knows better.
        Some(length) if body.get(length..).is_some_and(|rest| rest.trim_ascii().is_empty()) => {
            body.slice(..length)
        }
        _ => body,
    };
    let body = if status == 204 || status == 304 { Bytes::new() } else { body };
    Some(InnerHttp { status, headers, body })
}

fn status_of(line: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let version = words.next()?;
    if !version.get(..5)?.eq_ignore_ascii_case("HTTP/") {
        return None;
    }
    words.next()?.parse().ok().filter(|status| (100..600).contains(status))
}

/// Headers up to a blank line, and the rest. A line that is no header starts the body.
fn part(text: &Bytes) -> Part {
    let mut headers = HeaderMap::new();
    let mut at = 0;
    for _ in 0..HEADERS_MAX {
        let (line, next) = line_at(text, at);
        let trimmed = trim_end(line);
        if trimmed.is_empty() {
            at = next;
            break;
        }
        let Some((name, value)) = header(trimmed) else { break };
        headers.append(name, value);
        at = next;
    }
    Part { headers, body: text.slice(at.min(text.len())..) }
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    let name = HeaderName::from_bytes(name.trim_ascii()).ok()?;
    let value = HeaderValue::from_bytes(value.get(1..)?.trim_ascii()).ok()?;
    Some((name, value))
}

/// The line at `at` without its end, and where the next one begins; at the end of the text, the same place.
fn line_at(text: &[u8], at: usize) -> (&[u8], usize) {
    let rest = text.get(at..).unwrap_or_default();
    match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => (rest.get(..end).unwrap_or_default(), at + end + 1),
        None => (rest, text.len()),
    }
}

/// The line break before a delimiter belongs to the delimiter.
fn end_before(text: &[u8], from: usize, delimiter: usize) -> usize {
    let mut end = delimiter;
    for byte in *b"\n\r" {
        if end > from && text.get(end - 1) == Some(&byte) {
            end -= 1;
        }
    }
    end
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.trim_ascii_end()
}

#[cfg(test)]
mod tests;
