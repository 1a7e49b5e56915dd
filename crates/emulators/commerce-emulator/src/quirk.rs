//! The quirks that the emulator can be told to have, each by the name of the report that describes it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

macro_rules! quirks {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// One known oddity of some Commerce release. None is on unless asked for, except [`Quirk::BearerOff`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Quirk {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Quirk {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name, as the command line takes it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it does, in a sentence.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim(),)+ }
            }
        }
    };
}

quirks! {
    /// A page past the end repeats the last page instead of being empty (up to 2.3).
    RepeatsLastPage = "magento2-3787",
    /// Rows that tie in the sort, or are not sorted at all, come in another order at every request.
    UnstableSort = "magento2-25001",
    /// The child row of a configurable repeats the money of its parent.
    ChildPrice = "magento2-22562",
    /// An integration's access token is not accepted as a bearer (the default since 2.4.4).
    BearerOff = "bearer-off",
    /// A comment without `status` sets the order's status to null (up to 2.4.6).
    CommentBlanksStatus = "magento2-34180",
    /// A comment whose status does not belong to the order's state is refused (2.4.7).
    CommentStatusRefused = "magento2-38659",
    /// Signatures are checked over a path whose reserved octets were decoded, with naturally sorted parameters (2.4.4 to 2.4.6).
    OauthLaminas = "oauth-laminas",
    /// Signatures are checked over doubly encoded parameter values, naturally sorted (some builds of 2024).
    OauthDoubleEncoded = "oauth-double-encoded",
    /// `fields=` that names no field of the answer also turns the body into `[]`, not only one with a forbidden character.
    FieldsEmptyArray = "fields-empty-array",
    /// Input limiting is on: 20 array items, pages of at most 300, 20 by default (2.4.3 as shipped).
    InputLimit20 = "input-limit-20",
    /// The child row of a configurable carries its SKU in capital letters, unlike its parent row.
    ChildSkuUpper = "child-sku-upper",
    /// Every seventh order becomes visible 90 seconds late, with the earlier id and times of its placing.
    LateCommit = "late-commit",
    /// `POST orders` on an existing order without `increment_id` gives the order a new number (2.3.1).
    IncrementRegenerated = "magento2-32397",
    /// `POST orders` with `items` replaces all rows by those given (before 2.4.1).
    ItemsOverwritten = "magento2-22431",
    /// `POST orders` insists on everything that the published schema marks as required.
    StrictOrderSave = "strict-order-save",
    /// A source code in the wrong letter case is accepted and makes a ghost source.
    GhostSource = "magento2-33181",
}

impl FromStr for Quirk {
    type Err = UnknownQuirk;

    fn from_str(name: &str) -> Result<Self, UnknownQuirk> {
        Self::ALL
            .iter()
            .copied()
            .find(|quirk| quirk.name() == name)
            .ok_or_else(|| UnknownQuirk(name.chars().take(40).collect()))
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No quirk has this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownQuirk(String);

impl fmt::Display for UnknownQuirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no quirk is called {:?}; there are", self.0)?;
        Quirk::ALL.iter().try_for_each(|quirk| write!(f, " {quirk}"))
    }
}

impl std::error::Error for UnknownQuirk {}

/// The quirks that are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quirks(BTreeSet<Quirk>);

impl Default for Quirks {
    fn default() -> Self {
        Self(BTreeSet::from([Quirk::BearerOff]))
    }
}

impl Quirks {
    /// As a current release is installed: bearer off, nothing else.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Turns one on.
    #[must_use]
    pub fn with(mut self, quirk: Quirk) -> Self {
        self.0.insert(quirk);
        self
    }

    /// Turns one off.
    #[must_use]
    pub fn without(mut self, quirk: Quirk) -> Self {
        self.0.remove(&quirk);
        self
    }

    /// Whether it is on.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.0.contains(&quirk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_unknown_ones_listed() {
        for quirk in Quirk::ALL {
            assert_eq!(quirk.name().parse::<Quirk>().unwrap(), *quirk);
            assert!(quirk.about().ends_with('.'), "{quirk}");
        }
        let text = "magento2-1".parse::<Quirk>().unwrap_err().to_string();
        assert!(text.contains("magento2-3787") && text.contains("\"magento2-1\""));
    }
}
