//! Peculiarities that some installations show and others do not, switched on by name.

use std::fmt;
use std::str::FromStr;

/// A peculiarity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Quirk {
    /// `sap-csrf-cookie-lost`: the load balancer loses a session after three writes; the next write gets 403.
    CsrfCookieLost,
    /// `sap-head-refused`: HEAD is answered with 405, so a token has to be fetched with GET.
    HeadRefused,
    /// `sap-links-foreign-host`: `__next`, `uri` and `Location` name an inner host instead of the one asked.
    LinksForeignHost,
    /// `sap-decimal-exponent`: decimals below one thousandth are written as `"1e-14"`.
    DecimalExponent,
    /// `sap-v1-envelope`: collections come as `{"d":[…]}`.
    V1Envelope,
    /// `sap-results-envelope`: a created entity comes as `{"d":{"results":{…}}}`.
    ResultsEnvelope,
    /// `sap-count-number`: `__count` is a number instead of a string.
    CountNumber,
    /// `sap-changeset-error-multipart`: a failed change set is a multipart with one error part instead of a bare part.
    ChangesetErrorMultipart,
    /// `sap-batch-continues`: parts after a failed change set are answered although nobody asked to go on.
    BatchContinues,
    /// `sap-quoted-boundary-response`: the boundary of a batch answer is quoted.
    QuotedBoundaryResponse,
    /// `sap-lock-after-create`: for five seconds after a create, a workflow of SAP's own holds the order.
    LockAfterCreate,
    /// `sap-lock-423`: a locked document is answered with 423 instead of 400.
    Lock423,
    /// `sap-localised-csrf-text`: the 403 for a lost session says so in another language.
    LocalisedCsrfText,
    /// `sap-if-match-400`: a missing `If-Match` is answered with 400 instead of 428, as older gateways do.
    IfMatch400,
}

impl Quirk {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::CsrfCookieLost,
        Self::HeadRefused,
        Self::LinksForeignHost,
        Self::DecimalExponent,
        Self::V1Envelope,
        Self::ResultsEnvelope,
        Self::CountNumber,
        Self::ChangesetErrorMultipart,
        Self::BatchContinues,
        Self::QuotedBoundaryResponse,
        Self::LockAfterCreate,
        Self::Lock423,
        Self::LocalisedCsrfText,
        Self::IfMatch400,
    ];

    /// Its name, as written in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::CsrfCookieLost => "sap-csrf-cookie-lost",
            Self::HeadRefused => "sap-head-refused",
            Self::LinksForeignHost => "sap-links-foreign-host",
            Self::DecimalExponent => "sap-decimal-exponent",
            Self::V1Envelope => "sap-v1-envelope",
            Self::ResultsEnvelope => "sap-results-envelope",
            Self::CountNumber => "sap-count-number",
            Self::ChangesetErrorMultipart => "sap-changeset-error-multipart",
            Self::BatchContinues => "sap-batch-continues",
            Self::QuotedBoundaryResponse => "sap-quoted-boundary-response",
            Self::LockAfterCreate => "sap-lock-after-create",
            Self::Lock423 => "sap-lock-423",
            Self::LocalisedCsrfText => "sap-localised-csrf-text",
            Self::IfMatch400 => "sap-if-match-400",
        }
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No quirk has this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownQuirk(String);

impl fmt::Display for UnknownQuirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<_> = Quirk::ALL.iter().map(|quirk| quirk.name()).collect();
        write!(f, "no quirk is called {:?}; there are {}", self.0, known.join(", "))
    }
}

impl std::error::Error for UnknownQuirk {}

impl FromStr for Quirk {
    type Err = UnknownQuirk;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|quirk| quirk.name() == text)
            .ok_or_else(|| UnknownQuirk(text.chars().take(60).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_round_trip() {
        let names: std::collections::BTreeSet<_> = Quirk::ALL.iter().map(|quirk| quirk.name()).collect();
        assert_eq!(names.len(), Quirk::ALL.len());
        for quirk in Quirk::ALL {
            assert_eq!(quirk.name().parse::<Quirk>().unwrap(), quirk);
        }
        assert!("sap-nonsense".parse::<Quirk>().unwrap_err().to_string().contains("sap-lock-423"));
    }
}
