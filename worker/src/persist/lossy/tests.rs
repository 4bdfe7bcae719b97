//! Whatever is counted, committed and lost in whatever order: what is recovered is what was acknowledged, the memory of
//! counted points included.

use proptest::prelude::*;
use shardset_accumulate::{Outcome, Settings, Streams};
use shardset_model::{Context, Identity, MetricKind, Point, StreamId, Temporality, UnixNanos, Value};

use super::LossyMemory;
use crate::persist::Journal;

const SECOND: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug)]
enum Step {
    Point { stream: u8, time: u8, value: u8 },
    Commit,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..5_u8, 1..40_u8, 0..3_u8).prop_map(|(stream, time, value)| Step::Point { stream, time, value }),
        2 => Just(Step::Commit),
        1 => Just(Step::Crash),
    ]
}

fn point(stream: u8, time: u8, value: u8) -> Point<'static> {
    let time = UnixNanos(1_000 * SECOND + u64::from(time) * SECOND);
    Point {
        stream: StreamId::from_digest(u128::from(stream).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
        kind: MetricKind::Sum { temporality: Temporality::Delta, monotonic: true },
        start: UnixNanos(900 * SECOND),
        time,
        no_recorded_value: false,
        value: Value::Double(f64::from(value)),
        exemplars: &[],
    }
}

/// Applies a point as the shard's thread does; tells whether it was a duplicate.
fn apply(streams: &mut Streams, point: &Point<'static>, changes: &mut Vec<u8>) -> bool {
    let now = point.time;
    let name = format!("metric-{}", point.stream);
    let identity = |contexts: &mut shardset_accumulate::Contexts| Identity {
        context: contexts.intern(point.stream.digest(), || context(&name, point.kind)),
        attributes: Box::default(),
    };
    let applied = streams.apply(point, identity, now).unwrap();
    streams.write_changes(&applied, point, now, changes);
    applied.outcome == Outcome::Duplicate
}

fn context(name: &str, kind: MetricKind) -> Context {
    Context {
        resource_attributes: Box::default(),
        scope_name: Box::default(),
        scope_version: Box::default(),
        scope_attributes: Box::default(),
        name: name.into(),
        unit: Box::default(),
        description: Box::default(),
        kind,
    }
}

fn recovered(journal: &mut LossyMemory) -> Streams {
    let mut streams = Streams::new(Settings::default());
    journal.recover(&mut streams).unwrap();
    streams
}

fn checkpoint(streams: &Streams) -> Vec<u8> {
    let mut bytes = Vec::new();
    streams.write_checkpoint(&mut bytes);
    bytes
}

proptest! {
    #[test]
    fn what_is_recovered_is_what_was_acknowledged(steps in prop::collection::vec(step(), 0..120)) {
        let mut journal = LossyMemory::default();
        let mut streams = recovered(&mut journal);
        let (mut acknowledged, mut waiting) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Point { stream, time, value } => {
                    let point = point(stream, time, value);
                    apply(&mut streams, &point, journal.changes());
                    waiting.push(point);
                }
                Step::Commit => {
                    journal.commit().unwrap();
                    acknowledged.append(&mut waiting);
                }
                Step::Crash => {
                    journal.crash();
                    waiting.clear();
                    streams = recovered(&mut journal);
                }
            }
        }
        journal.crash();
        let mut after = recovered(&mut journal);
        let mut never_crashed = Streams::new(Settings::default());
        for point in &acknowledged {
            apply(&mut never_crashed, point, &mut Vec::new());
        }
        prop_assert_eq!(checkpoint(&after), checkpoint(&never_crashed));
        for point in &acknowledged {
            prop_assert!(apply(&mut after, point, &mut Vec::new()), "a resend of what was acknowledged counts nothing");
        }
    }
}
