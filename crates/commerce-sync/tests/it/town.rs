//! The built program against a shop and an SAP that another process of it emulates.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_commerce-sync");
/// How long a line is waited for: far longer than any machine needs, so that a hang fails and slowness does not.
const PATIENCE: Duration = Duration::from_secs(300);

/// A process whose lines are read as they come; it dies with this.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn start(dir: &Path, args: &[&str]) -> Self {
        let mut child = command(dir, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        for stream in [Box::new(out) as Box<dyn std::io::Read + Send>, Box::new(err)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Self { child, lines }
    }

    /// All lines until one that contains `text`.
    pub(crate) fn until(&self, text: &str) -> Vec<String> {
        let mut seen = self.through(text);
        seen.pop();
        seen
    }

    /// The first line that contains `text`.
    pub(crate) fn line(&self, text: &str) -> String {
        self.through(text).pop().unwrap_or_default()
    }

    fn through(&self, text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => {
                    seen.push(line);
                    return seen;
                }
                Ok(line) => seen.push(line),
                Err(why) => panic!("{text:?} never came ({why}); there was {seen:#?}"),
            }
        }
    }

    /// Asks it to end, as a service manager does, and gives its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).current_dir(dir).stdin(Stdio::null());
    for name in ["COMMERCE_SYNC_WHO", "USER", "LOGNAME", "USERNAME"] {
        command.env_remove(name);
    }
    command
}

/// What a run of the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Fails unless it ended well.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        self.out
    }

    /// Fails unless it ended with `code` and one line that has all of `parts`.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{self:#?}");
        assert_eq!(self.err.trim_end().lines().count(), 1, "{self:#?}");
        for part in parts {
            assert!(self.err.contains(part), "{part:?} in {self:#?}");
        }
    }
}

/// Runs the program to its end.
pub(crate) fn sync(dir: &Path, args: &[&str]) -> Said {
    let mut child = command(dir, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut err = String::new();
    let mut stderr = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        (out, child.wait().unwrap().code().unwrap_or(-1))
    });
    stderr.read_to_string(&mut err).unwrap();
    let (out, code) = reader.join().unwrap();
    Said { code, out, err }
}

/// Emulated systems, and a folder with a config that reaches them.
pub(crate) struct Town {
    dir: tempfile::TempDir,
    _emulators: Running,
    /// What `emulate` said until it served.
    pub(crate) said: Vec<String>,
}

impl Town {
    /// A shop with some orders, one of which must be held. Only orders flow: the catalogue takes long without optimisation.
    pub(crate) fn with_orders(orders: usize) -> Self {
        Self::with(orders, &[])
    }

    /// As [`with_orders`](Self::with_orders), with more words for `emulate`.
    pub(crate) fn with(orders: usize, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let orders = orders.to_string();
        let mut args =
            vec!["emulate", "--pace", "0", "--orders", &orders, "--config-out", "commerce-sync.toml"];
        args.extend(more);
        let emulators = Running::start(dir.path(), &args);
        let said = emulators.until("in another shell");
        let config = dir.path().join("commerce-sync.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let (orders_only, _) = text.split_once("[flows.stock]").unwrap();
        std::fs::write(&config, orders_only).unwrap();
        Self { dir, _emulators: emulators, said }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn sync(&self, args: &[&str]) -> Said {
        sync(self.dir.path(), args)
    }

    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running::start(self.dir.path(), args)
    }

    /// What a verb says with `--json`, one value a line.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Vec<Value> {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let said = self.sync(&args);
        said.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line} of {args:?}")))
            .collect()
    }
}
