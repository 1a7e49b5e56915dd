//! Who may do what with a service.

/// What the communication user may do with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Everything.
    Granted,
    /// Reading: writes are answered with 403.
    ReadOnly,
    /// Nothing: 403 naming the service.
    Forbidden,
    /// The service is not activated: 404 with SAP's code for it.
    NotActivated,
}

impl Access {
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "read-only" => Self::ReadOnly,
            "forbidden" => Self::Forbidden,
            "not-activated" => Self::NotActivated,
            _ => Self::Granted,
        }
    }

    pub(crate) fn store(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::ReadOnly => "read-only",
            Self::Forbidden => "forbidden",
            Self::NotActivated => "not-activated",
        }
    }
}
