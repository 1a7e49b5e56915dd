//! Requests on their way in: log-on, lanes, permissions, and the service that answers.

use crate::access::{self, Level};
use crate::auth::{Door, Way, decode};
use crate::doc::{object_of, quoted};
use crate::jobs::{ASYNC, Jobs};
use crate::lanes::{Lanes, work};
use crate::meta::{self, RecordMeta};
use crate::options::NetsuiteOptions;
use crate::posting;
use crate::quirk::Quirk;
use crate::records::{self, Ask, Shown};
use crate::refusal::Refusal;
use crate::restlet::{self, Scripts};
use crate::sales;
use crate::search::Filter;
use crate::soap;
use crate::state::{Change, Stored, World};
use async_trait::async_trait;
use erp_core::time::{Clock, Timestamp};
use erp_testkit::emulator::{Exchange, Product, Reply, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const RECORDS: &str = "/services/rest/record/v1";
pub(crate) const RESTLET: &str = "/app/site/hosting/restlet.nl";
const SUITEQL: &str = "/services/rest/query/v1/suiteql";
/// As many rows as one query brings over all its pages.
pub(crate) const ROWS_MAX: usize = 100_000;

/// The account at work.
pub(crate) struct System {
    pub(crate) store: Store<World>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: NetsuiteOptions,
    pub(crate) door: Door,
    pub(crate) lanes: Lanes,
    pub(crate) jobs: Jobs,
    pub(crate) scripts: Scripts,
    pub(crate) asked: AtomicU64,
}

impl System {
    pub(crate) fn new(
        store: Store<World>,
        clock: Arc<dyn Clock>,
        options: NetsuiteOptions,
        door: Door,
    ) -> Self {
        Self {
            store,
            clock,
            options,
            door,
            lanes: Lanes::new(),
            jobs: Jobs::new(),
            scripts: Scripts::default(),
            asked: AtomicU64::new(0),
        }
    }
}

#[derive(Clone)]
pub(crate) struct NetsuiteProduct(pub(crate) Arc<System>);

impl std::fmt::Debug for NetsuiteProduct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Netsuite")
    }
}

#[async_trait]
impl Product for NetsuiteProduct {
    async fn handle(&self, exchange: Exchange) -> Reply {
        // Work goes on when the caller hangs up, as NetSuite's does.
        let system = Arc::clone(&self.0);
        let job = tokio::spawn(async move { system.answer(&exchange).await });
        match job.await {
            Ok(reply) => reply,
            Err(_) => {
                Refusal::new(500, "UNEXPECTED_ERROR", "An unexpected error occurred. Error ID: emulator")
                    .reply()
            }
        }
    }
}

/// The parameters of a query, decoded.
pub(crate) fn query_of(exchange: &Exchange) -> BTreeMap<String, String> {
    let text = exchange.query.as_deref().unwrap_or_default();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, true)?, decode(value, true)?))
        })
        .collect()
}

impl System {
    async fn answer(self: &Arc<Self>, exchange: &Exchange) -> Reply {
        let path = exchange.path.as_str();
        if path == "/services/rest/auth/oauth2/v1/token" {
            if self.is_off("oauth2") {
                self.door.note(exchange.at, "FeatureDisabled", false);
                return Reply::json(400, &serde_json::json!({"error": "invalid_client"}));
            }
            return self.door.token(exchange);
        }
        if path == "/rest/datacenterurls" {
            return datacenter(exchange);
        }
        if path.starts_with(soap::PORTS) {
            return self.soap(exchange).await;
        }
        let script = path == RESTLET;
        let scope = if script { "restlets" } else { "rest_webservices" };
        let way = match self.door.enter(exchange, scope) {
            Ok(way) => way,
            Err(_) if script => return restlet::unknown(),
            Err(refusal) => return refusal.reply(),
        };
        let (login, feature) = match way {
            Way::Bearer => ("ADMI_LOGIN_OAUTH2", "oauth2"),
            Way::Tba => ("ADMI_LOGIN_OAUTH", "tba"),
        };
        if self.is_off(feature) {
            self.door.note(exchange.at, "FeatureDisabled", false);
            return if script { restlet::unknown() } else { Refusal::login().reply() };
        }
        let granted = self.store.read(|world| {
            (script || access::may(world, "ADMI_RESTWEBSERVICES", Level::Full))
                && access::may(world, login, Level::Full)
        });
        if !granted {
            self.door.note(exchange.at, "permission_denied", false);
            return if script { restlet::unknown() } else { Refusal::login().reply() };
        }
        let Some((lane, span)) = self.lanes.enter() else {
            if script {
                return restlet::too_many();
            }
            return Refusal::new(
                429,
                "CONCURRENCY_LIMIT_EXCEEDED",
                "Concurrent request limit exceeded. Request blocked.",
            )
            .reply();
        };
        work(&*self.clock, span).await;
        let reply = if script {
            self.restlet(exchange)
        } else {
            let answer = self.later(exchange).unwrap_or_else(|| self.serve(exchange));
            answer.unwrap_or_else(|refusal| refusal.reply())
        };
        drop(lane);
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        reply
            .with_header("x-n-operationid", &format!("op-{number}"))
            .with_header("x-netsuite-jobid", &format!("job-{number}"))
    }

    pub(crate) fn serve(&self, exchange: &Exchange) -> Result<Reply, Refusal> {
        let path = exchange.path.as_str();
        if path == "/services/rest/system/v1/serverTime" {
            let body = object_of(&[("serverTime".to_owned(), quoted(&exchange.at.to_string()))]);
            return Ok(Reply::status(200).with_body("application/json", body));
        }
        if path == "/rest/tokeninfo" {
            return Ok(self.token_info());
        }
        if path.starts_with(ASYNC) {
            return self.job(exchange);
        }
        if path == SUITEQL && exchange.method == http::Method::POST {
            return self.suiteql(exchange);
        }
        if let Some(rest) = path.strip_prefix(RECORDS) {
            return self.record_service(exchange, rest.trim_start_matches('/'));
        }
        Err(Refusal::new(404, "NOT_FOUND", "The requested resource was not found."))
    }

    fn record_service(&self, exchange: &Exchange, rest: &str) -> Result<Reply, Refusal> {
        let parts: Vec<String> =
            rest.split('/').map(|part| decode(part, false).unwrap_or_default()).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        if let ["metadata-catalog", rest @ ..] = parts.as_slice() {
            return self.catalog(exchange, rest.first().copied());
        }
        let kind = parts.first().copied().unwrap_or_default();
        let record = self.record(kind)?;
        // Lists of the account are made in its set-up and only read here.
        if record.family == meta::Family::Other && exchange.method != http::Method::GET {
            return Err(Refusal::new(405, "METHOD_NOT_ALLOWED", "This operation is not supported."));
        }
        match (exchange.method.as_str(), parts.get(1..).unwrap_or_default()) {
            ("POST", []) if is_form(exchange) => self.form(record),
            ("POST", []) => self.create(exchange, record),
            ("GET", []) => self.list(exchange, record),
            ("GET", [id, part @ ..]) if part.len() <= 2 => self.read(exchange, record, id, part),
            ("PATCH", [id]) => self.update(exchange, record, id),
            ("PUT", [id]) => self.upsert(exchange, record, id),
            ("DELETE", [id]) => self.delete(exchange, record, id),
            ("POST", [id, "!transform", target])
                if meta::record(target).is_some_and(|made| posting::handles(record.name, made.name)) =>
            {
                self.make(exchange, record, id, target)
            }
            ("POST", [id, "!transform", target]) => self.transform(exchange, record, id, target),
            _ => Err(Refusal::new(405, "METHOD_NOT_ALLOWED", "This operation is not supported.")),
        }
    }

    /// Whether a feature, or a record that comes with one, is switched off.
    pub(crate) fn is_off(&self, feature: &str) -> bool {
        self.store.read(|world| world.has(&format!("off/{feature}")))
    }

    /// The record of this name, if the account has it.
    pub(crate) fn record(&self, name: &str) -> Result<&'static RecordMeta, Refusal> {
        let missing = || Refusal::new(404, "NONEXISTENT_ID", format!("Record type '{name}' does not exist."));
        meta::record(name).filter(|record| !self.is_off(record.name)).ok_or_else(missing)
    }

    pub(crate) fn ask<'a>(&'a self, world: &'a World, now: Timestamp) -> Ask<'a> {
        let quirks = &self.options.quirks;
        Ask { world, now, quirks, codes: quirks.contains(&Quirk::LegacyTaxInRest) }
    }

    pub(crate) fn check(&self, world: &World, record: &RecordMeta, level: Level) -> Result<(), Refusal> {
        access::check(world, record, level, self.options.quirks.contains(&Quirk::PermissionAsNotFound))
    }

    fn form(&self, record: &RecordMeta) -> Result<Reply, Refusal> {
        self.store.read(|world| self.check(world, record, Level::Create))?;
        Ok(Reply::status(200).with_body("application/vnd.oracle.resource+json; type=create-form", "{}"))
    }

    fn create(&self, exchange: &Exchange, record: &RecordMeta) -> Result<Reply, Refusal> {
        let (id, warned) = self.store.commit(|world| {
            self.check(world, record, Level::Create)?;
            let ask = self.ask(world, exchange.at);
            let parsed = records::parse(ask, record, &exchange.body)?;
            let warned = validated(exchange, &parsed.unknown)?;
            let (id, changes) = records::create(ask, record, parsed.doc)?;
            Ok::<_, Refusal>((changes, (id, warned)))
        })?;
        Ok(done(exchange, record.name, id, &warned))
    }

    fn upsert(&self, exchange: &Exchange, record: &RecordMeta, id: &str) -> Result<Reply, Refusal> {
        let Some(external) = id.strip_prefix("eid:") else {
            return Err(Refusal::new(400, "INVALID_REQUEST", "Upsert needs an external ID."));
        };
        let (id, warned) = self.store.commit(|world| {
            let ask = self.ask(world, exchange.at);
            let mut parsed = records::parse(ask, record, &exchange.body)?;
            let warned = validated(exchange, &parsed.unknown)?;
            parsed.doc = parsed.doc.with_text("externalId", external);
            let held = world.by_external(record.family, external).filter(|(kind, _)| *kind == record.name);
            match held.and_then(|(_, at)| Some((at, world.get(record.name, at)?))) {
                Some((at, stored)) => {
                    self.check(world, record, Level::Edit)?;
                    let changes = records::update(ask, record, at, stored, parsed.doc, &replaced(exchange))?;
                    Ok::<_, Refusal>((changes, (at, warned)))
                }
                None => {
                    self.check(world, record, Level::Create)?;
                    let (at, changes) = records::create(ask, record, parsed.doc)?;
                    Ok((changes, (at, warned)))
                }
            }
        })?;
        Ok(done(exchange, record.name, id, &warned))
    }

    fn update(&self, exchange: &Exchange, record: &RecordMeta, id: &str) -> Result<Reply, Refusal> {
        let warned = self.store.commit(|world| {
            self.check(world, record, Level::Edit)?;
            let at = resolve(world, record, id)?;
            let ask = self.ask(world, exchange.at);
            let parsed = records::parse(ask, record, &exchange.body)?;
            let warned = validated(exchange, &parsed.unknown)?;
            let Some(stored) = world.get(record.name, at) else { return Err(absent(record)) };
            let changes = records::update(ask, record, at, stored, parsed.doc, &replaced(exchange))?;
            Ok::<_, Refusal>((changes, warned))
        })?;
        Ok(with_warning(Reply::status(204), &warned))
    }

    fn delete(&self, exchange: &Exchange, record: &RecordMeta, id: &str) -> Result<Reply, Refusal> {
        self.store.commit(|world| {
            self.check(world, record, Level::Full)?;
            let at = resolve(world, record, id)?;
            if !world.made_from(at).is_empty() {
                return Err(Refusal::user("This record cannot be deleted because it has dependent records."));
            }
            if world.has(&format!("lock/{}/{at}", record.name)) {
                return Err(Refusal::locked());
            }
            let Some(stored) = world.get(record.name, at) else { return Err(absent(record)) };
            let mut changes = posting::undo(self.ask(world, exchange.at), record, &stored.doc)?;
            changes.push(Change::Remove(record.name.to_owned(), at, exchange.at));
            Ok((changes, ()))
        })?;
        Ok(Reply::status(204))
    }

    fn read(
        &self,
        exchange: &Exchange,
        record: &RecordMeta,
        id: &str,
        part: &[&str],
    ) -> Result<Reply, Refusal> {
        let query = query_of(exchange);
        let yes = |name: &str| query.get(name).is_some_and(|value| value == "true");
        let base = base_of(exchange);
        let fields: Vec<&str> =
            query.get("fields").map(|names| names.split(',').collect()).unwrap_or_default();
        let shown = Shown {
            expand: yes("expandSubResources"),
            plain_enums: yes("simpleEnumFormat"),
            base: &base,
            fields: &fields,
            page: if part.len() == 1 { paging(&query)? } else { (ROWS_MAX, 0) },
        };
        let body = self.store.read(|world| {
            self.check(world, record, Level::View)?;
            let at = resolve(world, record, id)?;
            // The service opens records as if to edit them, so a lock keeps readers out as well.
            if world.has(&format!("lock/{}/{at}", record.name)) {
                return Err(Refusal::user("This record has been locked by a user defined workflow."));
            }
            let Some(stored) = world.get(record.name, at) else { return Err(absent(record)) };
            let ask = self.ask(world, exchange.at);
            match part {
                [name, line @ ..] => {
                    records::render_part(ask, record, at, stored, (name, line.first().copied()), shown)
                        .ok_or_else(|| {
                            Refusal::new(404, "NONEXISTENT_ID", "The sublist or line does not exist.")
                        })
                }
                [] => Ok(records::render(ask, record, at, stored, shown)),
            }
        })?;
        Ok(Reply::status(200).with_body("application/vnd.oracle.resource+json; type=singular", body))
    }

    fn list(&self, exchange: &Exchange, record: &RecordMeta) -> Result<Reply, Refusal> {
        let query = query_of(exchange);
        let (limit, offset) = paging(&query)?;
        let ids: Vec<u64> = self.store.read(|world| {
            self.check(world, record, Level::View)?;
            let filter = query.get("q").map(|text| Filter::parse(text, record, world)).transpose()?;
            // A restriction of the role hides records without a word.
            let fits = |at: u64, stored: &Stored| {
                !world.has(&format!("hidden/{}/{at}", record.name))
                    && filter.as_ref().is_none_or(|filter| filter.matches(stored, world))
            };
            let table = world.table(record.name).filter(|(at, stored)| fits(*at, stored));
            Ok::<_, Refusal>(table.map(|(at, _)| at).collect())
        })?;
        let items: Vec<String> = ids
            .iter()
            .skip(offset)
            .take(limit)
            .map(|at| format!("{{\"links\":[],\"id\":\"{at}\"}}"))
            .collect();
        let more = offset + items.len() < ids.len();
        let body = format!(
            "{{\"links\":[],\"count\":{},\"hasMore\":{more},\"items\":[{}],\"offset\":{offset},\"totalResults\":{}}}",
            items.len(),
            items.join(","),
            ids.len()
        );
        Ok(Reply::status(200).with_body("application/vnd.oracle.resource+json; type=collection", body))
    }

    fn transform(
        &self,
        exchange: &Exchange,
        record: &RecordMeta,
        id: &str,
        target: &str,
    ) -> Result<Reply, Refusal> {
        let made = self.record(target)?;
        if record.name != "salesOrder" || made.name != "itemFulfillment" {
            return Err(Refusal::new(400, "INVALID_REQUEST", "This transform is not emulated."));
        }
        let (at, warned) = self.store.commit(|world| {
            self.check(world, made, Level::Create)?;
            let order = resolve(world, record, id)?;
            let ask = self.ask(world, exchange.at);
            let parsed = records::parse(ask, made, &exchange.body)?;
            let warned = validated(exchange, &parsed.unknown)?;
            records::check_external(ask, made, &parsed.doc, None)?;
            let Some(stored) = world.get(record.name, order) else { return Err(absent(record)) };
            let (at, changes) = sales::fulfil(ask, order, stored, parsed.doc)?;
            Ok::<_, Refusal>((changes, (at, warned)))
        })?;
        Ok(done(exchange, made.name, at, &warned))
    }

    /// Transforms into everything but a fulfilment, whose lines have rules of their own.
    fn make(&self, exchange: &Exchange, from: &RecordMeta, id: &str, to: &str) -> Result<Reply, Refusal> {
        let made = self.record(to)?;
        let (at, warned) = self.store.commit(|world| {
            self.check(world, made, Level::Create)?;
            self.check(world, from, Level::View)?;
            let source = resolve(world, from, id)?;
            let ask = self.ask(world, exchange.at);
            let parsed = records::parse(ask, made, &exchange.body)?;
            let warned = validated(exchange, &parsed.unknown)?;
            records::check_external(ask, made, &parsed.doc, None)?;
            let Some(stored) = world.get(from.name, source) else { return Err(absent(from)) };
            let replace = replaced(exchange).iter().any(|name| name == "item");
            let (at, changes) = posting::make(ask, source, made, (from, stored), (parsed.doc, replace))?;
            Ok::<_, Refusal>((changes, (at, warned)))
        })?;
        Ok(done(exchange, made.name, at, &warned))
    }
}

impl System {
    /// Who the credentials are; the fields are those that clients in the field read.
    fn token_info(&self) -> Reply {
        let account = &self.door.credentials.account;
        Reply::json(
            200,
            &serde_json::json!({
                "companyId": account, "companyName": "Emulated", "roleId": 1000, "roleName": "Integration",
                "userId": 77, "scope": ["rest_webservices", "restlets"],
            }),
        )
    }
}

fn datacenter(exchange: &Exchange) -> Reply {
    let host = exchange.header("host").unwrap_or_default();
    let domain = format!("http://{host}");
    let body = object_of(&[
        ("restDomain".to_owned(), quoted(&domain)),
        ("webservicesDomain".to_owned(), quoted(&domain)),
        ("systemDomain".to_owned(), quoted(&domain)),
    ]);
    Reply::status(200).with_body("application/json", body)
}

fn is_form(exchange: &Exchange) -> bool {
    exchange.header("accept").is_some_and(|accept| accept.contains("type=create-form"))
}

fn base_of(exchange: &Exchange) -> String {
    format!("http://{}", exchange.header("host").unwrap_or_default())
}

/// `limit` and `offset`, which must be a multiple of it.
pub(crate) fn paging(query: &BTreeMap<String, String>) -> Result<(usize, usize), Refusal> {
    let read = |name: &str, default: usize| match query.get(name) {
        None => Ok(default),
        Some(text) => {
            text.parse().map_err(|_| Refusal::query(name, "INVALID_PARAMETER", format!("Invalid {name}.")))
        }
    };
    let (limit, offset) = (read("limit", 1000)?, read("offset", 0)?);
    if !(1..=1000).contains(&limit) {
        return Err(Refusal::query("limit", "INVALID_PARAMETER", "Provide a limit between 1 and 1000."));
    }
    if offset % limit != 0 {
        return Err(Refusal::query(
            "offset",
            "INVALID_PARAMETER",
            "The offset must be divisible by the limit.",
        ));
    }
    if offset >= ROWS_MAX {
        return Err(Refusal::query(
            "offset",
            "INVALID_PARAMETER",
            "The offset is beyond the last page that can be asked for.",
        ));
    }
    Ok((limit, offset))
}

/// What becomes of unknown fields: by default they are ignored, and a header says so.
fn validated(exchange: &Exchange, unknown: &[String]) -> Result<String, Refusal> {
    let mode = exchange.header("x-netsuite-propertynamevalidation").unwrap_or("Warning").to_lowercase();
    match (unknown.first(), mode.as_str()) {
        (Some(path), "error") => {
            Err(Refusal::at(path.clone(), format!("Unknown field name in the request body: {path}.")))
        }
        (Some(_), "ignore") | (None, _) => Ok(String::new()),
        (Some(_), _) => Ok(unknown.join(",")),
    }
}

fn with_warning(reply: Reply, warned: &str) -> Reply {
    if warned.is_empty() { reply } else { reply.with_header("x-netsuite-propertyvalidation", warned) }
}

fn done(exchange: &Exchange, kind: &str, id: u64, warned: &str) -> Reply {
    let location = format!("{}{RECORDS}/{kind}/{id}", base_of(exchange));
    with_warning(Reply::status(204).with_header("location", &location), warned)
}

fn replaced(exchange: &Exchange) -> Vec<String> {
    let query = query_of(exchange);
    query.get("replace").map(|names| names.split(',').map(str::to_owned).collect()).unwrap_or_default()
}

/// The internal id of `7` or `eid:x`.
fn resolve(world: &World, record: &RecordMeta, id: &str) -> Result<u64, Refusal> {
    let found = match id.strip_prefix("eid:") {
        Some(external) => world
            .by_external(record.family, external)
            .filter(|(kind, _)| *kind == record.name)
            .map(|(_, at)| at),
        None => id.parse().ok().filter(|at| world.get(record.name, *at).is_some()),
    };
    let hidden = |at: &u64| world.has(&format!("hidden/{}/{at}", record.name));
    found.filter(|at| !hidden(at)).ok_or_else(|| absent(record))
}

/// A transaction that is not there is a 400 without a code of its own.
fn absent(record: &RecordMeta) -> Refusal {
    if record.family == meta::Family::Transaction {
        Refusal::user("Error while accessing a resource. Transaction type specified is incorrect.")
    } else {
        Refusal::new(
            404,
            "NONEXISTENT_ID",
            "The record instance does not exist. Provide a valid record instance ID.",
        )
    }
}
