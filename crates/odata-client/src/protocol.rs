//! What differs between the versions of OData.

use http::Method;

/// The version that a service speaks. Everything that differs hangs on it: literals, envelope, count, links, tags,
/// errors, the verb of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// OData 2.0, JSON "verbose".
    V2,
}

impl Protocol {
    pub(crate) fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::V2 => &[("dataserviceversion", "2.0"), ("maxdataserviceversion", "2.0")],
        }
    }

    pub(crate) fn count_option(self) -> (&'static str, &'static str) {
        match self {
            Self::V2 => ("$inlinecount", "allpages"),
        }
    }
}

/// How a partial update is said. Both SAP SDKs send `PATCH` for V2; older servers know only `MERGE`, and some proxies
/// let neither through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UpdateVerb {
    /// `PATCH`.
    #[default]
    Patch,
    /// `MERGE`, as OData 2.0 says.
    Merge,
    /// `POST` with `X-HTTP-Method: MERGE`.
    Tunnel,
}

impl UpdateVerb {
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Patch => Method::PATCH,
            Self::Merge => Method::from_bytes(b"MERGE").unwrap_or(Method::PATCH),
            Self::Tunnel => Method::POST,
        }
    }

    pub(crate) fn header(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Tunnel => Some(("x-http-method", "MERGE")),
            Self::Patch | Self::Merge => None,
        }
    }
}
