//! What an emulator is made with.

use crate::quirk::Quirk;
use erp_testkit::emulator::ServerOptions;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What an emulator is made with.
#[derive(Clone)]
#[non_exhaustive]
pub struct SapOptions {
    /// The communication user.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The client (mandant); a request that names another is not logged on.
    pub client: String,
    /// Where the state is journalled; `None` keeps it in memory.
    pub path: Option<PathBuf>,
    /// Peculiarities.
    pub quirks: BTreeSet<Quirk>,
    /// How many rows one page holds.
    pub page_size: usize,
    /// How long a session lives without a request.
    pub session_life: Duration,
    /// What the answers' times are drawn from.
    pub seed: u64,
    /// Clock, faults and port.
    pub server: ServerOptions,
}

impl Default for SapOptions {
    fn default() -> Self {
        Self {
            user: "SYNC_USER".to_owned(),
            password: "emulated".to_owned(),
            client: "100".to_owned(),
            path: None,
            quirks: BTreeSet::new(),
            page_size: 1000,
            session_life: Duration::from_secs(30 * 60),
            seed: 1,
            server: ServerOptions::new(),
        }
    }
}

impl SapOptions {
    /// In memory, without quirks, on the machine's time.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With these credentials.
    #[must_use]
    pub fn with_user(mut self, user: &str, password: &str) -> Self {
        (self.user, self.password) = (user.to_owned(), password.to_owned());
        self
    }

    /// With its state in this file.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// With a peculiarity.
    #[must_use]
    pub fn with_quirk(mut self, quirk: Quirk) -> Self {
        self.quirks.insert(quirk);
        self
    }

    /// With pages of this many rows.
    #[must_use]
    pub fn with_page_size(mut self, rows: usize) -> Self {
        self.page_size = rows.max(1);
        self
    }

    /// With sessions that end after this long without a request.
    #[must_use]
    pub fn with_session_life(mut self, life: Duration) -> Self {
        self.session_life = life;
        self
    }

    /// With other answer times.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// With this clock, these faults, this port.
    #[must_use]
    pub fn with_server(mut self, server: ServerOptions) -> Self {
        self.server = server;
        self
    }
}

impl fmt::Debug for SapOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SapOptions")
            .field("user", &self.user)
            .field("path", &self.path)
            .field("quirks", &self.quirks)
            .finish_non_exhaustive()
    }
}
