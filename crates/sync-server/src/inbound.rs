use bytes::Bytes;
use erp_core::connector::Connector;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::id::SystemId;
use erp_core::roles::{EventReceiver, Reply, RequestParts};
use futures_util::future::{Either, pending, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _, pin_mut, select};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::TcpListener;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use sync_engine::SyncEngine;
use tokio::net::TcpStream;

/// The longest head of a request, in bytes.
pub const HEAD_MAX: usize = 16 * 1024;
/// How many connections are open at once. Who comes then waits outside.
pub const CONNECTIONS_MAX: usize = 64;
/// How long a connection may take, from the first byte to the last. Each carries one request.
pub const TIME_MAX: Duration = Duration::from_secs(15);

/// The first part of each path.
const HOOKS: &str = "/hooks/";
/// How long no connection is taken after the machine had none to give.
const BREATH: Duration = Duration::from_secs(1);

/// Where systems announce what changed: `/hooks/NAME`, NAME being what the system is called here.
#[derive(Debug, Default)]
pub struct Inbound {
    doors: BTreeMap<String, Door>,
}

#[derive(Debug)]
struct Door {
    system: SystemId,
    receiver: Arc<dyn EventReceiver>,
    body_max: usize,
}

/// A listener at an address such as `127.0.0.1:8787`; port 0 is any free one.
///
/// # Errors
/// `Config` if the address is none, or cannot be had.
pub fn bind(address: &str) -> Result<TcpListener> {
    let refused = |error: std::io::Error| {
        let text =
            format!("{address} cannot be listened at: {error}; name a free address and port of this machine");
        Error::config(text).with_source(error)
    };
    let listener = TcpListener::bind(address).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    Ok(listener)
}

impl Inbound {
    /// A door for nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what this system announces.
    ///
    /// # Errors
    /// `Config` if it announces nothing that its connector understands as it is configured, if its name cannot stand in a
    /// path, or has a door already.
    pub fn system(mut self, system: &dyn Connector) -> Result<Self> {
        let id = system.identity().system;
        let stated = system.capabilities().event_receiver;
        let Some((receiver, stated)) = system.event_receiver().zip(stated) else {
            let text = format!("{id} takes no announcements; configure its events, or give it no door");
            return Err(Error::config(text));
        };
        let name = id.as_str();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            let text =
                format!("system {name:?} cannot stand in a path; call it by letters, digits, - . and _");
            return Err(Error::config(text));
        }
        let door = Door { receiver, body_max: stated.body_limit, system: id.clone() };
        match self.doors.insert(id.to_string(), door) {
            None => Ok(self),
            Some(_) => Err(Error::config(format!("{id} has a door already"))),
        }
    }

    /// The paths at which it takes something, in order.
    pub fn paths(&self) -> impl Iterator<Item = String> + '_ {
        self.doors.keys().map(|name| format!("{HOOKS}{name}"))
    }

    /// Whether it takes nothing at all.
    pub fn is_empty(&self) -> bool {
        self.doors.is_empty()
    }

    /// Takes announcements and hints `engine` at them until `stop` is ready; who is inside then is answered first.
    /// One future does it all, on the thread that polls it.
    ///
    /// # Errors
    /// `Config` if the listener does not listen. Nothing that a sender does ends it.
    pub async fn serve(
        &self,
        listener: TcpListener,
        engine: &SyncEngine,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        let unfit =
            |error| Error::config("the listener cannot be used; make it with bind").with_source(error);
        let listener = tokio::net::TcpListener::from_std(listener).map_err(unfit)?;
        let mut inside = FuturesUnordered::new();
        let stop = stop.fuse();
        pin_mut!(stop);
        loop {
            let full = inside.len() >= CONNECTIONS_MAX;
            let accept = async {
                match listener.accept().await {
                    Ok((stream, _)) => Some(stream),
                    Err(_) => {
                        // Broken before it was taken, or no handle is left: in a moment there may be one.
                        engine.clock().sleep(BREATH).await;
                        None
                    }
                }
            };
            let next = if full { pending().left_future() } else { accept.right_future() }.fuse();
            pin_mut!(next);
            select! {
                () = stop => break,
                stream = next => inside.extend(stream.map(|stream| self.attend(stream, engine))),
                () = inside.select_next_some() => {}
            }
        }
        drop(listener);
        while inside.next().await.is_some() {}
        Ok(())
    }

    /// One connection, one request.
    async fn attend(&self, stream: TcpStream, engine: &SyncEngine) {
        let service = service_fn(|request| self.answer(request, engine));
        let mut http = http1::Builder::new();
        http.keep_alive(false).max_buf_size(HEAD_MAX);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let over = engine.clock().sleep(TIME_MAX);
        pin_mut!(connection);
        // Whoever breaks off or is too slow has nobody to be told to; the flows read at their own times.
        if let Either::Left((Err(_), _)) | Either::Right(_) = select(connection, over).await {}
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        engine: &SyncEngine,
    ) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
        Ok(render(self.reply(request, engine).await))
    }

    async fn reply(&self, request: Request<Incoming>, engine: &SyncEngine) -> Reply {
        let now = engine.clock().now();
        let (head, body) = request.into_parts();
        let door = head.uri.path().strip_prefix(HOOKS).and_then(|name| self.doors.get(name));
        let Some(door) = door else { return Reply::text(404, "there is nothing here") };
        let refused = |status, text: &str| {
            engine.announcement_refused(&door.system, &Error::new(ErrorKind::Auth, text));
            Reply::text(status, "refused")
        };
        let body = match Limited::new(body, door.body_max).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return refused(413, "it is too long"),
            Err(_) => return refused(400, "it broke off"),
        };
        let target = head.uri.path_and_query().map_or(HOOKS, |target| target.as_str());
        let mut parts = RequestParts::new(head.method.as_str(), target, now);
        for (name, value) in &head.headers {
            parts = parts.with_header(name.as_str(), String::from_utf8_lossy(value.as_bytes()));
        }
        let cx = Context::new();
        let receive = AssertUnwindSafe(door.receiver.receive(&cx, &parts, &body)).catch_unwind();
        let Ok(received) = receive.await else {
            let panic = Error::unexpected("the connector panicked on an announcement");
            engine.announcement_refused(&door.system, &panic);
            return Reply::text(500, "");
        };
        if let Some(refusal) = &received.refusal {
            engine.announcement_refused(&door.system, refusal);
        }
        for hint in &received.hints {
            engine.hint(&door.system, hint);
        }
        received.reply
    }
}

fn render(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    response
}
