//! RESTlets: scripts of the account's own, called with the same log-on.
//!
//! They share the account's concurrent requests with everything else. What they answer is the script's own affair: a 200
//! may well carry an error that the script caught, so agree on an envelope. An uncaught error is a 400, and so is a call too
//! many; the two are told apart by their codes (Oracle's online help, section 4634920277). OAuth 2.0 needs the scope
//! `restlets`.

use crate::client::{NetsuiteClient, RESTLET_PATH};
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_http::{Call, Request, Response};
use http::Method;
use http::header::ACCEPT;
use std::fmt;
use url::Url;

/// A script and its deployment, with parameters of its own, of which `Debug` shows the names only.
#[derive(Clone, PartialEq, Eq)]
pub struct Restlet {
    parameters: Vec<(String, String)>,
}

impl fmt::Debug for Restlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (own, more) = self.parameters.split_at(self.parameters.len().min(2));
        let own = own.iter().map(|(name, value)| format!("{name}={value}"));
        f.debug_list().entries(own.chain(more.iter().map(|(name, _)| name.clone()))).finish()
    }
}

impl Restlet {
    /// By id: the number or the script id (`customscript_x`, `customdeploy_x`).
    pub fn new(script: impl Into<String>, deploy: impl Into<String>) -> Self {
        Self { parameters: vec![("script".to_owned(), script.into()), ("deploy".to_owned(), deploy.into())] }
    }

    /// With a parameter of the script's own.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    fn url(&self, host: &str) -> Result<Url> {
        let mut url = Url::parse(&format!("{host}{RESTLET_PATH}"))
            .map_err(|e| Error::config(format!("restlets_url cannot be read: {e}")))?;
        let own = |name: &str| ["script", "deploy"].iter().any(|own| name.eq_ignore_ascii_case(own));
        if self.parameters.iter().skip(2).any(|(name, _)| own(name)) {
            let text =
                "a parameter of the script's own is called script or deploy, which name the script itself";
            return Err(Error::invalid("parameters", "netsuite.restlet_parameter", text));
        }
        // Blanks as %20: a + would be signed as one thing and read as another.
        let encode = erp_http::auth::oauth1::encode;
        let pairs: Vec<String> = self
            .parameters
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        url.set_query(Some(&pairs.join("&")));
        Ok(url)
    }
}

impl NetsuiteClient {
    /// Asks a RESTlet by GET.
    ///
    /// # Errors
    /// The connector's own classification of the answer: `Throttled` for a call too many, `Invalid` for a script's error, or
    /// for a parameter that is called `script` or `deploy`.
    pub async fn restlet_get(&self, cx: &Context, restlet: &Restlet) -> Result<Response> {
        let request =
            Request::get(restlet.url(&self.0.hosts.restlets)?).with_header(ACCEPT, "application/json");
        self.0.http.execute(cx, self.read_call("netsuite.restlet"), request).await
    }

    /// Sends JSON to a RESTlet by POST. It is never repeated, unless the account had no room for the call.
    ///
    /// # Errors
    /// As [`restlet_get`](NetsuiteClient::restlet_get). A lost answer has effect `Unknown`, and so has a script's error: it
    /// may have written before it failed.
    pub async fn restlet_post(
        &self,
        cx: &Context,
        restlet: &Restlet,
        body: &serde_json::Value,
    ) -> Result<Response> {
        let request = Request::new(Method::POST, restlet.url(&self.0.hosts.restlets)?)
            .with_header(ACCEPT, "application/json")
            .with_json(body.to_string());
        let call = Call::once("netsuite.restlet").with_timeout(self.config().write_timeout);
        let told = self.0.http.execute(cx, call, request).await;
        told.map_err(|error| if may_have_run(&error) { error.with_effect(Effect::Unknown) } else { error })
    }
}

/// Whether an error may be the script's own, and not of what stands before it.
fn may_have_run(error: &Error) -> bool {
    let before = matches!(error.kind(), ErrorKind::Throttled | ErrorKind::Auth | ErrorKind::Unsupported);
    !before && error.upstream().is_some_and(|upstream| upstream.code.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOST: &str = "https://1234567.restlets.api.netsuite.com";

    proptest! {
        /// Whatever name and value: one parameter more, which is read as it was given.
        #[test]
        fn a_parameter_cannot_be_more_than_one(name in any::<String>(), value in any::<String>()) {
            let restlet = Restlet::new("customscript_x", "1").with(name.as_str(), value.as_str());
            let Ok(url) = restlet.url(HOST) else { return Err(TestCaseError::reject("the script's own name")) };
            let read: Vec<_> = url.query_pairs().into_owned().collect();
            let given = [("script", "customscript_x"), ("deploy", "1"), (&*name, &*value)];
            prop_assert_eq!(read, given.map(|(name, value)| (name.to_owned(), value.to_owned())));
            prop_assert_eq!((url.path(), url.fragment()), (RESTLET_PATH, None));
        }
    }

    /// Of two scripts in one address nobody knows which is called.
    #[test]
    fn a_script_is_named_once() {
        for name in ["script", "deploy", "Script"] {
            let refused = Restlet::new("customscript_x", "1").with(name, "customscript_y").url(HOST);
            assert_eq!(refused.unwrap_err().fields()[0].code, "netsuite.restlet_parameter", "{name}");
        }
    }

    #[test]
    fn the_url_is_the_one_that_is_signed() {
        let restlet = Restlet::new("customscript_stock", "1").with("sku", "a b+c");
        let url = restlet.url("https://1234567.restlets.api.netsuite.com").unwrap();
        assert_eq!(
            url.as_str(),
            "https://1234567.restlets.api.netsuite.com/app/site/hosting/restlet.nl?script=customscript_stock&deploy=1&sku=a%20b%2Bc"
        );
    }
}
