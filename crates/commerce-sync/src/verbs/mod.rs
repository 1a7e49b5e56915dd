//! One file per family of verbs.

mod adopt;
mod doctor;
mod emulate;
mod ledger;
mod operate;
mod records;
mod rehearse;
mod run;
mod tie_out;

use crate::Out;
use crate::cli::{Cli, Period, Verb};
use crate::config::Config;
use crate::fail::Failure;
use erp_core::feed::Window;
use erp_core::time::{Date, Timestamp, Zone};
use sync_engine::step::Verb as Act;

pub(crate) async fn run(
    cli: Cli,
    out: &mut Out<'_>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Failure> {
    if let Verb::Emulate(args) = &cli.verb {
        return emulate::run(args, out, stop).await;
    }
    let config = Config::load(&cli.config)?;
    match &cli.verb {
        Verb::Check => doctor::check(&config, out),
        Verb::Doctor { system } => doctor::run(&config, system.as_deref(), out).await,
        Verb::Read(args) => records::read(&config, args, out).await,
        Verb::Write(args) => records::write(&config, args, out).await,
        Verb::Find { system, key, .. } => records::find(&config, system, key, out).await,
        Verb::Adopt { flow, map } => adopt::run(&config, flow, map.as_deref(), out).await,
        Verb::Rehearse { flow, window } => rehearse::run(&config, flow, self::window(window)?, out).await,
        Verb::Run { once: true } => run::once(&config, out, stop).await,
        Verb::Run { once: false } => run::forever(&config, out, stop).await,
        Verb::Status => ledger::status(&config, out).await,
        Verb::List { state, flow } => ledger::list(&config, state.as_deref(), flow.as_deref(), out).await,
        Verb::Why { key } => ledger::why(&config, key, out).await,
        Verb::Retry(args) => operate::run(&config, Act::Retry, args, out).await,
        Verb::Release(args) => operate::run(&config, Act::Release, args, out).await,
        Verb::WriteOff(args) => operate::run(&config, Act::WriteOff, args, out).await,
        Verb::Reopen(args) => operate::run(&config, Act::Reopen, args, out).await,
        Verb::Pause(args) => operate::pause(&config, args, true, out).await,
        Verb::Resume(args) => operate::pause(&config, args, false, out).await,
        Verb::TieOut(period) => tie_out::run(&config, window(period)?, out).await,
        Verb::Emulate(_) => Ok(()),
    }
}

fn window(period: &Period) -> Result<Window, Failure> {
    let bad = |name: &str, text: &str| {
        Failure::usage(format!("--{name} {text:?} is no time; write 2026-11-23 or 2026-11-23T12:00:00Z"))
    };
    let day = |text: &str| Date::parse(text).ok();
    let from = match &period.from {
        None => Timestamp::MIN,
        Some(text) => match day(text) {
            Some(day) => day.start_in(&Zone::UTC)?,
            None => Timestamp::parse(text).map_err(|_| bad("from", text))?,
        },
    };
    let to = match &period.to {
        None => Timestamp::MAX,
        Some(text) => match day(text) {
            Some(day) => day.tomorrow().start_in(&Zone::UTC)?,
            None => Timestamp::parse(text).map_err(|_| bad("to", text))?,
        },
    };
    if from >= to {
        return Err(Failure::usage("--from must be before --to"));
    }
    Ok(Window::new(from, to))
}
