//! Running many seeds on all cores, and saying which ones fail.
//!
//! A seed is run by one thread and knows of no other, so threads change nothing but the time. A seed that fails is run again
//! with its log, of which the end is shown: what led to it is rarely further back.
#![expect(clippy::print_stdout, reason = "what a run found goes to the terminal")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use shardset_sim::{Counts, Outcome, run, run_logged};

/// Lines of the log that are shown of a seed that fails.
const LAST_LINES: usize = 50;
/// Seeds that fail before the search for more of them ends.
const FAILURES_MAX: usize = 5;

/// Runs a simulated cluster under many seeds.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Only this one, with its whole log.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
}

impl Arguments {
    pub(crate) fn run(&self) -> ExitCode {
        match self.seed {
            Some(seed) => one(seed),
            None => many(self.from..self.from.saturating_add(self.seeds)),
        }
    }
}

fn one(seed: u64) -> ExitCode {
    let outcome = run_logged(seed);
    outcome.log.iter().for_each(|line| println!("{line}"));
    match outcome.violation {
        Some(violation) => {
            println!("seed {seed} breaks {violation}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

#[expect(clippy::disallowed_methods, reason = "says how long it took")]
fn many(seeds: std::ops::Range<u64>) -> ExitCode {
    let (began, next) = (Instant::now(), AtomicU64::new(seeds.start));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let worker = || seeds_of(&next, seeds.end);
    let done: Vec<(Counts, Vec<u64>)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        running.into_iter().map(|thread| thread.join().expect("a seed that fails does not panic")).collect()
    });
    let (mut counts, mut failed) = (Counts::default(), Vec::new());
    for (more, found) in done {
        counts += more;
        failed.extend(found);
    }
    failed.sort_unstable();
    failed.iter().for_each(|seed| show(*seed));
    let (number, seconds) = (seeds.end - seeds.start, began.elapsed().as_secs_f64());
    println!("{number} seeds in {seconds:.0} s, {:.0} a second: {counts:?}", number as f64 / seconds);
    println!("{} failed", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Takes one seed after another until there are no more, or too many have failed.
fn seeds_of(next: &AtomicU64, end: u64) -> (Counts, Vec<u64>) {
    let (mut counts, mut failed) = (Counts::default(), Vec::new());
    while failed.len() < FAILURES_MAX {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            break;
        }
        let outcome = run(seed);
        counts += outcome.counts;
        failed.extend(outcome.violation.map(|_| seed));
    }
    (counts, failed)
}

fn show(seed: u64) {
    let Outcome { violation, log, .. } = run_logged(seed);
    let first = log.len().saturating_sub(LAST_LINES);
    log[first..].iter().for_each(|line| println!("{line}"));
    match violation {
        Some(violation) => println!("seed {seed} breaks {violation}\n"),
        None => println!("seed {seed} does not fail again: a run depends on more than its seed\n"),
    }
}
