//! Streams against a naive fold: every point that counts is kept, and totals are folded from all of them at the end.
//!
//! Values are multiples of 1/1024, so the fold is exact in `i128`. Points are duplicated, reordered, late, overlapping and of
//! several writers; the state goes through its codec, or through its journal, at any moment.

mod fold;
mod idle;
mod script;

use proptest::prelude::*;
use shardset_accumulate::{Outcome, Settings, Streams};
use shardset_model::{Refusal, UnixNanos, Value};

use self::fold::Fold;
use self::script::{Body, Event, Sent, identity, script};

const UNIT: f64 = 1.0 / 1024.0;

/// The bytes of everything that outlives a process, by slot.
fn state(streams: &Streams) -> Vec<u8> {
    let mut out = Vec::new();
    streams.write_checkpoint(&mut out);
    out
}

fn restored(settings: Settings, changes: &[u8]) -> Streams {
    let mut streams = Streams::new(settings);
    streams.replay(changes).expect("changes that were written can be read");
    streams
}

fn send(streams: &mut Streams, sent: &Sent, now: UnixNanos, journal: &mut Vec<u8>) -> Result<Outcome, Refusal> {
    sent.with_point(|point| {
        let applied = streams.apply(point, |contexts| identity(contexts, point.kind), now)?;
        streams.write_changes(&applied, point, now, journal);
        Ok(applied.outcome)
    })
}

fn check(streams: &Streams, fold: &Fold) -> Result<(), TestCaseError> {
    for slot in 0..streams.slots() {
        let Some(stream) = streams.get(slot) else { continue };
        let points = fold.points(stream.id());
        prop_assert!(!points.is_empty());
        match stream.value() {
            Value::Int(total) => prop_assert_eq!(i128::from(total) * 1024, fold::sum(&points)),
            Value::Double(total) => prop_assert_eq!(total, fold::sum(&points) as f64 * UNIT),
            Value::Histogram(total) => {
                let (bounds, counts, start) = fold::histogram(&points);
                prop_assert_eq!(total.bounds, &bounds);
                prop_assert_eq!(total.counts, &counts);
                prop_assert_eq!(total.count, counts.iter().sum::<u64>());
                prop_assert_eq!(stream.start(), start);
            }
            other => prop_assert!(false, "no test sends {:?}", other),
        }
        if !matches!(points[0].body, Body::Histogram { .. }) {
            prop_assert_eq!(stream.start(), UnixNanos(points[0].start), "the start is the first counted point's");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn totals_equal_the_fold_of_what_was_counted(events in script(), settings in script::settings()) {
        let mut streams = Streams::new(settings);
        let mut fold = Fold::new(settings);
        let mut now = UnixNanos(1_700_000_000_000_000_000);
        let (mut journal, mut base) = (Vec::new(), Vec::new());
        for event in events {
            match event {
                Event::Send(sent) => {
                    let expected = fold.apply(&sent, now);
                    let outcome = send(&mut streams, &sent, now, &mut journal);
                    let outcome = outcome.map(|outcome| matches!(outcome, Outcome::Counted { .. }));
                    prop_assert_eq!(outcome, expected, "{:?}", sent);
                }
                Event::Wait(seconds) => now = now.plus(std::time::Duration::from_secs(seconds)),
                Event::Sweep => {
                    streams.sweep(now, 100, |change| change.write(&mut journal));
                    fold.sweep(now);
                }
                Event::Checkpoint => {
                    base = state(&streams);
                    journal.clear();
                    streams = restored(settings, &base);
                    prop_assert_eq!(state(&streams), base.clone(), "the codec loses nothing");
                }
                Event::Crash => {
                    streams.sweep(now, 0, |_| {});
                    let before = state(&streams);
                    streams = restored(settings, &[base.as_slice(), journal.as_slice()].concat());
                    // Tombstones that are over are dropped by sweeps, which journals need not tell.
                    streams.sweep(now, 0, |_| {});
                    prop_assert_eq!(state(&streams), before, "the journal loses nothing");
                }
            }
            check(&streams, &fold)?;
        }
    }
}
