//! `run`: the flows at work, told as an operator would see it.

use crate::Out;
use crate::config::Config;
use crate::fail::{FAILED, Failure, UNEXPLAINED};
use crate::plan::Plan;
use crate::show;
use erp_core::time::Timestamp;
use futures_util::future::select;
use futures_util::{FutureExt as _, pin_mut};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use sync_engine::{Ledger as _, Narrate, Note, SqliteLedger};
use sync_server::Inbound;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Hands notes to whoever writes them.
#[derive(Debug)]
struct Teller(UnboundedSender<(Timestamp, Note)>);

impl Narrate for Teller {
    fn tell(&self, at: Timestamp, note: &Note) {
        // Nobody listens any more when the run has ended.
        let _ = self.0.send((at, note.clone()));
    }
}

pub(super) async fn once(
    config: &Config,
    out: &mut Out<'_>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Failure> {
    config.check_writable()?;
    let (teller, notes) = unbounded_channel();
    let engine = Plan::new(config)?.engine(Arc::new(Teller(teller)))?;
    let work = engine.run_once_patiently();
    let ended = watch(work, notes, stop, out).await?;
    drop(engine);
    match ended {
        // What was under way is leased, and looked up by the next run.
        None => Err(Failure {
            code: FAILED,
            text: "stopped in the middle; what was under way is looked up by the next run".to_owned(),
        }),
        Some(result) => {
            result?;
            summary(config, out).await?;
            if paused(config, out).await? { Err(Failure::silent(UNEXPLAINED)) } else { Ok(()) }
        }
    }
}

pub(super) async fn forever(
    config: &Config,
    out: &mut Out<'_>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Failure> {
    config.check_writable()?;
    let (teller, notes) = unbounded_channel();
    let plan = Plan::new(config)?;
    let engine = plan.engine(Arc::new(Teller(teller)))?;
    paused(config, out).await?;
    let doors = doors(&plan, out)?;
    if !out.json {
        out.note(format!(
            "running {} from {}; Ctrl-C ends it",
            show::count(config.flows.len() as u64, "flow", "flows"),
            config.file.display()
        ))?;
    }
    let work = async {
        let run = engine.run(stop);
        let Some((inbound, listener)) = doors else { return run.await };
        let served = inbound.serve(listener, &engine, std::future::pending());
        pin_mut!(run, served);
        select(run, served).await.factor_first().0
    };
    let ended = watch(work, notes, std::future::pending(), out).await?;
    ended.transpose()?;
    drop(engine);
    if !out.json {
        out.note("ended; what was under way was finished first")?;
    }
    Ok(())
}

/// Says which flows are paused, and whether any is: their records wait, and nothing else would tell.
async fn paused(config: &Config, out: &mut Out<'_>) -> Result<bool, Failure> {
    let mut any = false;
    for flow in SqliteLedger::open(&config.ledger)?.health().await? {
        let Some(why) = flow.paused.as_ref().filter(|_| config.flows.contains_key(&flow.flow)) else {
            continue;
        };
        any = true;
        if !out.json {
            out.note(format!(
                "{} is PAUSED and sends nothing: {why}; {}",
                flow.flow,
                show::resume(&flow.flow)
            ))?;
        }
    }
    Ok(any)
}

/// Opens the doors for announcements, and says where they are.
fn doors(plan: &Plan<'_>, out: &mut Out<'_>) -> Result<Option<(Inbound, TcpListener)>, Failure> {
    let Some((inbound, listen)) = plan.inbound()? else { return Ok(None) };
    let listener = sync_server::bind(listen)?;
    let address = listener.local_addr()?;
    for path in inbound.paths() {
        out.note(format!("announcements are taken at http://{address}{path}"))?;
    }
    Ok(Some((inbound, listener)))
}

/// Writes notes while `work` goes on; `None` if it was stopped before it ended.
async fn watch<T>(
    work: impl Future<Output = T> + Send,
    mut notes: UnboundedReceiver<(Timestamp, Note)>,
    stop: impl Future<Output = ()> + Send,
    out: &mut Out<'_>,
) -> Result<Option<T>, Failure> {
    let bar = bar(out.terminal && !out.json);
    let mut tally = (0_usize, 0_usize);
    let mut sum = None;
    let (work, stop) = (work.fuse(), stop.fuse());
    pin_mut!(work, stop);
    let ended = loop {
        let next = notes.recv().fuse();
        pin_mut!(next);
        futures_util::select! {
            result = work => break Some(result),
            () = stop => break None,
            note = next => if let Some((at, note)) = note {
                one(at, &note, &bar, &mut tally, &mut sum, out)?;
            },
        }
    };
    while let Ok((at, note)) = notes.try_recv() {
        one(at, &note, &bar, &mut tally, &mut sum, out)?;
    }
    if let Some(text) = sum.take().as_ref().and_then(Sum::in_words) {
        bar.suspend(|| out.say(text))?;
    }
    bar.finish_and_clear();
    Ok(ended)
}

fn bar(terminal: bool) -> ProgressBar {
    if !terminal {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar.set_message("reading");
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn one(
    at: Timestamp,
    note: &Note,
    bar: &ProgressBar,
    tally: &mut (usize, usize),
    sum: &mut Option<Sum>,
    out: &mut Out<'_>,
) -> Result<(), Failure> {
    if let Note::Settled { settled, held, .. } = note {
        tally.0 += settled;
        tally.1 += held;
        bar.set_message(format!("{} settled, {} held", tally.0, tally.1));
    }
    if out.json {
        return out.value(&in_json(at, note));
    }
    let ended = Sum::add(sum, at, note);
    for text in ended.as_ref().and_then(Sum::in_words).into_iter().chain(told(at, note)) {
        bar.suspend(|| out.say(text))?;
    }
    Ok(())
}

/// How long what is settled is summed up before it is told.
const SUMMED: Duration = Duration::from_secs(5);

/// What a flow has settled since it was last told: a line for each order would bury the others.
struct Sum {
    since: Timestamp,
    until: Timestamp,
    note: Note,
}

impl Sum {
    /// Takes a note in. What is finished thereby comes out and is to be told.
    fn add(sum: &mut Option<Self>, at: Timestamp, note: &Note) -> Option<Self> {
        let Note::Settled { flow, settled, found, held } = note else { return sum.take() };
        if let Some(Self { since, until, note: Note::Settled { flow: f, settled: s, found: n, held: h } }) =
            sum
            && f == flow
            && at.since(*since) < SUMMED
        {
            (*s, *n, *h, *until) = (*s + settled, *n + found, *h + held, at);
            return None;
        }
        sum.replace(Self { since: at, until: at, note: note.clone() })
    }

    fn in_words(&self) -> Option<String> {
        in_words(&self.note).map(|text| format!("{} {text}", show::clock(self.until)))
    }
}

/// A note that is told at once.
fn told(at: Timestamp, note: &Note) -> Option<String> {
    let at_once = !matches!(note, Note::Settled { .. });
    in_words(note).filter(|_| at_once).map(|text| format!("{} {text}", show::clock(at)))
}

fn in_words(note: &Note) -> Option<String> {
    Some(match note {
        Note::Read { flow, seen } if seen.new + seen.changed > 0 => {
            format!("{flow}: {} read, {} new, {} changed", seen.records, seen.new, seen.changed)
        }
        Note::Hinted { flow, hints } => format!("{flow}: read early, hinted at {hints} times"),
        Note::HintUnused { system, record } => {
            format!(
                "{system} hints at {record}, which no flow reads from it; mend the flows or stop the hints"
            )
        }
        Note::AnnouncementRefused { system, text } => {
            format!(
                "an announcement in the name of {system} was refused: {text}; its flows read at their own times"
            )
        }
        Note::FeedTrouble { flow, text } => format!("{flow}: the source cannot be read: {text}"),
        Note::Settled { flow, settled, found, held } => {
            let found =
                if *found > 0 { format!(", {found} found and not sent again") } else { String::new() };
            let held =
                if *held > 0 { format!(", {held} held (see: commerce-sync list)") } else { String::new() };
            format!("{flow}: {settled} settled{found}{held}")
        }
        Note::Down { system, text } => format!("{system} is out of reach: {text}; work waits in the ledger"),
        Note::Up { system, since } => format!("{system} is back, it was away since {since}"),
        Note::Alert(alert) => format!("ALERT {}: {}", alert.scope, alert.text),
        Note::Resolved(alert) => format!("resolved {}: {}", alert.scope, alert.cause),
        Note::NothingBefore { until } => format!(
            "the ledger is new: nothing is created before {}, in case a lost ledger has sent something; waiting",
            show::clock(*until)
        ),
        Note::Restored => "the ledger is an older copy; everything unsettled is looked up first".to_owned(),
        _ => return None,
    })
}

fn in_json(at: Timestamp, note: &Note) -> Value {
    let mut value = match note {
        Note::Read { flow, seen } => {
            json!({"note": "read", "flow": flow, "records": seen.records, "new": seen.new, "changed": seen.changed})
        }
        Note::Hinted { flow, hints } => json!({"note": "hinted", "flow": flow, "hints": hints}),
        Note::HintUnused { system, record } => {
            json!({"note": "hint_unused", "system": system, "record": record})
        }
        Note::AnnouncementRefused { system, text } => {
            json!({"note": "announcement_refused", "system": system, "text": text})
        }
        Note::FeedTrouble { flow, text } => json!({"note": "feed_trouble", "flow": flow, "text": text}),
        Note::Settled { flow, settled, found, held } => {
            json!({"note": "settled", "flow": flow, "settled": settled, "found": found, "held": held})
        }
        Note::Down { system, text } => json!({"note": "down", "system": system, "text": text}),
        Note::Up { system, since } => json!({"note": "up", "system": system, "since": since}),
        Note::Alert(alert) => json!({"note": "alert", "alert": alert}),
        Note::Resolved(alert) => json!({"note": "resolved", "alert": alert}),
        Note::NothingBefore { until } => json!({"note": "nothing_before", "until": until}),
        Note::Restored => json!({"note": "restored"}),
        _ => json!({"note": "other"}),
    };
    if let Value::Object(map) = &mut value {
        map.insert("at".to_owned(), json!(at));
    }
    value
}

async fn summary(config: &Config, out: &mut Out<'_>) -> Result<(), Failure> {
    if out.json {
        return Ok(());
    }
    let flows = SqliteLedger::open(&config.ledger)?.health().await?;
    for flow in flows {
        let states: Vec<String> =
            flow.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let states = if states.is_empty() { "nothing yet".to_owned() } else { states.join(", ") };
        out.say(format!("{}: {states}", flow.flow))?;
    }
    out.say("next: commerce-sync status · list · tie-out")
}
