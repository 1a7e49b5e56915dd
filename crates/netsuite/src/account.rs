//! Which account, and where it is reached.

use erp_core::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use url::Url;

/// A NetSuite account: `1234567`, its sandbox `1234567_SB1`, its release preview `1234567_RP`, or a test drive.
///
/// It is written in two ways: in capitals with an underscore as the *realm* of a signature, in small letters with a hyphen
/// in a host name. Either is read, and whatever could lead a signed request to another host is refused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// Reads an account id.
    ///
    /// # Errors
    /// `Config` unless it is letters and digits, with at most one underscore or hyphen before a suffix.
    pub fn new(text: &str) -> Result<Self> {
        let text = text.trim();
        let mut parts = text.splitn(2, ['_', '-']);
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        let good = parts.next().is_some_and(plain) && parts.next().is_none_or(plain) && text.len() <= 64;
        if !good {
            return Err(Error::config(format!(
                "account = {text:?} is no account id; copy it from Setup > Company > Company Information: 1234567 or 1234567_SB1"
            )));
        }
        Ok(Self(text.to_uppercase().replace('-', "_")))
    }

    /// As signatures and SOAP want it: `1234567_SB1`.
    pub fn realm(&self) -> &str {
        &self.0
    }

    /// As host names want it: `1234567-sb1`.
    pub fn host_label(&self) -> String {
        self.0.to_lowercase().replace('_', "-")
    }

    /// Whether its suffix says that it is a sandbox or a release preview.
    pub fn is_trial(&self) -> bool {
        self.0.split_once('_').is_some_and(|(_, suffix)| suffix.starts_with("SB") || suffix.starts_with("RP"))
            || self.0.starts_with("TSTDRV")
    }

    /// Whether it is a release preview, where the next release can be tried before it comes.
    pub fn is_release_preview(&self) -> bool {
        self.0.split_once('_').is_some_and(|(_, suffix)| suffix.starts_with("RP"))
    }
}

impl TryFrom<String> for AccountId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(&text)
    }
}

impl From<AccountId> for String {
    fn from(account: AccountId) -> Self {
        account.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hosts of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hosts {
    /// REST records, SuiteQL, tokens, SOAP.
    pub(crate) suitetalk: String,
    /// RESTlets and token information.
    pub(crate) restlets: String,
}

impl Hosts {
    /// The account's own domains; `base_url` and `restlets_url` win over them, as Oracle wants domains to be configurable.
    pub(crate) fn of(account: &AccountId, base_url: Option<&str>, restlets_url: Option<&str>) -> Self {
        let label = account.host_label();
        let suitetalk = base_url.map_or_else(
            || format!("https://{label}.suitetalk.api.netsuite.com"),
            |url| url.trim_end_matches('/').to_owned(),
        );
        let restlets = match (restlets_url, base_url) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, None) => format!("https://{label}.restlets.api.netsuite.com"),
            // One host for both, as emulators and proxies have it, unless the domain says otherwise.
            (None, Some(_)) => suitetalk.replacen(".suitetalk.api.", ".restlets.api.", 1),
        };
        Self { suitetalk, restlets }
    }

    /// Whether the hosts belong to the account, as far as their names tell; `None` for hosts that are not NetSuite's.
    pub(crate) fn agrees(&self, account: &AccountId) -> Option<bool> {
        let told = [&self.suitetalk, &self.restlets].into_iter().filter_map(|url| {
            let url = Url::parse(url).ok()?;
            let (label, _) = url.host_str()?.strip_suffix(".api.netsuite.com")?.split_once('.')?;
            Some(label == account.host_label())
        });
        told.reduce(|one, other| one && other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realm_and_host_are_spelled_differently() {
        for text in ["1234567_SB1", "1234567-sb1", " 1234567_sb1 "] {
            let account = AccountId::new(text).unwrap();
            assert_eq!((account.realm(), account.host_label().as_str()), ("1234567_SB1", "1234567-sb1"));
        }
        assert_eq!(AccountId::new("TSTDRV1234567").unwrap().host_label(), "tstdrv1234567");
        assert!(AccountId::new("1234567_RP").unwrap().is_release_preview());
        assert!(!AccountId::new("1234567").unwrap().is_trial());
    }

    #[test]
    fn an_id_that_could_steer_elsewhere_is_refused() {
        for bad in ["", "evil.example/", "1@evil", "1#x", "1?x", "a.b", "1_2_3", "_SB1", "1_", "1 2", "1\n"] {
            let shown = AccountId::new(bad).map(|account| account.host_label());
            assert!(shown.as_ref().is_err() || bad.trim() != bad, "{bad:?} gave {shown:?}");
        }
        assert!(AccountId::new("evil.example/x").unwrap_err().message().contains("Company Information"));
    }

    #[test]
    fn hosts_follow_the_account_and_may_be_overruled() {
        let account = AccountId::new("1234567_SB1").unwrap();
        let own = Hosts::of(&account, None, None);
        assert_eq!(own.suitetalk, "https://1234567-sb1.suitetalk.api.netsuite.com");
        assert_eq!(own.restlets, "https://1234567-sb1.restlets.api.netsuite.com");
        assert_eq!(own.agrees(&account), Some(true));
        assert_eq!(own.agrees(&AccountId::new("1234567").unwrap()), Some(false));
        let strange = Hosts::of(&account, None, Some("https://7654321.restlets.api.netsuite.com"));
        assert_eq!(strange.agrees(&account), Some(false), "RESTlets are sent the same credentials");
        let given = Hosts::of(&account, Some("https://1234567-sb1.suitetalk.api.netsuite.com/"), None);
        assert_eq!(given, own);
        let local = Hosts::of(&account, Some("http://127.0.0.1:8080"), None);
        assert_eq!((local.restlets.as_str(), local.agrees(&account)), ("http://127.0.0.1:8080", None));
    }
}
