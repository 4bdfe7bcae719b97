//! Many seeds, and those that once found something.
#![allow(clippy::unwrap_used, reason = "test code")]

use shardset_sim::{Counts, run, run_logged};

/// Enough for a change to be noticed before `cargo xtask sim` runs many more.
const SEEDS: u64 = 10_000;

fn kept() -> Vec<u64> {
    let lines = include_str!("../seeds.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect()
}

/// Runs seeds; panics with the end of the log of the first that fails.
fn all_hold(seeds: impl Iterator<Item = u64>) -> Counts {
    let mut counts = Counts::default();
    for seed in seeds {
        let outcome = run(seed);
        if let Some(violation) = outcome.violation {
            let log = run_logged(seed).log;
            panic!("seed {seed} breaks {violation}\n{}", log[log.len().saturating_sub(50)..].join("\n"));
        }
        counts += outcome.counts;
    }
    counts
}

#[test]
fn the_invariants_hold_whatever_fails() {
    let counts = std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| scope.spawn(move || all_hold((1..=SEEDS).filter(|seed| seed % 2 == half))));
        let mut counts = Counts::default();
        halves.into_iter().for_each(|half| counts += half.join().unwrap());
        counts
    });
    assert!(counts.moves > SEEDS && counts.arrived > SEEDS && counts.parked > SEEDS, "moves are tried: {counts:?}");
    assert!(counts.crashes > SEEDS && counts.disks_lost > SEEDS / 2, "faults happen: {counts:?}");
    assert!(counts.checkpoints > SEEDS && counts.laid_down > SEEDS, "the disk is used: {counts:?}");
}

#[test]
fn seeds_that_once_found_something_hold() {
    all_hold(kept().into_iter());
}

#[test]
fn a_seed_is_a_run_byte_for_byte() {
    for seed in [1, 2, 3, 4, 5, 300] {
        let (first, second) = (run_logged(seed), run_logged(seed));
        assert!(first.log.len() > 100);
        assert_eq!(first, second);
        assert_eq!(first.counts, run(seed).counts, "keeping a log changes nothing");
    }
}
