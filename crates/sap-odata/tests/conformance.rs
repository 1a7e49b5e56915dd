//! The suite that every connector runs, over the emulator: for customers with a number of their own, and for guests.

mod world;

use erp_testkit::conformance::{self, Harness};
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::sync::Arc;
use world::World;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut all: Vec<Trial> = Vec::new();
    for (name, guests) in [("customers::", false), ("guests::", true)] {
        let trials = conformance::trials(name, move || async move {
            let mut world = World::start(&[]).await;
            world.guests = guests;
            let harness: Arc<dyn Harness> = Arc::new(world);
            harness
        });
        match trials {
            Ok(trials) => all.extend(trials),
            Err(_) => return ExitCode::FAILURE,
        }
    }
    libtest_mimic::run(&arguments, all).exit_code()
}
