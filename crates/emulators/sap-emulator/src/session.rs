//! Log-on and the protection against forged requests.

use crate::quirk::Quirk;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use erp_core::time::Timestamp;
use erp_testkit::emulator::{Exchange, Reply};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many writes a session lives for where [`Quirk::CsrfCookieLost`] is on.
const WRITES_UNTIL_LOST: u32 = 3;
/// The oldest sessions are forgotten beyond this many.
const SESSIONS_MAX: usize = 1000;

const SESSION_COOKIE: &str = "SAP_SESSIONID_S4H_100";
const XSRF_COOKIE: &str = "sap-XSRF_S4H_100";

#[derive(Debug)]
struct Session {
    token: String,
    xsrf: String,
    used: Timestamp,
    writes: u32,
}

/// All sessions. They live in memory: who is restarted has forgotten them, as a real system has.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    by_id: BTreeMap<String, Session>,
}

/// What a request's log-on came to.
pub(crate) fn logged_on(exchange: &Exchange, user: &str, password: &str) -> bool {
    let given = exchange.header("authorization").and_then(|value| value.strip_prefix("Basic "));
    let decoded = given.and_then(|text| STANDARD.decode(text.trim()).ok());
    decoded.is_some_and(|bytes| bytes == format!("{user}:{password}").into_bytes())
}

fn cookies(exchange: &Exchange) -> BTreeMap<String, String> {
    let lines = exchange.headers.get_all("cookie").iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A value that nobody guesses by counting; the same at every run.
fn scramble(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    let mut bytes = Vec::with_capacity(24);
    for _ in 0..3 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_be_bytes());
    }
    STANDARD.encode(bytes)
}

impl Sessions {
    /// Adds token and cookies to the answer, where the request asks for a token.
    pub(crate) fn fetch(&self, exchange: &Exchange, reply: Reply, life: Duration) -> Reply {
        let asked = exchange.header("x-csrf-token").is_some_and(|value| value.eq_ignore_ascii_case("fetch"));
        if !asked {
            return reply;
        }
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = cookies(exchange);
        if let Some(session) = inner.living(&sent, exchange.at, life) {
            return reply.with_header("x-csrf-token", &session.token);
        }
        inner.next += 1;
        let number = inner.next;
        let id = scramble(number * 3).replace(['+', '/', '='], "-");
        let session = Session {
            token: scramble(number * 3 + 1),
            xsrf: scramble(number * 3 + 2).replace(['+', '/', '='], "-"),
            used: exchange.at,
            writes: 0,
        };
        let reply = reply
            .with_header("x-csrf-token", &session.token)
            .with_header("set-cookie", "sap-usercontext=sap-client=100; path=/")
            .with_header("set-cookie", &format!("{SESSION_COOKIE}={id}; path=/; HttpOnly"))
            .with_header("set-cookie", &format!("{XSRF_COOKIE}={}; path=/; HttpOnly", session.xsrf));
        inner.by_id.insert(id, session);
        if inner.by_id.len() > SESSIONS_MAX {
            let oldest = inner.by_id.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone());
            oldest.and_then(|id| inner.by_id.remove(&id));
        }
        reply
    }

    /// The refusal of a write that does not carry a token with all of its session's cookies.
    pub(crate) fn refuse(
        &self,
        exchange: &Exchange,
        life: Duration,
        quirks: &BTreeSet<Quirk>,
    ) -> Option<Reply> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = cookies(exchange);
        let token = exchange.header("x-csrf-token");
        if let Some(session) = inner.living(&sent, exchange.at, life)
            && token == Some(session.token.as_str())
        {
            session.writes += 1;
            if !quirks.contains(&Quirk::CsrfCookieLost) || session.writes <= WRITES_UNTIL_LOST {
                return None;
            }
            sent.get(SESSION_COOKIE).and_then(|id| inner.by_id.remove(id));
        }
        let text = if quirks.contains(&Quirk::LocalisedCsrfText) {
            "CSRF-Token-Validierung fehlgeschlagen"
        } else {
            "CSRF token validation failed"
        };
        Some(
            Reply::status(403)
                .with_body("text/plain;charset=utf-8", text)
                .with_header("x-csrf-token", "Required"),
        )
    }

    /// Forgets all sessions.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_id.clear();
    }
}

impl Inner {
    fn living(
        &mut self,
        cookies: &BTreeMap<String, String>,
        now: Timestamp,
        life: Duration,
    ) -> Option<&mut Session> {
        let id = cookies.get(SESSION_COOKIE)?;
        if self.by_id.get(id).is_some_and(|session| now.since(session.used) > life) {
            self.by_id.remove(id);
        }
        let session = self.by_id.get_mut(id)?;
        if cookies.get(XSRF_COOKIE) != Some(&session.xsrf) {
            return None;
        }
        session.used = now;
        Some(session)
    }
}
