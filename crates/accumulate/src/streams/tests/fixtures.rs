//! Points of stream 7 and what becomes of them.

use std::sync::Arc;
use std::time::Duration;

use shardset_model::{
    Buckets, Context, ExponentialPoint, HistogramPoint, Identity, MetricKind, Point, Refusal, StreamId, Temporality,
    UnixNanos, Value,
};

use crate::{Applied, Contexts, Outcome, Settings, Streams};

pub(super) const SECOND: u64 = 1_000_000_000;
/// When points arrive unless said otherwise.
pub(super) const NOW: UnixNanos = UnixNanos(1_700_000_000 * SECOND);
pub(super) const COUNTER: MetricKind = MetricKind::Sum { temporality: Temporality::Delta, monotonic: true };

pub(super) const fn after(seconds: u64) -> UnixNanos {
    UnixNanos(NOW.0 + seconds * SECOND)
}

pub(super) fn point(start: u64, time: u64, value: Value<'_>) -> Point<'_> {
    let kind = match value {
        Value::Histogram(_) => MetricKind::Histogram { temporality: Temporality::Delta },
        Value::Exponential(_) => MetricKind::ExponentialHistogram { temporality: Temporality::Delta },
        Value::Summary(_) => MetricKind::Summary,
        Value::Missing | Value::Int(_) | Value::Double(_) => COUNTER,
    };
    Point {
        stream: StreamId::from_digest(7 << 64 | 7),
        kind,
        start: UnixNanos(start),
        time: UnixNanos(time),
        no_recorded_value: false,
        value,
        exemplars: &[],
    }
}

pub(super) fn histogram<'a>(bounds: &'a [f64], counts: &'a [u64]) -> Value<'a> {
    let count = counts.iter().sum();
    Value::Histogram(HistogramPoint { count, sum: None, min: None, max: None, bounds, counts })
}

pub(super) fn exponential<'a>(
    scale: i32,
    zero: u64,
    positive: (i32, &'a [u64]),
    negative: (i32, &'a [u64]),
) -> Value<'a> {
    let buckets = |(offset, counts)| Buckets { offset, counts };
    let count = zero + positive.1.iter().chain(negative.1).sum::<u64>();
    Value::Exponential(ExponentialPoint {
        count,
        sum: None,
        min: None,
        max: None,
        scale,
        zero_count: zero,
        zero_threshold: 0.0,
        positive: buckets(positive),
        negative: buckets(negative),
    })
}

pub(super) fn identity(contexts: &mut Contexts, kind: MetricKind) -> Identity {
    let make = || Context {
        resource_attributes: Box::default(),
        scope_name: "scope".into(),
        scope_version: "1".into(),
        scope_attributes: Box::default(),
        name: "metric".into(),
        unit: "s".into(),
        description: "words".into(),
        kind,
    };
    let digest = format!("{kind:?}").bytes().fold(7, |digest: u128, byte| digest.wrapping_mul(31) + u128::from(byte));
    let context: Arc<Context> = contexts.intern(digest, make);
    Identity { context, attributes: [1, 2, 3].into() }
}

pub(super) fn apply_at(streams: &mut Streams, point: &Point<'_>, now: UnixNanos) -> Result<Applied, Refusal> {
    streams.apply(point, |contexts| identity(contexts, point.kind), now)
}

pub(super) fn outcome(streams: &mut Streams, point: &Point<'_>) -> Result<Outcome, Refusal> {
    apply_at(streams, point, NOW).map(|applied| applied.outcome)
}

/// Streams that have counted these.
pub(super) fn counted(settings: Settings, points: &[Point<'_>]) -> Streams {
    let mut streams = Streams::new(settings);
    for point in points {
        let outcome = outcome(&mut streams, point);
        assert!(matches!(outcome, Ok(Outcome::Counted { .. })), "{point:?}: {outcome:?}");
    }
    streams
}

pub(super) fn value(streams: &Streams) -> Value<'_> {
    streams.get(0).expect("a stream in slot 0").value()
}

/// Ends after 10 s, forgets after 100 s, remembers for 5 s.
pub(super) fn short_lives() -> Settings {
    Settings {
        dedupe_window: Duration::from_secs(5),
        max_stale: Duration::from_secs(10),
        forget_after: Duration::from_secs(100),
        ..Settings::default()
    }
}
