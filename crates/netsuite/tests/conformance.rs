//! The suite that every connector runs, over the emulator: with both ways of logging on, and with orders by SOAP.

mod world;

use erp_testkit::conformance::{self, Harness};
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::sync::Arc;
use world::{LogOn, World};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut all: Vec<Trial> = Vec::new();
    for (name, log_on) in [("oauth2::", LogOn::Oauth2), ("tba::", LogOn::Tba), ("soap::", LogOn::Soap)] {
        let trials = conformance::trials(name, move || async move {
            let harness: Arc<dyn Harness> = Arc::new(World::start(log_on, &[]).await);
            harness
        });
        match trials {
            Ok(trials) => all.extend(trials),
            Err(_) => return ExitCode::FAILURE,
        }
    }
    libtest_mimic::run(&arguments, all).exit_code()
}
