//! A manufacturer's Monday: two websites, one SAP, 500 orders, and an outage of two hours and a quarter.
//!
//! Both systems are emulated and served over real HTTP; connectors, engine and ledger are the real ones. Time is virtual.
//! Ends with `unexplained: 0` and exit code 0, or with exit code 3 if anything is not accounted for.

mod report;
mod scenario;
mod script;
mod seed;
mod systems;

use std::process::ExitCode;

fn main() -> ExitCode {
    sdk_examples::stage::main(
        "manufacturer_sap",
        &["lose-one", "duplicate-one", "skew-a-cent"],
        scenario::run,
    )
}
