//! The config file: what it says, and that it says nothing else.
//!
//! Paths in it, of the ledger and of secrets, are relative to its own folder.

mod flow;
mod near;
mod section;
mod system;

pub use flow::{FlowConfig, Moves};
pub use near::{hint, nearest};
pub use system::{Product, SystemConfig};

use crate::fail::Failure;
use section::Section;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// A whole config.
#[derive(Debug)]
#[non_exhaustive]
pub struct Config {
    /// The file.
    pub file: PathBuf,
    /// The ledger's file.
    pub ledger: PathBuf,
    /// Where announcements are taken, as `127.0.0.1:8787`.
    pub listen: Option<String>,
    /// The systems by name.
    pub systems: BTreeMap<String, SystemConfig>,
    /// The flows by name.
    pub flows: BTreeMap<String, FlowConfig>,
}

impl Config {
    /// Reads and checks a file. Secrets are looked for, and nothing is sent.
    ///
    /// # Errors
    /// One line with file, key and remedy; exit code 2.
    pub fn load(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "is not there; name another with --config, or try: commerce-sync emulate".to_owned()
                }
                _ => format!("cannot be read: {error}"),
            };
            Failure::usage(format!("{} {why}", file.display()))
        })?;
        Self::parse(file, &text).map_err(|failure| failure.at(file.display()))
    }

    fn parse(file: &Path, text: &str) -> Result<Self, Failure> {
        // The parser's own text quotes the line, and a line may hold a secret.
        let table: Table = toml::from_str(text).map_err(|error: toml::de::Error| {
            let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            Failure::usage(format!("{line}this is no TOML: {}", system::without_quotes(error.message())))
        })?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        let mut root = Section::root(table);
        let ledger = Self::ledger(&mut root, folder)?;
        let listen = Self::listen(&mut root)?;
        let systems = named(&mut root, "systems")?;
        let flows = named(&mut root, "flows")?;
        root.done()?;
        let mut read = BTreeMap::new();
        for (name, value) in flows {
            let flow = FlowConfig::read(&name, Section::new(format!("flows.{name}"), value)?)?;
            read.insert(name, flow);
        }
        let mut config =
            Self { file: file.to_owned(), ledger, listen, systems: BTreeMap::new(), flows: read };
        for (name, value) in systems {
            let guests = config.guests_of(&name)?;
            let section = Section::new(format!("systems.{name}"), value)?;
            let system = SystemConfig::read(&name, section, guests, folder)?;
            config.systems.insert(name, system);
        }
        config.flows.values().try_for_each(|flow| config.check_ends(flow))?;
        Ok(config)
    }

    fn ledger(root: &mut Section, folder: &Path) -> Result<PathBuf, Failure> {
        let Some(mut section) = root.section("ledger")? else {
            return Err(Failure::usage("[ledger] is missing; say path = \"sync.db\" in it"));
        };
        if section.has("url") {
            return Err(
                section.bad("url", "ledgers in a database server are not built yet; use path = \"sync.db\"")
            );
        }
        let path = section.need("path", "\"sync.db\"")?;
        section.done()?;
        Ok(folder.join(path))
    }

    fn listen(root: &mut Section) -> Result<Option<String>, Failure> {
        let Some(mut section) = root.section("server")? else { return Ok(None) };
        let listen = section.need("listen", "\"127.0.0.1:8787\"")?;
        if listen.parse::<std::net::SocketAddr>().is_err() {
            let text = format!("{listen:?} is no address with a port; write it as 127.0.0.1:8787");
            return Err(section.bad("listen", text));
        }
        section.done()?;
        Ok(Some(listen))
    }

    /// What the flows into a system say about guests: it is one setting of the system.
    fn guests_of(&self, system: &str) -> Result<Option<(String, String)>, Failure> {
        let mut found: Option<(String, String)> = None;
        for flow in self.flows.values().filter(|flow| flow.to == system) {
            let Some(guests) = &flow.guests else { continue };
            match &found {
                Some((first, other)) if other != guests => {
                    return Err(Failure::usage(format!(
                        "flows.{}.guests: {guests:?} contradicts flows.{first}.guests = {other:?}; {system} has one way with guests",
                        flow.name
                    )));
                }
                _ => found = Some((flow.name.clone(), guests.clone())),
            }
        }
        Ok(found)
    }

    fn check_ends(&self, flow: &FlowConfig) -> Result<(), Failure> {
        let end = |key: &str, name: &str| {
            let known: Vec<&str> = self.systems.keys().map(String::as_str).collect();
            self.systems.get(name).ok_or_else(|| {
                let hint = if known.is_empty() { String::new() } else { hint(name, known) };
                Failure::usage(format!("flows.{}.{key}: there is no [systems.{name}]{hint}", flow.name))
            })
        };
        let (from, to) = (end("from", &flow.from)?, end("to", &flow.to)?);
        if from.environment() != to.environment() {
            return Err(Failure::usage(format!(
                "flows.{}: {} is {} and {} is {}; sandbox and live never mix, make environment the same in both",
                flow.name,
                from.name,
                from.environment(),
                to.name,
                to.environment()
            )));
        }
        Ok(())
    }

    /// Refuses what would write to a live system that the config does not allow to be written to.
    ///
    /// # Errors
    /// With the flow and the remedy; exit code 2.
    pub fn check_writable(&self) -> Result<(), Failure> {
        self.flows.values().try_for_each(|flow| {
            let writable = self.system(&flow.to).and_then(SystemConfig::check_writable);
            writable.map_err(|failure| failure.at(format_args!("flows.{}", flow.name)))
        })
    }

    /// A system by its name.
    ///
    /// # Errors
    /// If there is none, with the nearest that there is.
    pub fn system(&self, name: &str) -> Result<&SystemConfig, Failure> {
        self.systems.get(name).ok_or_else(|| {
            let hint = hint(name, self.systems.keys().map(String::as_str).collect::<Vec<_>>());
            Failure::usage(format!("{}: there is no system {name}{hint}", self.file.display()))
        })
    }

    /// A flow by its name.
    ///
    /// # Errors
    /// If there is none, with the nearest that there is.
    pub fn flow(&self, name: &str) -> Result<&FlowConfig, Failure> {
        self.flows.get(name).ok_or_else(|| {
            let hint = hint(name, self.flows.keys().map(String::as_str).collect::<Vec<_>>());
            Failure::usage(format!("{}: there is no flow {name}{hint}", self.file.display()))
        })
    }
}

fn named(root: &mut Section, key: &'static str) -> Result<Table, Failure> {
    match root.take(key) {
        None => Ok(Table::new()),
        Some(Value::Table(table)) => Ok(table),
        Some(other) => {
            let kind = section::kind(&other);
            Err(root.bad(key, format_args!("must be tables such as [{key}.shop], and is a {kind}")))
        }
    }
}
