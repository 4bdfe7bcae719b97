//! A million streams in memory, and points for them.
//!
//! The streams are one payload's thousand, each in a thousand variations of its id, put in so that neither the table nor the
//! slab of streams has a request's points beside each other: every point comes to a place that no cache holds. Each pass is
//! the next variation, a minute later every thousand passes, as sessions send: memories of points grow as they do in life.

use std::hint::black_box;
use std::time::Duration;

use shardset_accumulate::{Contexts, Group, Outcome, Settings, Streams};
use shardset_load::StandardPayload;
use shardset_model::{Identity, MetricKind, Point, StreamId, Temporality, UnixNanos, Value};
use shardset_otlp::read::{PointRef, Scratch, read};

pub(crate) const POINTS: u32 = 1000;
const VARIATIONS: u64 = 1000;
pub(crate) const STREAMS: f64 = POINTS as f64 * VARIATIONS as f64;

const BEGIN: UnixNanos = UnixNanos(1_800_000_000_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);
/// How long a point takes from its sender to the worker.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

/// The window of the memory of points.
const MINUTES: u64 = 5;

/// A shard, and where its senders are.
pub(crate) struct Worker {
    pub(crate) streams: Streams,
    group: Group<()>,
    variations: u64,
    pass: u64,
}

impl Worker {
    /// With a million streams in it, each counted once.
    pub(crate) fn filled(payload: &StandardPayload) -> anyhow::Result<Self> {
        Self::new(payload, VARIATIONS)
    }

    /// With a thousand.
    pub(crate) fn few(payload: &StandardPayload) -> anyhow::Result<Self> {
        Self::new(payload, 1)
    }

    fn new(payload: &StandardPayload, variations: u64) -> anyhow::Result<Self> {
        let mut streams = Streams::new(Settings::default());
        let mut refused = 0;
        read(payload.bytes(), &mut Scratch::new(), |found| {
            for variation in 0..variations {
                let point = at(found.point, variation, BEGIN);
                let identity = |contexts: &mut Contexts| identity(found, contexts);
                refused += u64::from(streams.apply(&point, identity, point.time).is_err());
            }
        })?;
        anyhow::ensure!(refused == 0, "{refused} points were refused");
        let expected = u64::from(POINTS) * variations;
        anyhow::ensure!(u64::from(streams.len()) == expected, "ids of variations met: {} streams", streams.len());
        Ok(Self { streams, group: Group::default(), variations, pass: variations })
    }

    /// Lets every stream count until the oldest points fall out of the memory.
    pub(crate) fn age(&mut self, points: &[Point<'static>]) {
        for _ in 0..(MINUTES + 1) * self.variations {
            self.pass(points);
        }
    }

    /// One point of each of a thousand streams.
    pub(crate) fn pass(&mut self, points: &[Point<'static>]) {
        self.pass_into(points, None);
    }

    /// The same, with what a journal must hold of it.
    pub(crate) fn pass_into(&mut self, points: &[Point<'static>], mut changes: Option<&mut Vec<u8>>) {
        let (variation, time) = self.turn();
        for point in points {
            self.gather_into(&at(*point, variation, time), changes.as_deref_mut());
        }
        self.count_group_into(changes);
    }

    /// As the worker's `count` does: points of known streams in groups.
    pub(crate) fn gather(&mut self, point: &Point<'_>) {
        self.gather_into(point, None);
    }

    pub(crate) fn count_group(&mut self) {
        self.count_group_into(None);
    }

    fn gather_into(&mut self, point: &Point<'_>, changes: Option<&mut Vec<u8>>) {
        if !self.group.gather(point, ()) {
            black_box(self.count(point));
        } else if self.group.is_full() {
            self.count_group_into(changes);
        }
    }

    fn count_group_into(&mut self, mut changes: Option<&mut Vec<u8>>) {
        let strangers = self.streams.look_up(&mut self.group);
        assert!(!strangers, "all streams are there");
        self.streams.draw_near(&self.group);
        let mut group = std::mem::take(&mut self.group);
        for gathered in group.drain() {
            let point = gathered.point();
            let now = point.time.plus(ON_ITS_WAY);
            let applied = black_box(self.streams.apply_gathered(&gathered, now));
            if let (Some(Ok(applied)), Some(changes)) = (&applied, &mut changes) {
                self.streams.write_changes(applied, &point, now, changes);
            }
        }
        self.group = group;
    }

    /// The variation whose turn it is, and when.
    pub(crate) fn turn(&mut self) -> (u64, UnixNanos) {
        let (round, place) = (self.pass / self.variations, self.pass % self.variations);
        self.pass += 1;
        // A large stride that meets all: variations that follow each other are not neighbours.
        (place * 617 % self.variations, BEGIN.plus(MINUTE * u32::try_from(round).unwrap_or(u32::MAX)))
    }

    /// Whether it counted.
    pub(crate) fn count(&mut self, point: &Point<'_>) -> bool {
        let known = |_: &mut Contexts| -> Identity { unreachable!("all streams are there") };
        let applied = self.streams.apply(point, known, point.time);
        applied.is_ok_and(|applied| matches!(applied.outcome, Outcome::Counted { .. }))
    }
}

/// What the stream of a point is.
pub(crate) fn identity(found: &PointRef<'_>, contexts: &mut Contexts) -> Identity {
    let context = contexts.intern(found.context.digest(), || found.context.to_context());
    Identity { context, attributes: found.attributes.to_frames() }
}

/// The same point of another stream, at another time.
pub(crate) fn at(point: Point<'_>, variation: u64, time: UnixNanos) -> Point<'_> {
    // Odd, with bits all over: what is added to a random id leaves it random.
    let step = u128::from(variation) * 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let stream = StreamId::from_digest(point.stream.digest().wrapping_add(step));
    Point { stream, start: time.minus(MINUTE), time, ..point }
}

/// The payload's points, without their bytes.
pub(crate) fn number_points(payload: &StandardPayload) -> anyhow::Result<Vec<Point<'static>>> {
    let kind = MetricKind::Sum { temporality: Temporality::Delta, monotonic: true };
    let mut points = Vec::new();
    read(payload.bytes(), &mut Scratch::new(), |found| {
        if let Value::Double(number) = found.point.value {
            let Point { stream, start, time, .. } = found.point;
            let value = Value::Double(number);
            points.push(Point { stream, kind, start, time, no_recorded_value: false, value, exemplars: &[] });
        }
    })?;
    anyhow::ensure!(points.len() == POINTS as usize, "the payload has other points than sums");
    Ok(points)
}
