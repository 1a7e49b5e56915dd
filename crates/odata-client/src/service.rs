//! One service of one system: typed reads, writes, functions and batches.

mod list;
mod write;

pub use list::{Page, RowError};
pub use write::{IfMatch, Written};

use crate::batch::{Batch, BatchAnswer, PartUrl};
use crate::envelope;
use crate::literal::{Literal, encode, encode_but};
use crate::message::{ServiceMessage, read_messages};
use crate::protocol::{Protocol, UpdateVerb};
use crate::query::{Query, ResourcePath};
use crate::session::CsrfSession;
use bytes::Bytes;
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::id::EntityTag;
use erp_core::time::Timestamp;
use erp_http::{Call, HttpClient, Request, Response};
use futures_util::stream::BoxStream;
use http::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// A typed client of one service. Cheap to clone. `Debug` shows no header, because one may be a key.
#[derive(Clone)]
#[must_use]
pub struct ODataService {
    http: HttpClient,
    root: Url,
    protocol: Protocol,
    params: Vec<(String, String)>,
    headers: HeaderMap,
    update_verb: UpdateVerb,
    message_header: Arc<str>,
    part_url: PartUrl,
    pages_max: usize,
    session: Option<Arc<CsrfSession>>,
}

/// An entity as it was read. `Debug` shows its size only.
#[derive(Clone)]
#[non_exhaustive]
pub struct Entity<T> {
    /// The entity.
    pub value: T,
    /// Its concurrency token, verbatim.
    pub etag: Option<EntityTag>,
    /// When the request that brought it began.
    pub started: Timestamp,
    /// Its own JSON text, as evidence. It shares the memory of the whole answer: copy it to keep it for long.
    pub raw: Bytes,
}

impl<T> Entity<T> {
    /// The same entity with something made of its value.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Entity<U> {
        Entity { value: make(self.value), etag: self.etag, started: self.started, raw: self.raw }
    }
}

impl<T> fmt::Debug for Entity<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entity({} bytes)", self.raw.len())
    }
}

impl fmt::Debug for ODataService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ODataService")
            .field("system", self.http.system())
            .field("path", &self.root.path())
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

impl ODataService {
    /// A V2 service below the client's base URL, such as `/sap/opu/odata/sap/API_X_SRV;v=0002`.
    pub fn v2(http: HttpClient, service_path: &str) -> Self {
        let mut root = http.base_url().clone();
        let prefix = root.path().trim_end_matches('/').to_owned();
        root.set_path(&format!("{prefix}/{}", service_path.trim_matches('/')));
        root.set_query(None);
        Self {
            http,
            root,
            protocol: Protocol::V2,
            params: Vec::new(),
            headers: HeaderMap::new(),
            update_verb: UpdateVerb::default(),
            message_header: Arc::from("sap-message"),
            part_url: PartUrl::default(),
            pages_max: 100_000,
            session: None,
        }
    }

    /// Sends `Accept-Language` with every request. What people call an order type or a unit may depend on it.
    pub fn language(self, language: &str) -> Self {
        self.header("accept-language", language)
    }

    /// Sends a parameter with every request, also with links that the server gave.
    pub fn fixed_param(mut self, name: &str, value: &str) -> Self {
        let name = encode_but(name, b"-._~$");
        self.params.retain(|(known, _)| *known != name);
        self.params.push((name, encode(value)));
        self
    }

    /// Sends a header with every request; one that no header can hold is left out.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            self.headers.insert(name, value);
        }
        self
    }

    /// How partial updates are said.
    pub fn update_verb(mut self, verb: UpdateVerb) -> Self {
        self.update_verb = verb;
        self
    }

    /// The header in which messages come with a success. Default `sap-message`, the name most in use.
    pub fn message_header(mut self, name: &str) -> Self {
        self.message_header = Arc::from(name.to_ascii_lowercase());
        self
    }

    /// How the URLs of a batch's parts are written.
    pub fn part_url(mut self, form: PartUrl) -> Self {
        self.part_url = form;
        self
    }

    /// How many pages one list may have before it counts as endless.
    pub fn pages_max(mut self, pages: usize) -> Self {
        self.pages_max = pages;
        self
    }

    /// Uses a CSRF session for writes. It must be the `Authorize` of this service's client too.
    pub fn with_session(mut self, session: &Arc<CsrfSession>) -> Self {
        session.connect(&self.http);
        self.session = Some(Arc::clone(session));
        self
    }

    /// The service root, without a slash at the end.
    pub fn root(&self) -> &Url {
        &self.root
    }

    /// The client beneath.
    pub fn http(&self) -> &HttpClient {
        &self.http
    }

    /// Pages of a list, one by one, following the server's links until there is none, or `top` rows have come.
    pub fn list<T: DeserializeOwned + Send + 'static>(
        &self,
        cx: &Context,
        call: Call,
        query: &Query,
    ) -> BoxStream<'static, Result<Page<T>>> {
        list::pages(self.clone(), cx.clone(), call, query)
    }

    /// One entity. `None` if a navigation leads nowhere; else only if the connector's table says `NotFound` *and* the answer was an OData error with a code:
    /// a bare 404 comes from a wrong path or a service that is not there, and is no proof of absence.
    ///
    /// # Errors
    /// `Config` for a bare 404; else the connector's classification, or `Malformed`.
    pub async fn get<T: DeserializeOwned>(
        &self,
        cx: &Context,
        call: Call,
        query: &Query,
    ) -> Result<Option<Entity<T>>> {
        let request = self.request(Method::GET, query.path(), &query.to_query_string(self.protocol));
        let response = match self.http.execute(cx, call, request).await {
            Ok(response) => response,
            Err(error) => return absent(error).map(|()| None),
        };
        if response.status == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let read = || match envelope::entity(&response.body)? {
            nothing if nothing.get() == "null" => Ok(None),
            row => read_entity(call.operation, &response, row).map(Some),
        };
        read().map_err(|e: Error| e.with_operation(call.operation))
    }

    /// The number behind `…/$count`.
    ///
    /// # Errors
    /// The connector's classification, or `Malformed`.
    pub async fn count(&self, cx: &Context, call: Call, query: &Query) -> Result<u64> {
        let path = query.path().clone().then("$count");
        let mut request = self.request(Method::GET, &path, &query.to_query_string(self.protocol));
        request.headers.insert(ACCEPT, HeaderValue::from_static("text/plain, application/json"));
        let response = self.http.execute(cx, call, request).await?;
        let text = String::from_utf8_lossy(&response.body);
        text.trim_start_matches('\u{feff}')
            .trim()
            .parse()
            .map_err(|_| Error::malformed("the answer to $count is no number").with_operation(call.operation))
    }

    /// Calls a function with GET; parameters go into the query as literals.
    ///
    /// # Errors
    /// The connector's classification, or `Malformed`.
    pub async fn function_get<T: DeserializeOwned>(
        &self,
        cx: &Context,
        call: Call,
        name: &str,
        params: &[(&str, Literal)],
    ) -> Result<Written<T>> {
        self.function(cx, call, Method::GET, name, params).await
    }

    /// Calls a function with POST: parameters go into the query as literals, the body is empty.
    ///
    /// # Errors
    /// The connector's classification, or `Malformed` with the effect that the answer proves.
    pub async fn function_post<T: DeserializeOwned>(
        &self,
        cx: &Context,
        call: Call,
        name: &str,
        params: &[(&str, Literal)],
    ) -> Result<Written<T>> {
        self.function(cx, call, Method::POST, name, params).await
    }

    async fn function<T: DeserializeOwned>(
        &self,
        cx: &Context,
        call: Call,
        method: Method,
        name: &str,
        params: &[(&str, Literal)],
    ) -> Result<Written<T>> {
        let query =
            params.iter().fold(Query::new(name), |query, (name, value)| query.literal_param(name, value));
        let request = self.request(method, query.path(), &query.to_query_string(self.protocol));
        let response = self.http.execute(cx, call, request).await?;
        self.written(call, &response, |body| envelope::function(name, body))
    }

    /// Creates an entity of a set, or below a navigation.
    ///
    /// # Errors
    /// The connector's classification. An answer that cannot be read after the work was done has effect `Applied`.
    pub async fn create<T: DeserializeOwned, B: Serialize + Sync + ?Sized>(
        &self,
        cx: &Context,
        call: Call,
        path: impl Into<ResourcePath> + Send,
        body: &B,
    ) -> Result<Written<T>> {
        let body = json(body)?;
        let request = self.request(Method::POST, &path.into(), "").with_json(body);
        let response = self.http.execute(cx, call, request).await?;
        self.written(call, &response, envelope::entity)
    }

    /// Changes the properties that the body has.
    ///
    /// # Errors
    /// As [`ODataService::create`].
    pub async fn update<T: DeserializeOwned, B: Serialize + Sync + ?Sized>(
        &self,
        cx: &Context,
        call: Call,
        path: impl Into<ResourcePath> + Send,
        if_match: &IfMatch,
        body: &B,
    ) -> Result<Written<T>> {
        let body = json(body)?;
        let mut request = self.request(self.update_verb.method(), &path.into(), "").with_json(body);
        if let Some((name, value)) = self.update_verb.header() {
            request = request.with_header(HeaderName::from_static(name), value);
        }
        let response = self.http.execute(cx, call, if_match.put_on(request)?).await?;
        self.written(call, &response, envelope::entity)
    }

    /// Deletes an entity.
    ///
    /// # Errors
    /// As [`ODataService::create`].
    pub async fn delete(
        &self,
        cx: &Context,
        call: Call,
        path: impl Into<ResourcePath> + Send,
        if_match: &IfMatch,
    ) -> Result<Written<()>> {
        let request = if_match.put_on(self.request(Method::DELETE, &path.into(), ""))?;
        let response = self.http.execute(cx, call, request).await?;
        Ok(self.bare(&response))
    }

    /// Sends a batch. What became of each item stands in the answer; an error here speaks of the batch as a whole.
    ///
    /// # Errors
    /// The connector's classification, or `Malformed`; if the batch writes, its effect is then `Unknown`.
    pub async fn batch(&self, cx: &Context, call: Call, batch: &Batch) -> Result<BatchAnswer> {
        let url = |relative: &str| self.part(relative);
        let mut fixed: Vec<(String, String)> = Vec::new();
        for (name, value) in &self.headers {
            fixed.extend(value.to_str().ok().map(|value| (name.to_string(), value.to_owned())));
        }
        let (boundary, body) = batch.write(&url, &fixed);
        let mut request = self.request(Method::POST, &ResourcePath::set("$batch"), "");
        request.headers.insert(ACCEPT, HeaderValue::from_static("multipart/mixed"));
        if batch.continues() {
            request = request.with_header(HeaderName::from_static("prefer"), "odata.continue-on-error");
        }
        let request = request.with_body(&format!("multipart/mixed; boundary={boundary}"), body);
        let response = self.http.execute(cx, call, request).await?;
        let effect = if batch.writes() { Effect::Unknown } else { Effect::None };
        batch.read(&response).map_err(|e| e.with_effect(effect).with_operation(call.operation))
    }

    /// The service's own description of itself, as bytes for [`Metadata::parse`](crate::Metadata::parse).
    ///
    /// # Errors
    /// The connector's classification.
    pub async fn metadata(&self, cx: &Context, call: Call) -> Result<Bytes> {
        let mut request = self.request(Method::GET, &ResourcePath::set("$metadata"), "");
        request.headers.insert(ACCEPT, HeaderValue::from_static("application/xml"));
        Ok(self.http.execute(cx, call, request).await?.body)
    }

    pub(crate) fn request(&self, method: Method, path: &ResourcePath, query: &str) -> Request {
        let mut url = self.root.clone();
        url.set_path(&format!("{}/{}", self.root.path(), path.as_str()));
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        self.request_to(method, url)
    }

    pub(crate) fn request_to(&self, method: Method, mut url: Url) -> Request {
        self.add_params(&mut url);
        let mut request = Request::new(method, url);
        request.headers = self.fixed_headers();
        if let Some(session) = &self.session {
            let mut root = self.root.clone();
            self.add_params(&mut root);
            session.cover(&root, &request.headers);
        }
        request
    }

    fn fixed_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for &(name, value) in self.protocol.headers() {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.extend(self.headers.clone());
        headers
    }

    fn add_params(&self, url: &mut Url) {
        let known = url.query().unwrap_or_default().to_owned();
        let mut query = known.clone();
        for (name, value) in &self.params {
            let there = known.split('&').any(|option| option.split('=').next() == Some(name.as_str()));
            if !there {
                let and = if query.is_empty() { "" } else { "&" };
                query = format!("{query}{and}{name}={value}");
            }
        }
        url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
    }

    fn part(&self, relative: &str) -> String {
        match self.part_url {
            PartUrl::Relative => relative.to_owned(),
            PartUrl::LeadingSlash => format!("/{relative}"),
            PartUrl::ServerPath => format!("{}/{relative}", self.root.path()),
            PartUrl::Absolute => format!("{}/{relative}", self.root),
        }
    }

    fn messages(&self, response: &Response) -> Vec<ServiceMessage> {
        let values = response.headers.get_all(&*self.message_header);
        values.iter().flat_map(|value| read_messages(&String::from_utf8_lossy(value.as_bytes()))).collect()
    }

    fn bare<T>(&self, response: &Response) -> Written<T> {
        Written {
            entity: None,
            etag: response.header("etag").map(EntityTag::from),
            location: response.header("location").map(str::to_owned),
            messages: self.messages(response),
            status: response.status,
            started: response.started,
        }
    }

    fn written<T: DeserializeOwned>(
        &self,
        call: Call,
        response: &Response,
        find: impl FnOnce(&[u8]) -> Result<&RawValue>,
    ) -> Result<Written<T>> {
        let mut written = self.bare(response);
        if response.body.trim_ascii().is_empty() {
            return Ok(written);
        }
        let effect = write::effect_of_unreadable(call, response);
        let entity = find(&response.body)
            .and_then(|row| read_entity(call.operation, response, row))
            .map_err(|e| e.with_effect(effect).with_operation(call.operation))?;
        written.etag = written.etag.or_else(|| entity.etag.clone());
        written.entity = Some(entity);
        Ok(written)
    }
}

pub(crate) fn read_entity<T: DeserializeOwned>(
    operation: &'static str,
    response: &Response,
    row: &RawValue,
) -> Result<Entity<T>> {
    let value = erp_http::json::decode_bytes(operation, row.get().as_bytes())?;
    let raw = response.body.slice_ref(row.get().as_bytes());
    Ok(Entity { value, etag: envelope::etag_of(row), started: response.started, raw })
}

/// Whether this error proves that the entity is not there.
fn absent(error: Error) -> Result<()> {
    if *error.kind() != ErrorKind::NotFound {
        return Err(error);
    }
    if error.upstream().is_some_and(|upstream| upstream.code.is_some()) {
        return Ok(());
    }
    // `with_kind` keeps what the vendor said; only the conclusion changes.
    Err(error.with_kind(ErrorKind::Config).with_context("hint", "a bare 404: is the service path right?"))
}

fn json<B: Serialize + Sync + ?Sized>(body: &B) -> Result<Vec<u8>> {
    serde_json::to_vec(body).map_err(|_| Error::unexpected("a body cannot be written as JSON"))
}
