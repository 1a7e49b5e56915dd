//! The suite that every connector runs, over the emulator: as a current release is, and with the quirks of others.

mod world;

use commerce_emulator::Quirk;
use erp_testkit::conformance::{self, Harness};
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::sync::Arc;
use world::World;

/// Each variant of the shop, and what its trials are called.
const VARIANTS: [(&str, &[Quirk]); 4] = [
    ("plain::", &[]),
    ("old_paging::", &[Quirk::RepeatsLastPage, Quirk::UnstableSort, Quirk::ChildPrice]),
    ("laminas::", &[Quirk::OauthLaminas, Quirk::LateCommit]),
    ("limited::", &[Quirk::InputLimit20, Quirk::GhostSource, Quirk::ChildSkuUpper]),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut all: Vec<Trial> = Vec::new();
    for (name, quirks) in VARIANTS {
        let trials = conformance::trials(name, move || async move {
            let harness: Arc<dyn Harness> = Arc::new(World::start(quirks).await);
            harness
        });
        match trials {
            Ok(trials) => all.extend(trials),
            Err(_) => return ExitCode::FAILURE,
        }
    }
    libtest_mimic::run(&arguments, all).exit_code()
}
