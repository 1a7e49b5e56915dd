//! OAuth 2.0 for machines: client credentials, refresh token, JWT bearer assertion.
//!
//! One token is shared by all requests. It is fetched once however many wait for it, and renewed before it ends; while the
//! old one lives, a failing issuer harms nobody. A refused token is dropped.

use crate::auth::jwt::{Assertion, JwtSigner};
use crate::auth::secret::{LiveSecret, Secret, SecretSource};
use crate::auth::{Authorize, only_private, sent_credential, set_secret_header};
use crate::request::{Request, Response};
use crate::transport::Transport;
use async_trait::async_trait;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::time::{Clock, Timestamp};
use http::StatusCode;
use http::header::AUTHORIZATION;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use url::Url;

mod issuer;

use issuer::Issued;

/// A token that ends sooner than this is not used any more.
const LAST_USE: Duration = Duration::from_secs(5);
/// After a failed renewal the issuer is left alone for this long while the old token lives.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);
/// A token that was fetched because of a refusal, and is refused again within this time, is not what is wrong.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

/// What is asked of which issuer.
#[derive(Debug)]
#[must_use]
pub struct OAuth2Config {
    token_url: String,
    grant: Grant,
    client_id: Option<LiveSecret>,
    client_secret: Option<LiveSecret>,
    secret_in_body: bool,
    scopes: Vec<String>,
    parameters: Vec<(String, String)>,
    renew_before: Duration,
    default_life: Duration,
    timeout: Duration,
    on_rotation: Option<OnRotation>,
}

#[derive(Debug)]
enum Grant {
    ClientCredentials,
    /// RFC 7523 section 2.2: client credentials, proven by an assertion in place of a secret.
    ClientAssertion(JwtSigner, Assertion),
    /// RFC 7523 section 2.1: the assertion is the grant.
    JwtBearer(JwtSigner, Assertion),
    RefreshToken(LiveSecret),
}

#[derive(Clone)]
struct OnRotation(Arc<dyn Fn(&Secret) + Send + Sync>);

impl fmt::Debug for OnRotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnRotation")
    }
}

impl OAuth2Config {
    fn new(token_url: impl Into<String>, grant: Grant) -> Self {
        Self {
            token_url: token_url.into(),
            grant,
            client_id: None,
            client_secret: None,
            secret_in_body: false,
            scopes: Vec::new(),
            parameters: Vec::new(),
            renew_before: Duration::from_secs(300),
            default_life: Duration::from_secs(300),
            timeout: Duration::from_secs(30),
            on_rotation: None,
        }
    }

    /// Client credentials with id and secret: Adobe IMS, SAP BTP, Entra.
    pub fn client_credentials(
        token_url: impl Into<String>,
        client_id: SecretSource,
        client_secret: SecretSource,
    ) -> Self {
        let mut config = Self::new(token_url, Grant::ClientCredentials);
        config.client_id = Some(LiveSecret::new(client_id));
        config.client_secret = Some(LiveSecret::new(client_secret));
        config
    }

    /// Client credentials with a signed assertion in place of a secret: NetSuite M2M, Entra certificates. The client id is
    /// sent beside it only if [`with_client_id`](OAuth2Config::with_client_id) says so.
    pub fn client_assertion(token_url: impl Into<String>, signer: JwtSigner, assertion: Assertion) -> Self {
        Self::new(token_url, Grant::ClientAssertion(signer, assertion))
    }

    /// A signed assertion as the grant itself: Salesforce's JWT bearer flow.
    pub fn jwt_bearer(token_url: impl Into<String>, signer: JwtSigner, assertion: Assertion) -> Self {
        Self::new(token_url, Grant::JwtBearer(signer, assertion))
    }

    /// A refresh token that a person's consent has left. An issuer may replace it with every use: then
    /// [`on_rotation`](OAuth2Config::on_rotation) must store the new one, or a restart is locked out.
    pub fn refresh_token(
        token_url: impl Into<String>,
        client_id: SecretSource,
        refresh_token: SecretSource,
    ) -> Self {
        let mut config = Self::new(token_url, Grant::RefreshToken(LiveSecret::new(refresh_token)));
        config.client_id = Some(LiveSecret::new(client_id));
        config
    }

    /// Sets the client id.
    pub fn with_client_id(mut self, client_id: SecretSource) -> Self {
        self.client_id = Some(LiveSecret::new(client_id));
        self
    }

    /// Sets the client secret.
    pub fn with_client_secret(mut self, client_secret: SecretSource) -> Self {
        self.client_secret = Some(LiveSecret::new(client_secret));
        self
    }

    /// Sends id and secret in the form, as Adobe IMS wants them, and not as basic authentication.
    pub fn with_secret_in_body(mut self) -> Self {
        self.secret_in_body = true;
        self
    }

    /// Adds a scope.
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// Adds a parameter of the vendor's own, such as `resource`.
    pub fn with_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// How long before its end a token is renewed, but never more than a fifth of its life. Default 5 min.
    pub fn with_renew_before(mut self, span: Duration) -> Self {
        self.renew_before = span;
        self
    }

    /// How long a token is taken to live whose issuer does not say. Default 5 min.
    pub fn with_default_life(mut self, life: Duration) -> Self {
        self.default_life = life;
        self
    }

    /// Called with each new refresh token, before the access token that came with it is used.
    pub fn on_rotation(mut self, store: impl Fn(&Secret) + Send + Sync + 'static) -> Self {
        self.on_rotation = Some(OnRotation(Arc::new(store)));
        self
    }

    /// Makes the authoriser. `transport` is what the issuer is reached with: mostly
    /// [`NetworkOptions::connect`](crate::transport::NetworkOptions::connect).
    ///
    /// # Errors
    /// `Config` if the token URL cannot be read, or is plain http to anything but loopback.
    pub fn build(self, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Result<OAuth2> {
        let url = Url::parse(&self.token_url)
            .map_err(|e| Error::config(format!("the token URL cannot be read: {e}")))?;
        only_private(&url)?;
        let state = Mutex::new(State {
            token: None,
            rest_until: Timestamp::MIN,
            trouble: None,
            refused: false,
            rotated: None,
        });
        Ok(OAuth2 { config: self, url, transport, clock, state, flight: tokio::sync::Mutex::new(()) })
    }
}

/// Puts `Authorization: Bearer …` on requests, with a token that is fetched and renewed as needed.
#[derive(Debug)]
pub struct OAuth2 {
    config: OAuth2Config,
    url: Url,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by the one who fetches.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    token: Option<Token>,
    /// No renewal before this instant while the old token lives.
    rest_until: Timestamp,
    /// The last failure, told to all who come before this instant, so that those who waited do not ask one by one.
    trouble: Option<(Timestamp, ErrorKind, String, Option<Duration>)>,
    /// The next token is fetched because this one was refused.
    refused: bool,
    /// The refresh token that replaced the configured one.
    rotated: Option<Secret>,
}

#[derive(Debug, Clone)]
struct Token {
    secret: Secret,
    fetched: Timestamp,
    renew_at: Timestamp,
    ends: Timestamp,
    after_refusal: bool,
}

impl OAuth2 {
    /// A token that lives for a while, fetched or renewed if need be.
    ///
    /// # Errors
    /// `Auth` if the issuer refuses us, `Transient` or `Throttled` if it cannot answer now, `Config` if a secret cannot be
    /// read, `Malformed` if its answer is no token.
    pub async fn token(&self) -> Result<Secret> {
        let now = self.clock.now();
        if let Some(token) = self.living(now).filter(|token| token.renew_at > now) {
            return Ok(token.secret);
        }
        let _flight = match self.flight.try_lock() {
            Ok(flight) => flight,
            // Somebody renews it; the old one does until then.
            Err(_) => match self.living(now) {
                Some(token) => return Ok(token.secret),
                None => self.flight.lock().await,
            },
        };
        let now = self.clock.now();
        let old = self.living(now);
        if let Some(token) = &old
            && (token.renew_at > now || self.state().rest_until > now)
        {
            return Ok(token.secret.clone());
        }
        self.tell_trouble(now)?;
        match (self.fetch(now).await, old) {
            (Ok(secret), _) => Ok(secret),
            (Err(error), Some(token)) => {
                tracing::warn!(code = error.code(), error = %error, "the token cannot be renewed; the old one is used");
                self.state().rest_until = now.plus(RENEWAL_PAUSE);
                Ok(token.secret)
            }
            (Err(error), None) => {
                self.note_trouble(now, &error);
                Err(error)
            }
        }
    }

    async fn fetch(&self, now: Timestamp) -> Result<Secret> {
        let issued = match self.ask_issuer(now).await {
            // A rotated secret cures a refusal.
            Err(error) if *error.kind() == ErrorKind::Auth && self.config.renew_secrets() => {
                self.ask_issuer(now).await?
            }
            other => other?,
        };
        let life = issued.life.unwrap_or(self.config.default_life);
        let ends = now.plus(life);
        let renew_at = ends.minus(self.config.renew_before.min(life / 5));
        if let Some(refresh) = &issued.refresh_token
            && let Some(OnRotation(store)) = &self.config.on_rotation
        {
            store(refresh);
        }
        let mut state = self.state();
        let after_refusal = std::mem::take(&mut state.refused);
        let token = Token { secret: issued.token.clone(), fetched: now, renew_at, ends, after_refusal };
        state.token = Some(token);
        state.rest_until = Timestamp::MIN;
        state.trouble = None;
        if issued.refresh_token.is_some() {
            state.rotated = issued.refresh_token;
        }
        Ok(issued.token)
    }

    async fn ask_issuer(&self, now: Timestamp) -> Result<Issued> {
        let rotated = self.state().rotated.clone();
        let asked = issuer::Ask {
            config: &self.config,
            url: &self.url,
            transport: &*self.transport,
            now,
            refresh_token: rotated,
        };
        asked.send().await.map_err(|e| e.with_operation("oauth2.token"))
    }

    fn living(&self, now: Timestamp) -> Option<Token> {
        self.state().token.clone().filter(|token| token.ends.since(now) > LAST_USE)
    }

    fn tell_trouble(&self, now: Timestamp) -> Result<()> {
        match &self.state().trouble {
            Some((until, kind, message, wait)) if *until > now => {
                let error = Error::new(kind.clone(), message.clone()).with_operation("oauth2.token");
                Err(wait.iter().fold(error, |error, wait| error.with_retry_after(*wait)))
            }
            _ => Ok(()),
        }
    }

    fn note_trouble(&self, now: Timestamp, error: &Error) {
        let pause = match error.kind() {
            ErrorKind::Throttled => error.retry_after().unwrap_or(Duration::from_secs(1)),
            ErrorKind::Auth => Duration::from_secs(10),
            _ => Duration::from_millis(200),
        };
        let until = now.plus(pause.min(Duration::from_secs(60)));
        self.state().trouble =
            Some((until, error.kind().clone(), error.message().to_owned(), error.retry_after()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Authorize for OAuth2 {
    async fn authorize(&self, request: &mut Request) -> Result<()> {
        only_private(&request.url)?;
        let token = self.token().await?;
        set_secret_header(request, AUTHORIZATION, &format!("Bearer {}", token.expose()))
    }

    async fn refused(&self, request: &Request, response: &Response) -> bool {
        if response.status != StatusCode::UNAUTHORIZED {
            return false;
        }
        let Some(used) = sent_credential(request, "Bearer") else { return false };
        let now = self.clock.now();
        let mut state = self.state();
        match &state.token {
            Some(token) if token.secret.expose() == used => {
                if token.after_refusal && now.since(token.fetched) < REFUSED_AGAIN {
                    return false;
                }
                state.token = None;
                state.refused = true;
                true
            }
            // Somebody has fetched another one meanwhile, or is about to.
            _ => true,
        }
    }
}

impl OAuth2Config {
    /// Reads all secrets again; `true` if one has changed.
    fn renew_secrets(&self) -> bool {
        let signed = match &self.grant {
            Grant::ClientAssertion(signer, _) | Grant::JwtBearer(signer, _) => signer.renewed(),
            Grant::RefreshToken(token) => renewed(token),
            Grant::ClientCredentials => false,
        };
        let id = self.client_id.as_ref().is_some_and(renewed);
        let secret = self.client_secret.as_ref().is_some_and(renewed);
        signed || id || secret
    }
}

fn renewed(secret: &LiveSecret) -> bool {
    secret.get().is_ok_and(|used| secret.renewed(&used))
}

#[cfg(test)]
mod tests;
