//! The streams of a run, and their points.
//!
//! The *n*-th point of a stream says 4^*n*. So a total says by its bits which points it holds: bit 2*n* for each, and any odd
//! bit is a point that was counted twice. A set of points is such a number as well, and nothing has to be remembered to
//! compare what is with what should be. An `i64` has room for 31 points; a run is short and there are many runs.

use std::sync::Arc;

use shardset_model::{Context, Identity, MetricKind, Point, ShardIndex, StreamId, Temporality, UnixNanos, Value};

use crate::random::Random;

/// A set of points of one stream.
pub(crate) type Points = u64;

/// The most points of a stream.
pub(crate) const POINTS_MAX: u32 = 31;

/// Bits that no set has.
const TWICE: Points = 0xaaaa_aaaa_aaaa_aaaa;

/// All that runs send: counters.
pub(crate) const KIND: MetricKind = MetricKind::Sum { temporality: Temporality::Delta, monotonic: true };

/// One point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Delta {
    pub(crate) stream: usize,
    pub(crate) ordinal: u32,
    pub(crate) start: UnixNanos,
    pub(crate) time: UnixNanos,
}

/// A stream, and the points that were made of it so far.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) id: StreamId,
    pub(crate) identity: Identity,
    pub(crate) points: Vec<Delta>,
}

/// All streams of a run.
#[derive(Clone, Debug)]
pub(crate) struct Catalog(Vec<Series>);

impl Delta {
    /// The set of this point alone, which is also its value.
    pub(crate) const fn bit(self) -> Points {
        1 << (2 * self.ordinal)
    }

    pub(crate) fn point(self, catalog: &Catalog) -> Point<'static> {
        Point {
            stream: catalog.get(self.stream).id,
            kind: KIND,
            start: self.start,
            time: self.time,
            no_recorded_value: false,
            value: Value::Int(self.bit() as i64),
            exemplars: &[],
        }
    }
}

impl Catalog {
    pub(crate) fn new(number: u64, random: &mut Random) -> Self {
        Self((0..number).map(|_| Series::new(random)).collect())
    }

    /// Streams with these ids.
    pub(crate) fn of(ids: impl IntoIterator<Item = StreamId>) -> Self {
        Self(ids.into_iter().map(|id| Series::named(id, "requests")).collect())
    }

    pub(crate) fn get(&self, stream: usize) -> &Series {
        &self.0[stream]
    }

    pub(crate) fn numbers(&self) -> std::ops::Range<usize> {
        0..self.0.len()
    }

    /// Makes a point; none where the stream has all it may have.
    pub(crate) fn make(&mut self, stream: usize, start: UnixNanos, time: UnixNanos) -> Option<Delta> {
        let points = &mut self.0[stream].points;
        let ordinal = points.len() as u32;
        let delta = Delta { stream, ordinal, start, time };
        (ordinal < POINTS_MAX).then(|| {
            points.push(delta);
            delta
        })
    }
}

impl Series {
    fn new(random: &mut Random) -> Self {
        let id = StreamId::from_digest(u128::from(random.bits()) << 64 | u128::from(random.bits()));
        Self::named(id, random.pick(&["requests", "errors", "bytes", "retries"]))
    }

    fn named(id: StreamId, name: &str) -> Self {
        let context = Context {
            resource_attributes: Box::default(),
            scope_name: "".into(),
            scope_version: "".into(),
            scope_attributes: Box::default(),
            name: name.into(),
            unit: "".into(),
            description: "".into(),
            kind: KIND,
        };
        Self { id, identity: Identity { context: Arc::new(context), attributes: Box::default() }, points: Vec::new() }
    }

    /// The points that were made.
    pub(crate) fn made(&self) -> Points {
        self.points.iter().fold(0, |all, point| all | point.bit())
    }
}

/// The set that a total stands for; none where a point is in it twice, or where it is no total.
pub(crate) fn points_of(value: &Value<'_>) -> Option<Points> {
    let Value::Int(total) = value else { return None };
    let points = *total as Points;
    (points & TWICE == 0).then_some(points)
}

/// How a set is shown: the ordinals in it.
pub(crate) fn shown(points: Points) -> String {
    let ordinals = (0..POINTS_MAX).filter(|ordinal| points >> (2 * ordinal) & 1 == 1);
    format!("{{{}}}", ordinals.map(|ordinal| ordinal.to_string()).collect::<Vec<_>>().join(" "))
}

/// The shard with this number.
pub(crate) fn shard(number: u32) -> ShardIndex {
    let all = shardset_model::ShardCount::new(shardset_model::ShardCount::MAX);
    all.and_then(|all| all.shard(number)).expect("runs have few shards")
}
