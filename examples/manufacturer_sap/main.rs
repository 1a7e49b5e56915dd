//! A manufacturer's Monday: two websites, one SAP, 500 orders, and an outage of two hours and a quarter.
//!
//! Both systems are emulated and served over real HTTP; connectors, engine and ledger are the real ones. Time is virtual.
//! Ends with `unexplained: 0` and exit code 0, or with exit code 3 if anything is not accounted for.

mod options;
mod report;
mod scenario;
mod script;
mod seed;
mod story;
mod systems;

use std::process::ExitCode;

/// Anything that keeps the day from being played.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = options::Options::from_args().and_then(|options| {
        let runtime = runtime?;
        runtime.block_on(scenario::run(options))
    });
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(3),
        Err(trouble) => {
            eprintln!("manufacturer_sap: {trouble}");
            ExitCode::from(1)
        }
    }
}
