//! The face over HTTP: log-on, sessions, permissions, formats.

use crate::access::Access;
use crate::batch;
use crate::edmx;
use crate::env::{Answer, Env};
use crate::lanes::{Lanes, Pace};
use crate::meta::{self, ServiceMeta};
use crate::options::SapOptions;
use crate::quirk::Quirk;
use crate::refusal::Refusal;
use crate::session::{Sessions, logged_on};
use crate::state::{Draft, World};
use crate::write::{Operation, perform};
use async_trait::async_trait;
use erp_core::time::Clock;
use erp_testkit::emulator::{Exchange, Product, Reply, Store};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where all V2 services live.
const ROOT: &str = "/sap/opu/odata/sap/";

/// The emulated system.
pub(crate) struct System {
    pub(crate) store: Store<World>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: SapOptions,
    pub(crate) sessions: Sessions,
    pub(crate) lanes: Lanes,
    requests: AtomicU64,
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SAP emulator")
    }
}

impl System {
    pub(crate) fn new(store: Store<World>, clock: Arc<dyn Clock>, options: SapOptions) -> Self {
        let lanes = Lanes::new(options.seed);
        Self { store, clock, options, sessions: Sessions::default(), lanes, requests: AtomicU64::new(0) }
    }
}

/// The product behind the server. Work goes on when the caller hangs up, as it does in SAP.
#[derive(Debug)]
pub(crate) struct SapProduct(pub(crate) Arc<System>);

#[async_trait]
impl Product for SapProduct {
    async fn handle(&self, exchange: Exchange) -> Reply {
        let system = Arc::clone(&self.0);
        tokio::spawn(async move { system.answer(exchange).await })
            .await
            .unwrap_or_else(|_| Reply::status(500))
    }
}

fn wants_json(exchange: &Exchange) -> bool {
    let query = exchange.query.as_deref().unwrap_or("");
    query.split('&').any(|pair| pair == "$format=json" || pair == "%24format=json")
        || exchange.header("accept").is_some_and(|accept| accept.contains("application/json"))
}

fn html(status: u16, text: &str) -> Reply {
    Reply::status(status).with_body(
        "text/html;charset=utf-8",
        format!("<html><head><title>{text}</title></head><body>{text}</body></html>"),
    )
}

impl System {
    async fn answer(&self, exchange: Exchange) -> Reply {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let transaction = format!("{number:032X}");
        let reply = self.route(&exchange, &transaction).await;
        let reply =
            if exchange.method == "HEAD" { Reply { body: bytes::Bytes::new(), ..reply } } else { reply };
        match exchange.method.as_str() {
            "GET" | "HEAD" if reply.status < 400 => {
                self.sessions.fetch(&exchange, reply, self.options.session_life)
            }
            _ => reply,
        }
    }

    async fn route(&self, exchange: &Exchange, transaction: &str) -> Reply {
        let Some(below) = exchange.path.strip_prefix(ROOT) else {
            return html(404, "Service cannot be reached");
        };
        if !logged_on(exchange, &self.options.user, &self.options.password) || self.other_client(exchange) {
            return html(401, "Logon failed").with_header(
                "www-authenticate",
                "Basic realm=\"SAP NetWeaver Application Server [S4H/100]\"",
            );
        }
        let (segment, rest) = match below.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (below, None),
        };
        let json = wants_json(exchange);
        let access = self.store.read(|world| {
            let draft = Draft::new(world);
            let name = segment.split(';').next().unwrap_or(segment);
            (
                draft.setting(&format!("access/{name}")).map(Access::parse),
                draft.setting("latency").and_then(Pace::parse),
            )
        });
        let (access, pace) = (access.0.unwrap_or(Access::Granted), access.1.unwrap_or(Pace::NONE));
        let Some(service) = meta::service(segment).filter(|_| access != Access::NotActivated) else {
            let text = format!("No service found for namespace '', name '{segment}', version '0001'");
            return Refusal::new(404, "/IWFND/MED/170", text).reply(segment, transaction, json);
        };
        self.lanes.work(self.clock.as_ref(), &pace).await;
        let reading = matches!(exchange.method.as_str(), "GET" | "HEAD");
        let batch = rest == Some("$batch");
        if access == Access::Forbidden || (access == Access::ReadOnly && !reading && !batch) {
            let text = format!("No authorization to access service '{}'", service.path);
            return Refusal::new(403, "/IWFND/CM_CONSUMER/101", text).reply(service.path, transaction, json);
        }
        if exchange.method == "HEAD" && self.options.quirks.contains(&Quirk::HeadRefused) {
            return Reply::status(405).with_header("allow", "GET, POST");
        }
        if !reading
            && let Some(reply) =
                self.sessions.refuse(exchange, self.options.session_life, &self.options.quirks)
        {
            return reply;
        }
        match rest {
            None if reading => Reply::status(307).with_header("location", &format!("{ROOT}{segment}/")),
            None | Some("") if !reading => Refusal::new(
                405,
                "/IWFND/CM_MGW/096",
                "The service root is read-only",
            )
            .reply(service.path, transaction, json),
            None | Some("") if json => render(Answer::json(200, edmx::service_document(service))),
            None | Some("") => render(Answer::text(
                "application/atomsvc+xml;charset=utf-8",
                edmx::service_document_xml(service),
            )),
            Some("$metadata") if reading => {
                render(Answer::text("application/xml;charset=utf-8", edmx::metadata(service)))
            }
            Some("$batch") => {
                let env = self.env(exchange);
                batch::run(&self.store, &env, service, exchange, access == Access::ReadOnly)
                    .unwrap_or_else(|refusal| refusal.reply(service.path, transaction, json))
            }
            Some(path) => self
                .operate(exchange, service, path, json)
                .unwrap_or_else(|refusal| refusal.reply(service.path, transaction, json)),
        }
    }

    fn other_client(&self, exchange: &Exchange) -> bool {
        let query = exchange.query.as_deref().unwrap_or("");
        let in_query = query.split('&').find_map(|pair| pair.strip_prefix("sap-client="));
        in_query.or_else(|| exchange.header("sap-client")).is_some_and(|client| client != self.options.client)
    }

    fn env(&self, exchange: &Exchange) -> Env<'_> {
        Env {
            now: self.clock.now(),
            user: &self.options.user,
            quirks: &self.options.quirks,
            base: format!("http://{}", exchange.header("host").unwrap_or("127.0.0.1")),
            page_size: self.options.page_size,
        }
    }

    fn operate(
        &self,
        exchange: &Exchange,
        service: &'static ServiceMeta,
        path: &str,
        json: bool,
    ) -> Result<Reply, Refusal> {
        let tunnelled = exchange.header("x-http-method").filter(|_| exchange.method == "POST");
        let header = |name: &str| exchange.header(name).map(str::to_owned);
        let operation = Operation {
            method: tunnelled.unwrap_or(exchange.method.as_str()).to_uppercase(),
            path: path.to_owned(),
            query: exchange.query.clone().unwrap_or_default(),
            if_match: header("if-match"),
            if_none_match: header("if-none-match"),
            content_type: header("content-type"),
            body: exchange.body.to_vec(),
        };
        let env = self.env(exchange);
        let answer = if operation.is_read() {
            self.store.read(|world| perform(&mut Draft::new(world), &env, service, &operation))?
        } else {
            if operation.method != "DELETE" && !json {
                return Err(only_json());
            }
            self.store.commit(|world| {
                let mut draft = Draft::new(world);
                let answer = perform(&mut draft, &env, service, &operation)?;
                Ok((draft.into_changes(), answer))
            })?
        };
        if answer.body.is_some() && !json {
            return Err(only_json());
        }
        Ok(render(answer))
    }
}

/// A real system answers in Atom here.
fn only_json() -> Refusal {
    Refusal::new(406, "/IWFND/CM_MGW/406", "This emulator speaks JSON only: send Accept: application/json")
}

/// The answer over HTTP.
pub(crate) fn render(answer: Answer) -> Reply {
    let mut reply = Reply::status(answer.status);
    if let Some(body) = answer.body {
        reply = reply.with_body("application/json;charset=utf-8", body.to_string());
    } else if let Some((content_type, text)) = answer.text {
        reply = reply.with_body(content_type, text);
    }
    for (name, value) in answer.headers {
        reply = reply.with_header(name, &value);
    }
    reply.with_header("dataserviceversion", "2.0")
}
