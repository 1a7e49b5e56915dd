//! The conversation with the issuer: the `oauth2` crate over our own transport.

use super::{Grant, OAuth2Config};
use crate::auth::jwt::{Assertion, JwtSigner};
use crate::auth::secret::{LiveSecret, Secret};
use crate::redact;
use crate::request::{Request, Response};
use crate::retry::retry_after;
use crate::transport::Transport;
use erp_core::error::{Error, ErrorKind, Result, Upstream};
use erp_core::time::Timestamp;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicRequestTokenError, BasicTokenResponse};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RefreshToken,
    RequestTokenError, Scope, TokenResponse as _, TokenUrl,
};
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use url::Url;

const ANSWER_MAX: usize = 1 << 20;
/// As much of an issuer's error code as is kept.
const CODE_MAX: usize = 100;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What the issuer gave.
pub(super) struct Issued {
    pub(super) token: Secret,
    pub(super) life: Option<Duration>,
    pub(super) refresh_token: Option<Secret>,
}

/// One question to the issuer.
pub(super) struct Ask<'a> {
    pub(super) config: &'a OAuth2Config,
    pub(super) url: &'a Url,
    pub(super) transport: &'a dyn Transport,
    pub(super) now: Timestamp,
    /// Replaces the configured refresh token once the issuer has given another.
    pub(super) refresh_token: Option<Secret>,
}

impl Ask<'_> {
    pub(super) async fn send(&self) -> Result<Issued> {
        let bridge = Bridge(self);
        let answer = match &self.config.grant {
            Grant::ClientCredentials => self.client_credentials(&bridge, None).await?,
            Grant::ClientAssertion(signer, assertion) => {
                let signed = self.signed(signer, assertion)?;
                self.client_credentials(&bridge, Some(&signed)).await?
            }
            Grant::JwtBearer(signer, assertion) => self.jwt_bearer(&bridge, signer, assertion).await?,
            Grant::RefreshToken(configured) => {
                let token = match &self.refresh_token {
                    Some(rotated) => rotated.clone(),
                    None => configured.get()?,
                };
                self.refresh(&bridge, token).await?
            }
        };
        Ok(Issued {
            token: Secret::new(answer.access_token().secret().as_str()),
            life: answer.expires_in(),
            refresh_token: answer.refresh_token().map(|token| Secret::new(token.secret().as_str())),
        })
    }

    async fn client_credentials(
        &self,
        bridge: &Bridge<'_>,
        assertion: Option<&Secret>,
    ) -> Result<BasicTokenResponse> {
        let client = self.client()?.set_token_uri(TokenUrl::from_url(self.url.clone()));
        let mut asked = client.exchange_client_credentials().add_scopes(self.scopes());
        for (name, value) in &self.config.parameters {
            asked = asked.add_extra_param(name, value);
        }
        if let Some(assertion) = assertion {
            asked = asked
                .add_extra_param("client_assertion_type", ASSERTION_TYPE)
                .add_extra_param("client_assertion", assertion.expose());
        }
        asked.request_async(bridge).await.map_err(refused)
    }

    async fn refresh(&self, bridge: &Bridge<'_>, token: Secret) -> Result<BasicTokenResponse> {
        let client = self.client()?.set_token_uri(TokenUrl::from_url(self.url.clone()));
        let token = RefreshToken::new(token.expose().to_owned());
        let mut asked = client.exchange_refresh_token(&token).add_scopes(self.scopes());
        for (name, value) in &self.config.parameters {
            asked = asked.add_extra_param(name, value);
        }
        asked.request_async(bridge).await.map_err(refused)
    }

    /// The oauth2 crate knows no such grant, so the form is written here; the answer is read by the crate's types.
    async fn jwt_bearer(
        &self,
        bridge: &Bridge<'_>,
        signer: &JwtSigner,
        assertion: &Assertion,
    ) -> Result<BasicTokenResponse> {
        let form = self.jwt_bearer_form(&self.signed(signer, assertion)?)?;
        let request = Request::post(self.url.clone())
            .with_header(ACCEPT, "application/json")
            .with_body("application/x-www-form-urlencoded", form);
        let response = bridge.exchange(request).await?;
        if response.status.is_success() {
            serde_json::from_slice(&response.body).map_err(|_| unreadable())
        } else {
            let error: BasicErrorResponse =
                serde_json::from_slice(&response.body).map_err(|_| unreadable())?;
            Err(refused(RequestTokenError::ServerResponse(error)))
        }
    }

    fn jwt_bearer_form(&self, assertion: &Secret) -> Result<String> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", JWT_BEARER).append_pair("assertion", assertion.expose());
        if !self.config.scopes.is_empty() {
            form.append_pair("scope", &self.config.scopes.join(" "));
        }
        let client = [("client_id", &self.config.client_id), ("client_secret", &self.config.client_secret)];
        for (name, secret) in client {
            if let Some(value) = secret {
                form.append_pair(name, value.get()?.expose());
            }
        }
        form.extend_pairs(&self.config.parameters);
        Ok(form.finish())
    }

    fn signed(&self, signer: &JwtSigner, assertion: &Assertion) -> Result<Secret> {
        signer.sign(&assertion.claims_at(self.now)?)
    }

    fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.config.scopes.iter().cloned().map(Scope::new)
    }

    fn client(&self) -> Result<BasicClient> {
        let read = |secret: &Option<LiveSecret>| secret.as_ref().map(LiveSecret::get).transpose();
        let id = read(&self.config.client_id)?.map(|id| id.expose().to_owned()).unwrap_or_default();
        let auth = if self.config.secret_in_body { AuthType::RequestBody } else { AuthType::BasicAuth };
        let client = BasicClient::new(ClientId::new(id)).set_auth_type(auth);
        Ok(match read(&self.config.client_secret)? {
            None => client,
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
        })
    }
}

/// Lets the `oauth2` crate speak through our transport.
struct Bridge<'a>(&'a Ask<'a>);

impl Bridge<'_> {
    /// Sends, and sorts out what is no answer of an OAuth issuer: broken connections, throttling, 5xx, web pages.
    async fn exchange(&self, request: Request) -> Result<Response> {
        let Ask { config, transport, now, .. } = self.0;
        let mut response = transport
            .send(request, config.timeout, ANSWER_MAX)
            .await
            .map_err(|failure| Error::transient(format!("the token issuer: {}", failure.message)))?;
        let status = response.status;
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            let kind = if status.is_server_error() { ErrorKind::Transient } else { ErrorKind::Throttled };
            let error = Error::new(kind, format!("the token issuer answered {}", status.as_u16()));
            let wish = retry_after(&response, *now);
            return Err(wish.into_iter().fold(error, Error::with_retry_after));
        }
        match serde_json::from_slice::<Value>(&response.body) {
            Ok(mut body) if status.is_success() => {
                mend(&mut body);
                response.body = body.to_string().into();
                Ok(response)
            }
            Ok(body) if body.get("error").is_some_and(Value::is_string) => Ok(response),
            _ if matches!(status.as_u16(), 400 | 401 | 403) => {
                Err(Error::new(ErrorKind::Auth, format!("the token issuer answered {}", status.as_u16())))
            }
            _ if status.is_success() => Err(unreadable()),
            _ => Err(Error::config(format!("the token URL answered {}", status.as_u16()))),
        }
    }
}

/// Some issuers write `expires_in` as text (NetSuite, SAP), or in milliseconds (older Adobe IMS), or leave out
/// `token_type`.
fn mend(body: &mut Value) {
    const TOO_LONG_FOR_SECONDS: u64 = 10_000_000;
    let Some(object) = body.as_object_mut() else { return };
    object.entry("token_type").or_insert_with(|| Value::from("bearer"));
    if let Some(life) = object.get("expires_in") {
        let seconds = life.as_u64().or_else(|| life.as_str()?.trim().parse().ok());
        match seconds {
            Some(millis) if millis > TOO_LONG_FOR_SECONDS => {
                object.insert("expires_in".into(), Value::from(millis / 1000));
            }
            Some(seconds) => {
                object.insert("expires_in".into(), Value::from(seconds));
            }
            None => {
                object.remove("expires_in");
            }
        }
    }
}

/// Our error, in the shape that the `oauth2` crate wants.
#[derive(Debug)]
struct BridgeError(Error);

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for BridgeError {}

impl<'c> AsyncHttpClient<'c> for Bridge<'_> {
    type Error = BridgeError;
    type Future = BoxFuture<'c, Result<HttpResponse, BridgeError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        async move {
            let (parts, body) = request.into_parts();
            let mut sent = Request::new(parts.method, self.0.url.clone());
            sent.headers = parts.headers;
            if self.0.config.client_id.is_none() {
                // The crate always writes a client id; without one it would be an empty field.
                sent.body = without_empty_client_id(&body).into();
            } else {
                sent.body = body.into();
            }
            let response = self.exchange(sent).await.map_err(BridgeError)?;
            let mut answer = HttpResponse::new(response.body.to_vec());
            *answer.status_mut() =
                if response.status.is_success() { StatusCode::OK } else { response.status };
            if let Some(kind) = response.headers.get(CONTENT_TYPE) {
                answer.headers_mut().insert(CONTENT_TYPE, kind.clone());
            }
            Ok(answer)
        }
        .boxed()
    }
}

fn without_empty_client_id(form: &[u8]) -> Vec<u8> {
    let pairs: Vec<&[u8]> = form.split(|b| *b == b'&').filter(|pair| *pair != b"client_id=").collect();
    pairs.join(&b'&')
}

fn refused(error: BasicRequestTokenError<BridgeError>) -> Error {
    match error {
        RequestTokenError::Request(BridgeError(error)) => error,
        RequestTokenError::ServerResponse(answer) => {
            let code = redact::cut(&redact::text(answer.error().as_ref()), CODE_MAX);
            let mut upstream = Upstream::default().with_code(code.clone());
            if let Some(text) = answer.error_description() {
                upstream = upstream.with_message(redact::text(text));
            }
            Error::new(ErrorKind::Auth, format!("the token issuer refused: {code}")).with_upstream(upstream)
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => unreadable(),
    }
}

fn unreadable() -> Error {
    Error::malformed("the token issuer's answer holds no token")
}
