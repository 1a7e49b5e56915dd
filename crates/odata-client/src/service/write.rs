//! What a write needs and brings.

use super::Entity;
use crate::message::ServiceMessage;
use erp_core::error::{Effect, Error, Result};
use erp_core::id::EntityTag;
use erp_core::time::Timestamp;
use erp_http::{Call, Request, Response, Safety};
use http::StatusCode;
use http::header::{HeaderValue, IF_MATCH};
use std::fmt;

/// On which state a change insists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IfMatch {
    /// On the state that has this tag, sent verbatim.
    Tag(EntityTag),
    /// On any state: `*`. What somebody else changed meanwhile is overwritten.
    Any,
    /// On none: for sets without concurrency control.
    #[default]
    None,
}

impl IfMatch {
    pub(crate) fn header(&self) -> Option<(String, String)> {
        let value = match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Any => "*",
            Self::None => return None,
        };
        // A line break would end the header of a batch's part.
        let value = value.chars().filter(|char| !char.is_control()).collect();
        Some(("If-Match".to_owned(), value))
    }

    pub(crate) fn put_on(&self, mut request: Request) -> Result<Request> {
        let value = match self {
            Self::Tag(tag) => HeaderValue::from_bytes(tag.as_str().as_bytes()),
            Self::Any => Ok(HeaderValue::from_static("*")),
            Self::None => return Ok(request),
        };
        // Leaving the condition out would overwrite somebody's change.
        let value = value.map_err(|_| Error::malformed("the entity's tag fits into no header"))?;
        request.headers.insert(IF_MATCH, value);
        Ok(request)
    }
}

/// What a write brought back. `Debug` shows no values.
#[must_use]
#[non_exhaustive]
pub struct Written<T> {
    /// The entity or result, if the answer had a body.
    pub entity: Option<Entity<T>>,
    /// The new concurrency token, from the header, else from the body. `None`: read the entity again to learn it.
    pub etag: Option<EntityTag>,
    /// Where the new entity is; a link for people, not to be followed.
    pub location: Option<String>,
    /// What the service had to say.
    pub messages: Vec<ServiceMessage>,
    /// The status: 200, 201, 202 or 204.
    pub status: StatusCode,
    /// When the request began.
    pub started: Timestamp,
}

impl<T> Written<T> {
    /// The entity or result.
    ///
    /// # Errors
    /// `Malformed` with effect `Applied` if the answer had no body.
    pub fn into_entity(self) -> Result<Entity<T>> {
        self.entity.ok_or_else(|| {
            Error::malformed("the work is done, and the answer has no body").with_effect(Effect::Applied)
        })
    }
}

impl<T> fmt::Debug for Written<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written")
            .field("status", &self.status)
            .field("entity", &self.entity)
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}

/// A good status with a body that cannot be read: JSON was sent by the service, so the work is done; anything else (a
/// login page, a proxy's greeting) proves nothing.
pub(super) fn effect_of_unreadable(call: Call, response: &Response) -> Effect {
    let looks_like_ours = response.body.trim_ascii_start().starts_with(b"{\"d\"");
    match call.safety {
        Safety::Read => Effect::None,
        _ if response.status == StatusCode::CREATED || looks_like_ours => Effect::Applied,
        _ => Effect::Unknown,
    }
}
