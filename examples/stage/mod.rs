//! What the days on virtual time share: the stage on which emulated systems, the real engine and a script play.

mod options;
mod progress;
mod script;
mod story;
pub mod table;

pub use options::Options;
pub use progress::Progress;
pub use script::{Happening, World, play};
pub use story::{Figures, Story};

use erp_core::time::Clock as _;
use erp_http::transport::{Guarded, NetworkOptions, Transport};
use erp_testkit::clock::VirtualClock;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use sync_engine::{SqliteLedger, SyncEngine};
use tokio::sync::Notify;

/// Anything that keeps a day from being played.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// How long the engine may take to finish what is under way, once the day is over.
const STOP_MAX: Duration = Duration::from_secs(100 * 3600);

/// Plays a day: 0 if all is explained, 3 if not, 1 if it could not be played.
pub fn main<F: Future<Output = Result<u64, Trouble>>>(
    name: &str,
    ways: &[&str],
    day: impl FnOnce(Options) -> F,
) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = Options::from_args(name, ways).and_then(|options| {
        let runtime = runtime?;
        runtime.block_on(day(options))
    });
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(3),
        Err(trouble) => {
            eprintln!("{name}: {trouble}");
            ExitCode::from(1)
        }
    }
}

/// The way to a system: real sockets, over which virtual time must not jump.
///
/// # Errors
/// If the address is none.
pub fn wire(base_url: impl AsRef<str>, clock: &VirtualClock) -> Result<Arc<dyn Transport>, Trouble> {
    let network = NetworkOptions::for_url(&base_url.as_ref().parse()?).connect(clock.shared())?;
    let clock = clock.clone();
    Ok(Arc::new(Guarded::new(network, move || clock.work())))
}

/// The ports at which an earlier process of the same day had its systems; 0 where there was none.
#[must_use]
pub fn ports(dir: &Path) -> [u16; 2] {
    let text = std::fs::read_to_string(dir.join("ports")).unwrap_or_default();
    let mut ports = text.split_whitespace().map(|port| port.parse().unwrap_or(0));
    [ports.next().unwrap_or(0), ports.next().unwrap_or(0)]
}

/// Keeps the systems' ports, so that a later process finds them where they were.
///
/// # Errors
/// If the file cannot be written.
pub fn keep_ports(dir: &Path, urls: [&str; 2]) -> Result<(), Trouble> {
    let ports = urls.map(|url| url.rsplit(':').next().unwrap_or_default());
    Ok(std::fs::write(dir.join("ports"), ports.join(" "))?)
}

/// Dies as by a power cut.
pub fn die() {
    let _ = std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
}

/// Does `work` while time passes as the systems need it.
pub async fn meanwhile<T>(clock: &VirtualClock, ledger: &SqliteLedger, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        // Reading takes no virtual time but what a system needs to answer.
        tokio::select! {
            done = &mut work => return done,
            () = clock.pace(|| ledger.calls_under_way() > 0, clock.now().plus(Duration::from_secs(1))) => {}
        }
    }
}

/// Engine, script and clock at once, until the script is over and the engine has stopped.
///
/// # Errors
/// The script's, the engine's, or that the engine does not stop.
pub async fn live(
    engine: &SyncEngine,
    ledger: &SqliteLedger,
    clock: &VirtualClock,
    script: impl Future<Output = Result<(), Trouble>>,
) -> Result<(), Trouble> {
    let stop = Arc::new(Notify::new());
    let told = Arc::clone(&stop);
    let life = engine.run(async move { told.notified().await });
    tokio::pin!(life, script);
    let mut ends = None;
    loop {
        tokio::select! {
            ended = &mut life => return Ok(ended?),
            done = &mut script, if ends.is_none() => {
                done?;
                ends = Some(clock.now().plus(STOP_MAX));
                stop.notify_one();
            }
            () = clock.pace(|| ledger.calls_under_way() > 0, clock.now().plus(Duration::from_secs(60))) => {
                if ends.is_some_and(|ends| clock.now() > ends) {
                    return Err("the engine did not stop".into());
                }
            }
        }
    }
}
