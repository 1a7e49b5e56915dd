//! How a shop is logged in to.
use crate::config::{AuthConfig, CommerceConfig};
use async_trait::async_trait;
use erp_core::error::Result;
use erp_http::{Authorize, Request};
use std::sync::Arc;

impl AuthConfig {
    /// TEMP
    pub fn bearer(token: impl Into<String>) -> Self {
        Self::Bearer { token: token.into() }
    }
    pub(crate) fn is_bearer(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Temp(String);

#[async_trait]
impl Authorize for Temp {
    async fn authorize(&self, request: &mut Request) -> Result<()> {
        *request = request.clone().with_header(http::header::AUTHORIZATION, &format!("Bearer {}", self.0));
        Ok(())
    }
}

pub(crate) fn authorize(config: &CommerceConfig) -> Result<Arc<dyn Authorize>> {
    let AuthConfig::Bearer { token } = &config.auth;
    Ok(Arc::new(Temp(token.clone())))
}
