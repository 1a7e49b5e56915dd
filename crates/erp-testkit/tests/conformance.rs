//! The suite on the reference connectors, which have every role that the suite knows.

use erp_core::capability::Idempotency;
use erp_testkit::conformance::{self, Harness};
use erp_testkit::reference::ReferenceHarness;
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

type Make = fn() -> ReferenceHarness;

fn unique() -> ReferenceHarness {
    let harness = ReferenceHarness::erp();
    harness.world.erp.set_idempotency(Idempotency::UniqueExternalId);
    harness
}

fn queued() -> ReferenceHarness {
    let harness = ReferenceHarness::erp();
    harness.world.erp.set_queue(Some(Duration::from_secs(25)));
    harness
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let variants: [(&str, Make); 5] = [
        ("shop::", ReferenceHarness::shop),
        ("erp::", ReferenceHarness::erp),
        ("erp_unique::", unique),
        ("erp_queued::", queued),
        ("warehouse::", ReferenceHarness::warehouse),
    ];
    let mut all: Vec<Trial> = Vec::new();
    for (name, make) in variants {
        let trials = conformance::trials(name, move || async move {
            let harness: Arc<dyn Harness> = Arc::new(make());
            harness
        });
        match trials {
            Ok(trials) => all.extend(trials),
            Err(_) => return ExitCode::FAILURE,
        }
    }
    libtest_mimic::run(&arguments, all).exit_code()
}
