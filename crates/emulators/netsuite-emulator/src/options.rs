use crate::quirk::Quirk;
use erp_testkit::emulator::ServerOptions;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What an account is made with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NetsuiteOptions {
    /// The server: its clock, its faults, its port.
    pub server: ServerOptions,
    /// The journal; without it the account ends with the process.
    pub path: Option<PathBuf>,
    /// The account id.
    pub account: String,
    /// What it does differently.
    pub quirks: BTreeSet<Quirk>,
}

impl Default for NetsuiteOptions {
    fn default() -> Self {
        Self {
            server: ServerOptions::new(),
            path: None,
            account: "1234567_SB1".to_owned(),
            quirks: BTreeSet::new(),
        }
    }
}

impl NetsuiteOptions {
    /// A sandbox in memory, on any port.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With this clock, these faults, this port.
    #[must_use]
    pub fn with_server(mut self, server: ServerOptions) -> Self {
        self.server = server;
        self
    }

    /// Journalled in this file.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Under this account id.
    #[must_use]
    pub fn with_account(mut self, account: impl Into<String>) -> Self {
        self.account = account.into();
        self
    }

    /// With something that some accounts do differently.
    #[must_use]
    pub fn with_quirk(mut self, quirk: Quirk) -> Self {
        self.quirks.insert(quirk);
        self
    }
}
