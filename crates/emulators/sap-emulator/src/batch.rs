//! `$batch`: multipart bodies with reads outside and writes inside change sets.

use crate::env::Env;
use crate::meta::ServiceMeta;
use crate::product::render;
use crate::quirk::Quirk;
use crate::refusal::Refusal;
use crate::state::{Draft, World};
use crate::write::{Operation, perform};
use erp_testkit::emulator::{Exchange, Reply, Store};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many requests one batch may hold.
const PARTS_MAX: usize = 1000;
const BOUNDARY: &str = "ejjeeffe0";
const SET_BOUNDARY: &str = "ejjeeffe1";

#[derive(Debug)]
struct Part {
    content_id: Option<String>,
    operation: Operation,
    json: bool,
}

#[derive(Debug)]
enum Block {
    Read(Part),
    ChangeSet(Vec<Part>),
}

fn malformed(what: &str) -> Refusal {
    Refusal::new(400, "/IWFND/CM_MGW/400", format!("Malformed batch request: {what}"))
}

/// The boundary of a multipart type. Quoted ones are refused, as strict gateways do.
fn boundary(content_type: &str) -> Result<String, Refusal> {
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("multipart/mixed")) {
        return Err(Refusal::new(415, "/IWFND/CM_MGW/415", "A batch must be multipart/mixed"));
    }
    let value = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.to_owned());
    value
        .filter(|value| !value.is_empty() && !value.contains('"'))
        .ok_or_else(|| malformed("the boundary is missing or quoted"))
}

/// The bodies between boundaries, every line ended by CR LF.
fn split<'b>(body: &'b str, boundary: &str) -> Result<Vec<&'b str>, Refusal> {
    let delimiter = format!("--{boundary}");
    let mut rest =
        body.strip_prefix(&delimiter).ok_or_else(|| malformed("it does not begin with its boundary"))?;
    let next = format!("\r\n{delimiter}");
    let mut parts = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix("--") {
            return if end.trim().is_empty() {
                Ok(parts)
            } else {
                Err(malformed("something follows its end"))
            };
        }
        let inner = rest.strip_prefix("\r\n").ok_or_else(|| malformed("lines must end with CR LF"))?;
        let (part, after) = inner.split_once(&next).ok_or_else(|| malformed("a part does not end"))?;
        parts.push(part);
        if parts.len() > PARTS_MAX {
            return Err(malformed("too many parts"));
        }
        rest = after;
    }
}

type Headers = BTreeMap<String, String>;

/// Headers and what comes after the blank line.
fn headers(text: &str) -> Result<(Headers, &str), Refusal> {
    let (head, body) = match text.strip_prefix("\r\n") {
        Some(body) => ("", body),
        None => text
            .split_once("\r\n\r\n")
            .or_else(|| text.strip_suffix("\r\n").map(|head| (head, "")))
            .ok_or_else(|| malformed("a blank line is missing"))?,
    };
    let mut found = Headers::new();
    for line in head.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("a header has no colon"))?;
        found.insert(name.trim().to_lowercase(), value.trim().to_owned());
    }
    Ok((found, body))
}

fn application_http(text: &str) -> Result<Part, Refusal> {
    let (outer, inner) = headers(text)?;
    if outer.get("content-type").map(String::as_str) != Some("application/http") {
        return Err(malformed("a part is not application/http"));
    }
    if outer.get("content-transfer-encoding").map(String::as_str) != Some("binary") {
        return Err(malformed("a part is not binary"));
    }
    let (line, rest) = inner.split_once("\r\n").ok_or_else(|| malformed("a request line is missing"))?;
    let (inner, body) = headers(rest)?;
    if inner.contains_key("content-id") && !outer.contains_key("content-id") {
        return Err(malformed("Content-ID belongs to the part, not to the request"));
    }
    let mut words = line.split(' ');
    let (Some(method), Some(url), Some("HTTP/1.1"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(malformed("a request line is not 'METHOD url HTTP/1.1'"));
    };
    let body = match inner.get("content-length").map(|length| length.parse::<usize>()) {
        Some(Ok(length)) => {
            body.get(..length).ok_or_else(|| malformed("a body is shorter than its length"))?
        }
        Some(Err(_)) => return Err(malformed("a length is no number")),
        None => body,
    };
    let url = url.strip_prefix('/').unwrap_or(url);
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let method = match (method, inner.get("x-http-method")) {
        ("POST", Some(tunnelled)) => tunnelled.as_str(),
        (method, _) => method,
    };
    let asks = |header: Option<&String>| header.is_some_and(|value| value.contains("application/json"));
    let json = asks(inner.get("accept")) || query.split('&').any(|pair| pair == "$format=json");
    Ok(Part {
        content_id: outer.get("content-id").cloned(),
        json,
        operation: Operation {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            if_match: inner.get("if-match").cloned(),
            if_none_match: inner.get("if-none-match").cloned(),
            content_type: inner.get("content-type").cloned(),
            body: body.as_bytes().to_vec(),
        },
    })
}

fn block(text: &str) -> Result<Block, Refusal> {
    let (outer, inner) = headers(text)?;
    let kind = outer.get("content-type").map(String::as_str).unwrap_or_default();
    if !kind.starts_with("multipart/mixed") {
        let part = application_http(text)?;
        if part.operation.method != "GET" {
            return Err(malformed("a write stands outside a change set"));
        }
        return Ok(Block::Read(part));
    }
    let parts = split(inner, &boundary(kind)?)?;
    let parts: Vec<Part> = parts.into_iter().map(application_http).collect::<Result<_, _>>()?;
    if parts.iter().any(|part| part.operation.is_read()) {
        return Err(malformed("a read stands inside a change set"));
    }
    Ok(Block::ChangeSet(parts))
}

/// Answers a batch.
pub(crate) fn run(
    store: &Store<World>,
    env: &Env<'_>,
    service: &'static ServiceMeta,
    exchange: &Exchange,
    read_only: bool,
) -> Result<Reply, Refusal> {
    if exchange.method != "POST" {
        return Err(Refusal::new(405, "/IWFND/CM_MGW/096", "A batch must be posted"));
    }
    let boundary = boundary(exchange.header("content-type").unwrap_or_default())?;
    let body = std::str::from_utf8(&exchange.body).map_err(|_| malformed("it is no UTF-8"))?;
    let blocks = split(body, &boundary)?.into_iter().map(block).collect::<Result<Vec<_>, _>>()?;
    let goes_on = env.has(Quirk::BatchContinues)
        || exchange.header("prefer").is_some_and(|prefer| prefer.contains("odata.continue-on-error"));
    let mut out = String::new();
    for block in blocks {
        match block {
            Block::Read(part) => {
                let reply = store
                    .read(|world| perform(&mut Draft::new(world), env, service, &part.operation))
                    .map_or_else(|refusal| refusal.reply(service.path, "", part.json), render);
                push(&mut out, BOUNDARY, &http_part(&reply, part.content_id.as_deref()));
            }
            Block::ChangeSet(parts) => {
                let done = if read_only {
                    let text = format!("No authorization to access service '{}'", service.path);
                    Err((0, Refusal::new(403, "/IWFND/CM_CONSUMER/101", text)))
                } else {
                    change_set(store, env, service, &parts)
                };
                let failed = done.is_err();
                push(&mut out, BOUNDARY, &set_part(env, service, &parts, done));
                if failed && !goes_on {
                    break;
                }
            }
        }
    }
    let _ = write!(out, "--{BOUNDARY}--\r\n");
    let content_type = if env.has(Quirk::QuotedBoundaryResponse) {
        "multipart/mixed; boundary=\"ejjeeffe0\""
    } else {
        "multipart/mixed; boundary=ejjeeffe0"
    };
    Ok(Reply::status(202).with_body(content_type, out).with_header("dataserviceversion", "2.0"))
}

/// All of the writes, or none: the position and the refusal of the one that failed.
fn change_set(
    store: &Store<World>,
    env: &Env<'_>,
    service: &'static ServiceMeta,
    parts: &[Part],
) -> Result<Vec<Reply>, (usize, Refusal)> {
    store.commit(|world| {
        let mut draft = Draft::new(world);
        let mut made: BTreeMap<String, String> = BTreeMap::new();
        let mut replies = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let operation = referred(&part.operation, &made).map_err(|refusal| (index, refusal))?;
            let answer = perform(&mut draft, env, service, &operation).map_err(|refusal| (index, refusal))?;
            let location = answer.headers.iter().find(|(name, _)| *name == "location").map(|(_, uri)| uri);
            if let (Some(id), Some(uri)) = (&part.content_id, location) {
                let marker = format!("/{}/", service.path);
                let relative = uri.split_once(&marker).map_or(uri.as_str(), |(_, relative)| relative);
                made.insert(id.clone(), relative.to_owned());
            }
            replies.push(render(answer));
        }
        Ok((draft.into_changes(), replies))
    })
}

/// The operation with `$1` replaced by what the part with that Content-ID made.
fn referred(operation: &Operation, made: &BTreeMap<String, String>) -> Result<Operation, Refusal> {
    let Some(rest) = operation.path.strip_prefix('$') else { return Ok(operation.clone()) };
    let (id, below) = rest.split_once('/').map_or((rest, None), |(id, below)| (id, Some(below)));
    let target =
        made.get(id).ok_or_else(|| malformed("a reference names no earlier request of its change set"))?;
    let path = below.map_or_else(|| target.clone(), |below| format!("{target}/{below}"));
    Ok(Operation { path, ..operation.clone() })
}

fn push(out: &mut String, boundary: &str, part: &str) {
    let _ = write!(out, "--{boundary}\r\n{part}\r\n");
}

fn http_part(reply: &Reply, content_id: Option<&str>) -> String {
    let status = http::StatusCode::from_u16(reply.status).ok();
    let reason = status.and_then(|status| status.canonical_reason()).unwrap_or("Unknown");
    let body = String::from_utf8_lossy(&reply.body);
    let id = content_id.map(|id| format!("content-id: {id}\r\n")).unwrap_or_default();
    let mut inner = format!("HTTP/1.1 {} {reason}\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        let _ = write!(inner, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    let _ = write!(inner, "{id}\r\n{body}");
    format!(
        "Content-Type: application/http\r\nContent-Length: {}\r\ncontent-transfer-encoding: binary\r\n{id}\r\n{inner}",
        inner.len()
    )
}

fn set_part(
    env: &Env<'_>,
    service: &ServiceMeta,
    parts: &[Part],
    done: Result<Vec<Reply>, (usize, Refusal)>,
) -> String {
    let rendered: Vec<String> = match done {
        Ok(replies) => {
            let ids = parts.iter().map(|part| part.content_id.as_deref());
            replies.iter().zip(ids).map(|(reply, id)| http_part(reply, id)).collect()
        }
        Err((index, refusal)) => {
            let part = parts.get(index);
            let reply = refusal.reply(service.path, "", part.is_none_or(|part| part.json));
            let alone = http_part(&reply, part.and_then(|part| part.content_id.as_deref()));
            if !env.has(Quirk::ChangesetErrorMultipart) {
                return alone;
            }
            vec![alone]
        }
    };
    let mut inner = String::new();
    rendered.iter().for_each(|part| push(&mut inner, SET_BOUNDARY, part));
    let _ = write!(inner, "--{SET_BOUNDARY}--\r\n");
    format!(
        "Content-Type: multipart/mixed; boundary={SET_BOUNDARY}\r\nContent-Length: {}\r\n\r\n{inner}",
        inner.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn boundaries_are_bare() {
        assert_eq!(boundary("multipart/mixed; boundary=b_1").unwrap(), "b_1");
        assert_eq!(boundary("multipart/mixed;boundary=\"b_1\"").unwrap_err().status, 400);
        assert_eq!(boundary("multipart/mixed").unwrap_err().status, 400);
        assert_eq!(boundary("application/json").unwrap_err().status, 415);
    }

    #[test]
    fn lines_end_with_cr_lf() {
        assert!(split("--b\r\nx\r\n--b--", "b").is_ok());
        for wrong in ["--b\nx\n--b--", "--b\r\nx", "x\r\n--b--", "--b\r\nx\r\n--b--\r\ny"] {
            assert!(split(wrong, "b").is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(parts in prop::collection::vec(prop::sample::select(vec![
            "--b", "--b--", "\r\n", "\n", "Content-Type: application/http", "Content-Type: multipart/mixed; boundary=c",
            "content-transfer-encoding: binary", "GET A HTTP/1.1", "POST A HTTP/1.1", "--c", "--c--", "x", ": ", "ü",
            "Content-Length: 3", "Content-Length: 1",
        ]), 0..40)) {
            let text = parts.concat();
            if let Ok(found) = split(&text, "b") {
                found.into_iter().for_each(|part| { let _ = block(part); });
            }
        }
    }
}
