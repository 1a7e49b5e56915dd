//! The whole engine on virtual time, from one seed: crashes at ledger writes, lost answers, late originals, refusals,
//! outages, lost and restored ledgers. After each run the six invariants of the design hold; planted bugs prove that the
//! simulation finds bugs. A failing seed is printed and replays exactly:
//! `SIM_SEED=123 cargo test -p sync-engine --test simulation -- --nocapture`.

#![expect(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::future_not_send,
    reason = "a simulation that cannot be set up has failed"
)]

mod bugs;
mod invariants;
mod world;

use bugs::Bug;
use world::{Outcome, Simulation};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64, bug: Option<Bug>) -> Outcome {
    Simulation::new(seed, bug).run()
}

/// Runs the seeds on as many threads as there are cores; each run is a world of its own.
fn in_parallel(seeds: &[u64]) -> Vec<(u64, Outcome)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(seeds.len().max(1));
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failed = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(seed) = seeds.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)) {
            if failed.load(std::sync::atomic::Ordering::SeqCst) >= 10 {
                break;
            }
            let mut outcome = run(*seed, None);
            if outcome.violations.is_empty() {
                outcome.trace = Vec::new();
            } else {
                failed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            done.push((*seed, outcome));
        }
        done
    };
    let mut all: Vec<(u64, Outcome)> = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        hands.into_iter().flat_map(|hand| hand.join().unwrap()).collect()
    });
    all.sort_by_key(|(seed, _)| *seed);
    all
}

#[test]
fn nothing_is_lost_doubled_turned_back_or_unexplained() {
    let seeds: Vec<u64> = match number("SIM_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("SIM_SEEDS").unwrap_or(200)).collect(),
    };
    let (mut crashes, mut steps, mut restored, mut wiped, mut refunds, mut failures) =
        (0, 0, 0, 0, 0, Vec::new());
    for (seed, outcome) in in_parallel(&seeds) {
        crashes += outcome.crashes;
        steps += outcome.commits;
        restored += outcome.restores;
        wiped += outcome.wipes;
        refunds += outcome.refunds;
        if !outcome.violations.is_empty() {
            println!("seed {seed}:\n  {}", outcome.violations.join("\n  "));
            if seeds.len() == 1 {
                println!("{}", outcome.trace.join("\n"));
            }
            failures.push(seed);
        }
    }
    println!(
        "\n{} seeds, {steps} commits, {crashes} crashes, {restored} ledgers restored, {wiped} ledgers lost, {refunds} refunds, {} violations",
        seeds.len(),
        failures.len()
    );
    assert!(failures.is_empty(), "failing seeds: {failures:?}");
    assert!(
        seeds.len() < 100 || (crashes > 0 && restored > 0 && wiped > 0 && refunds > seeds.len() / 2),
        "the chaos does not reach everything"
    );
}

#[test]
fn the_same_seed_makes_the_same_trace() {
    for seed in [3, 17, 42] {
        assert_eq!(run(seed, None).trace, run(seed, None).trace, "seed {seed}");
    }
    assert_ne!(run(3, None).trace, run(4, None).trace);
}

#[test]
fn each_planted_bug_is_found_within_a_hundred_seeds() {
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        match (1..=100).find(|seed| !run(*seed, Some(bug)).violations.is_empty()) {
            Some(seed) => println!("{bug:?}: found at seed {seed}"),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
