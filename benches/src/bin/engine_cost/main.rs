//! What the engine costs per entry, beside the floor: the same row writes as bare statements.
//!
//! ```text
//! cargo run --release -p sdk-benches --bin engine_cost            # 10k, 100k and 1M entries
//! cargo run --release -p sdk-benches --bin engine_cost -- 10000   # another size, or several
//! ```
//!
//! For each size two processes run one after the other, each over a file of its own on the same disk: the engine, from a
//! feed in memory through the ledger into a sink in memory until everything is settled; and the floor, which writes rows of
//! the same tables, indexes and bytes in transactions of the same size, and does nothing else. Each process tells its
//! wall time, its CPU time and the most memory that it ever had.

mod engine;
mod floor;

use erp_core::time::{Clock as _, SystemClock, Timestamp};
use std::path::Path;
use std::process::Command;

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Entries that the feed's reader stores in one transaction.
pub(crate) const OBSERVE_BATCH: i64 = 500;
/// Entries that one call of the sink takes.
pub(crate) const SINK_BATCH: usize = 100;
/// Calls of the sink at the same time. What they take, and what they bring, shares a transaction.
pub(crate) const SINK_CALLS: usize = 8;

const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];

/// What a process used.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall_us: u64,
    cpu_us: u64,
    peak_kib: u64,
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [role, size, ledger, rest @ ..] if role == "engine" || role == "floor" => {
            let ledger = Path::new(ledger);
            let began = SystemClock.now();
            match rest.first() {
                None => engine::run(size.parse()?, ledger)?,
                Some(sample) => floor::run(size.parse()?, ledger, Path::new(sample))?,
            }
            report(began)
        }
        [] => compare(&SIZES),
        sizes => compare(&sizes.iter().map(|size| size.parse()).collect::<Result<Vec<_>, _>>()?),
    }
}

fn compare(sizes: &[u64]) -> Outcome<()> {
    println!(
        "{:>9}  {:>22}  {:>22}  {:>6}  {:>10}  {:>10}",
        "", "engine", "floor", "ratio", "engine", "floor"
    );
    println!(
        "{:>9}  {:>10} {:>11}  {:>10} {:>11}  {:>6}  {:>10}  {:>10}",
        "entries", "entries/s", "CPU µs each", "entries/s", "CPU µs each", "", "peak MiB", "peak MiB"
    );
    for size in sizes {
        let folder = std::env::temp_dir().join(format!("engine-cost-{}-{size}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let (ledger, bare) = (folder.join("engine.db"), folder.join("floor.db"));
        let result = child(&["engine", &size.to_string(), &text(&ledger)]).and_then(|engine| {
            let floor = child(&["floor", &size.to_string(), &text(&bare), &text(&ledger)])?;
            Ok((engine, floor))
        });
        std::fs::remove_dir_all(&folder)?;
        let (engine, floor) = result?;
        let rate = |cost: Cost| size.saturating_mul(1_000_000) / cost.wall_us.max(1);
        let percent = rate(engine).saturating_mul(100) / rate(floor).max(1);
        println!(
            "{size:>9}  {:>10} {:>11}  {:>10} {:>11}  {:>3}.{:02}  {:>10}  {:>10}",
            rate(engine),
            engine.cpu_us / size,
            rate(floor),
            floor.cpu_us / size,
            percent / 100,
            percent % 100,
            engine.peak_kib / 1024,
            floor.peak_kib / 1024,
        );
    }
    Ok(())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn child(args: &[&str]) -> Outcome<Cost> {
    let output = Command::new(std::env::current_exe()?).args(args).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(format!("{}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr)).into());
    }
    let figures: Vec<u64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [wall_us, cpu_us, peak_kib] = figures[..] else {
        return Err(format!("{}: said {said:?}", args.join(" ")).into());
    };
    Ok(Cost { wall_us, cpu_us, peak_kib })
}

/// Tells the parent what this process used, as Linux counts it.
fn report(began: Timestamp) -> Outcome<()> {
    let wall = SystemClock.now().since(began).as_micros();
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    // The fields utime and stime, in ticks of a hundredth of a second (proc_pid_stat(5)).
    let ticks: u64 =
        after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak =
        peak.and_then(|rest| rest.trim().strip_suffix(" kB")).ok_or("no VmHWM in /proc/self/status")?;
    println!("{wall} {} {}", ticks * 10_000, peak.trim());
    Ok(())
}
