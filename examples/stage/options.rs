//! What the command line says.

use super::Trouble;
use std::path::PathBuf;

/// The command line.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where everything is kept.
    pub dir: PathBuf,
    /// Whether what is there is thrown away.
    pub fresh: bool,
    /// How something is falsified behind the engine's back.
    pub broken: Option<String>,
    /// Hour and minute at which the process kills itself.
    pub kill_at: Option<(i8, i8)>,
    /// Hour and minute at which the ledger is copied, and where to.
    pub save_ledger: Option<((i8, i8), PathBuf)>,
}

impl Options {
    /// Reads the command line of the example `name`, whose systems can be falsified in these `ways`.
    ///
    /// # Errors
    /// What is wrong with it, and what it may be.
    pub fn from_args(name: &str, ways: &[&str]) -> Result<Self, Trouble> {
        let usage = format!(
            "{name} [--dir D] [--fresh] [--break {}] [--kill-at HH:MM] [--save-ledger-at HH:MM FILE]",
            ways.join("|")
        );
        let mut options = Self {
            dir: std::env::temp_dir().join(name),
            fresh: false,
            broken: None,
            kill_at: None,
            save_ledger: None,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value; {usage}"));
            match arg.as_str() {
                "--dir" => options.dir = value()?.into(),
                "--fresh" => options.fresh = true,
                "--break" => {
                    let way = value()?;
                    if !ways.contains(&way.as_str()) {
                        return Err(format!("--break {way}? {usage}").into());
                    }
                    options.broken = Some(way);
                }
                "--kill-at" => options.kill_at = Some(time(&value()?)?),
                "--save-ledger-at" => options.save_ledger = Some((time(&value()?)?, value()?.into())),
                other => return Err(format!("{other}? {usage}").into()),
            }
        }
        Ok(options)
    }

    /// Makes the directory, without what a day that ended has left there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn prepare(&self) -> Result<(), Trouble> {
        if self.fresh || self.dir.join("finished").exists() {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
        Ok(std::fs::create_dir_all(&self.dir)?)
    }
}

fn time(text: &str) -> Result<(i8, i8), Trouble> {
    let (hour, minute) = text.split_once(':').ok_or_else(|| format!("{text:?} is no HH:MM"))?;
    Ok((hour.parse()?, minute.parse()?))
}
