//! The suite that every connector runs, the reference connector first. Trials are chosen by what the connector says it
//! can do and named by role and rule.
//!
//! A connector implements [`Harness`] over its emulator and has a test binary of a few lines, with `harness = false`:
//!
//! ```no_run
//! # use erp_testkit::conformance::{self, Harness};
//! # use std::sync::Arc;
//! use erp_testkit::reference::ReferenceHarness; // yours, over your emulator
//!
//! async fn harness() -> Arc<dyn Harness> {
//!     Arc::new(ReferenceHarness::shop())
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     conformance::run(harness)
//! }
//! ```
//!
//! Inside another test binary, [`failures`] runs everything on a runtime of one's own and returns what failed.

mod connector;
mod customers;
mod events;
mod feeds;
mod fulfillments;
mod harness;
mod inventory;
mod invoices;
mod movements;
mod order_sink;
mod order_source;
mod prices;
mod refunds;

pub use harness::{Failure, Harness, Spot, Verdict};

use erp_core::capability::Capabilities;
use erp_core::connector::Connector;
use erp_core::context::Context;
use futures_util::future::{BoxFuture, Either, select};
use libtest_mimic::{Arguments, Failed, Trial};
use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

/// Fails a trial with a text unless something holds.
macro_rules! ensure {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err($crate::conformance::Failure(format!($($text)+)));
        }
    };
}
use ensure;

/// A rule of a role, and how it is tried.
struct Rule {
    name: &'static str,
    applies: fn(&Capabilities) -> bool,
    run: for<'a> fn(&'a Bench) -> BoxFuture<'a, Verdict>,
}

/// Makes a list of rules: name, the capability that calls for it, the trial.
macro_rules! rules {
    ($($name:literal, $applies:expr, $run:expr;)+) => {
        &[$($crate::conformance::Rule {
            name: $name,
            applies: $applies,
            run: |bench| Box::pin($run(bench)),
        }),+]
    };
}
use rules;

/// What a trial works with.
struct Bench {
    harness: Arc<dyn Harness>,
    connector: Arc<dyn Connector>,
    cx: Context,
}

impl Bench {
    fn new(harness: Arc<dyn Harness>) -> Self {
        let connector = harness.connector();
        Self { harness, connector, cx: Context::new() }
    }

    /// Opens a door that the capabilities promise.
    fn open<T: ?Sized>(door: Option<Arc<T>>) -> Verdict<Arc<T>> {
        door.ok_or_else(|| Failure("the capability is stated, and the door is closed".to_owned()))
    }

    fn inject(&self, spot: Spot, after: usize, times: usize, fault: crate::fault::Fault) -> Verdict {
        let text = format!("this harness cannot inject {fault:?} at {spot:?}");
        if self.harness.inject(spot, after, times, fault) { Ok(()) } else { Err(Failure(text)) }
    }
}

fn all_rules() -> impl Iterator<Item = &'static Rule> {
    let roles = [
        connector::RULES,
        order_source::RULES,
        order_sink::RULES,
        inventory::RULES,
        customers::RULES,
        prices::RULES,
        fulfillments::RULES,
        refunds::RULES,
        movements::RULES,
        invoices::RULES,
        events::RULES,
    ];
    roles.into_iter().flatten()
}

/// The names of the trials that these capabilities call for.
#[must_use]
pub fn plan(capabilities: &Capabilities) -> Vec<&'static str> {
    all_rules().filter(|rule| (rule.applies)(capabilities)).map(|rule| rule.name).collect()
}

/// Runs one trial on a fresh harness.
///
/// # Errors
/// Why it failed; also if there is no trial of this name.
pub async fn check(name: &str, harness: Arc<dyn Harness>) -> Verdict {
    let unknown = || Failure(format!("no trial is called {name}"));
    let rule = all_rules().find(|rule| rule.name == name).ok_or_else(unknown)?;
    let bench = Bench::new(Arc::clone(&harness));
    match select((rule.run)(&bench), harness.drive()).await {
        Either::Left((verdict, _)) => verdict,
        Either::Right(((), _)) => Err(Failure("the harness stopped driving".to_owned())),
    }
}

/// Runs every trial that is called for and not waived, each on a fresh harness, and returns those that failed.
pub async fn failures<F, Fut>(make: F) -> Vec<(&'static str, Failure)>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn Harness>>,
{
    let first = make().await;
    let waived = first.waives();
    let mut failed = Vec::new();
    for name in plan(&first.connector().capabilities()) {
        if waived.iter().any(|(waived, _)| *waived == name) {
            continue;
        }
        if let Err(failure) = check(name, make().await).await {
            failed.push((name, failure));
        }
    }
    failed
}

/// The trials for libtest-mimic, each on a current-thread runtime of its own. Their names begin with `prefix`, so that
/// several variants of a connector can share one binary.
///
/// # Errors
/// What the machine says if a runtime cannot be built.
pub fn trials<F, Fut>(prefix: &str, make: F) -> std::io::Result<Vec<Trial>>
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Arc<dyn Harness>> + 'static,
{
    let (waived, names) = runtime()?.block_on(async {
        let harness = make().await;
        (harness.waives(), plan(&harness.connector().capabilities()))
    });
    let trial = |name: &'static str| {
        let make = make.clone();
        let ignored = waived.iter().any(|(waived, _)| *waived == name);
        Trial::test(format!("{prefix}{name}"), move || {
            let runtime = runtime().map_err(|error| Failed::from(error.to_string()))?;
            let verdict = runtime.block_on(async { check(name, make().await).await });
            verdict.map_err(|failure| Failed::from(failure.0))
        })
        .with_ignored_flag(ignored)
    };
    Ok(names.into_iter().map(trial).collect())
}

/// The whole of a `main`: the trials, with libtest's own arguments.
pub fn run<F, Fut>(make: F) -> ExitCode
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Arc<dyn Harness>> + 'static,
{
    let arguments = Arguments::from_args();
    match trials("", make) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(_) => ExitCode::FAILURE,
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
