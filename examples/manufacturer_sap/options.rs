//! What the command line says.

use crate::Trouble;
use std::path::PathBuf;

/// How SAP is falsified behind the engine's back near the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    LoseOne,
    DuplicateOne,
    SkewACent,
}

/// The command line.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) dir: PathBuf,
    pub(crate) fresh: bool,
    pub(crate) broken: Option<Break>,
    /// Hour and minute at which the process kills itself.
    pub(crate) kill_at: Option<(i8, i8)>,
    /// Hour and minute at which the ledger is copied, and where to.
    pub(crate) save_ledger: Option<((i8, i8), PathBuf)>,
}

const USAGE: &str = "manufacturer_sap [--dir D] [--fresh] [--break lose-one|duplicate-one|skew-a-cent] \
                     [--kill-at HH:MM] [--save-ledger-at HH:MM FILE]";

impl Options {
    pub(crate) fn from_args() -> Result<Self, Trouble> {
        let mut options = Self {
            dir: std::env::temp_dir().join("manufacturer_sap"),
            fresh: false,
            broken: None,
            kill_at: None,
            save_ledger: None,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value; {USAGE}"));
            match arg.as_str() {
                "--dir" => options.dir = value()?.into(),
                "--fresh" => options.fresh = true,
                "--break" => options.broken = Some(way(&value()?)?),
                "--kill-at" => options.kill_at = Some(time(&value()?)?),
                "--save-ledger-at" => options.save_ledger = Some((time(&value()?)?, value()?.into())),
                other => return Err(format!("{other}? {USAGE}").into()),
            }
        }
        Ok(options)
    }
}

fn way(text: &str) -> Result<Break, Trouble> {
    Ok(match text {
        "lose-one" => Break::LoseOne,
        "duplicate-one" => Break::DuplicateOne,
        "skew-a-cent" => Break::SkewACent,
        other => return Err(format!("--break {other}? {USAGE}").into()),
    })
}

fn time(text: &str) -> Result<(i8, i8), Trouble> {
    let (hour, minute) = text.split_once(':').ok_or_else(|| format!("{text:?} is no HH:MM"))?;
    Ok((hour.parse()?, minute.parse()?))
}
