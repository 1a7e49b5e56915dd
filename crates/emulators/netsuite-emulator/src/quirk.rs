use std::fmt;
use std::str::FromStr;

/// Something that some accounts do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Quirk {
    /// A missing permission looks like a record type that does not exist (NetSweet/netsuite#341).
    PermissionAsNotFound,
    /// A table that the role may not read has no rows (fylein/netsuite-sdk-py#110).
    SilentEmpty,
    /// A second record under an external id is refused as a user error, and not as `DUP_RCRD`.
    DuplicateAsUserError,
    /// A schema comes without its fields at every second time (Airbyte's connector asks again).
    SchemaWithoutFields,
    /// Answers of SuiteQL have column names in capitals (Oracle says that casing may change).
    CapitalColumns,
    /// REST takes the tax codes of an account with legacy tax, against Oracle's word.
    LegacyTaxInRest,
    /// A token's life is said in a number, and not in a text.
    NumberExpiresIn,
    /// A script's error is only a code and a message.
    ShortScriptErrors,
}

impl Quirk {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::PermissionAsNotFound,
        Self::SilentEmpty,
        Self::DuplicateAsUserError,
        Self::SchemaWithoutFields,
        Self::CapitalColumns,
        Self::LegacyTaxInRest,
        Self::NumberExpiresIn,
        Self::ShortScriptErrors,
    ];

    /// Its name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PermissionAsNotFound => "permission-as-not-found",
            Self::SilentEmpty => "silent-empty",
            Self::DuplicateAsUserError => "duplicate-as-user-error",
            Self::SchemaWithoutFields => "schema-without-fields",
            Self::CapitalColumns => "capital-columns",
            Self::LegacyTaxInRest => "legacy-tax-in-rest",
            Self::NumberExpiresIn => "number-expires-in",
            Self::ShortScriptErrors => "short-script-errors",
        }
    }
}

/// A name that is no quirk's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownQuirk(String);

impl fmt::Display for UnknownQuirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Quirk::ALL.iter().map(|quirk| quirk.name()).collect();
        write!(f, "no quirk of NetSuite is called {:?}; there are {}", self.0, names.join(", "))
    }
}

impl std::error::Error for UnknownQuirk {}

impl FromStr for Quirk {
    type Err = UnknownQuirk;

    fn from_str(name: &str) -> Result<Self, UnknownQuirk> {
        Self::ALL.into_iter().find(|quirk| quirk.name() == name).ok_or_else(|| UnknownQuirk(name.to_owned()))
    }
}
