//! What happens to streams in a test.

use std::time::Duration;

use proptest::prelude::*;
use shardset_accumulate::{Contexts, Settings, Writers};
use shardset_model::{Context, HistogramPoint, Identity, MetricKind, Point, StreamId, Temporality, UnixNanos, Value};

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Send(Sent),
    /// Seconds pass.
    Wait(u64),
    Sweep,
    /// The state is written and read again; the journal begins anew.
    Checkpoint,
    /// Memory is lost, and made again from the last checkpoint and the journal.
    Crash,
}

/// A point, owned. Small ranges, so that points meet again.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Sent {
    pub(crate) stream: u8,
    pub(crate) start: u64,
    pub(crate) time: u64,
    pub(crate) body: Body,
}

/// A value, owned; numbers in units of 1/1024.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Body {
    Int(i64),
    Double(i64),
    Histogram { wide: bool, counts: Vec<u64> },
}

impl Sent {
    pub(crate) fn id(&self) -> StreamId {
        let histogram = matches!(self.body, Body::Histogram { .. });
        StreamId::from_digest(u128::from(self.stream) << 64 | u128::from(histogram))
    }

    pub(crate) fn with_point<T>(&self, then: impl FnOnce(&Point<'_>) -> T) -> T {
        let bounds = self.bounds();
        let (kind, value) = match &self.body {
            Body::Int(value) => (SUM, Value::Int(*value)),
            Body::Double(value) => (SUM, Value::Double(*value as f64 * super::UNIT)),
            Body::Histogram { counts, .. } => {
                let count = counts.iter().sum();
                let point = HistogramPoint { count, sum: None, min: None, max: None, bounds: &bounds, counts };
                (MetricKind::Histogram { temporality: Temporality::Delta }, Value::Histogram(point))
            }
        };
        then(&Point {
            stream: self.id(),
            kind,
            start: UnixNanos(self.start),
            time: UnixNanos(self.time),
            no_recorded_value: false,
            value,
            exemplars: &[],
        })
    }

    pub(crate) fn bounds(&self) -> Vec<f64> {
        match &self.body {
            Body::Histogram { wide: true, .. } => vec![1.0, 10.0],
            Body::Histogram { wide: false, .. } => vec![2.0, 5.0],
            Body::Int(_) | Body::Double(_) => Vec::new(),
        }
    }
}

const SUM: MetricKind = MetricKind::Sum { temporality: Temporality::Delta, monotonic: false };

pub(crate) fn identity(contexts: &mut Contexts, kind: MetricKind) -> Identity {
    let make = || Context {
        resource_attributes: Box::default(),
        scope_name: Box::default(),
        scope_version: Box::default(),
        scope_attributes: Box::default(),
        name: "metric".into(),
        unit: Box::default(),
        description: Box::default(),
        kind,
    };
    let context = contexts.intern(u128::from(kind.is_monotonic()), make);
    Identity { context, attributes: Box::default() }
}

prop_compose! {
    fn sent()(
        stream in 0..3_u8,
        start in 0..40_u64,
        length in 0..6_u64,
        body in prop_oneof![
            3 => (-4..9_i64).prop_map(Body::Int),
            2 => (-(1_i64 << 40)..(1 << 40)).prop_map(Body::Double),
            3 => (prop::bool::weighted(0.9), prop::collection::vec(0..3_u64, 3))
                .prop_map(|(wide, counts)| Body::Histogram { wide, counts }),
        ],
    ) -> Sent {
        Sent { stream, start, time: (start + length).max(1), body }
    }
}

/// Events; points come again, right away or later.
pub(crate) fn script() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        20 => sent().prop_map(Event::Send),
        5 => (0..12_u64).prop_map(Event::Wait),
        2 => Just(Event::Sweep),
        1 => Just(Event::Checkpoint),
        1 => Just(Event::Crash),
    ];
    let again = prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..30);
    (prop::collection::vec(event, 1..120), again).prop_map(|(mut events, again)| {
        for (from, to) in again {
            let event = events[from.index(events.len())].clone();
            let to = to.index(events.len() + 1);
            events.insert(to, event);
        }
        events
    })
}

prop_compose! {
    pub(crate) fn settings()(window in 0..30_u64, points in 1..8_u16, one: bool) -> Settings {
        Settings {
            dedupe_window: Duration::from_secs(window),
            dedupe_points: points,
            writers: if one { Writers::One } else { Writers::Many },
            max_stale: Duration::from_secs(20),
            forget_after: Duration::from_secs(60),
            max_streams: 4,
            ..Settings::default()
        }
    }
}
