//! The worker's own work at a million streams: a point's stream looked up and the delta added, alone and with the walk and
//! the identity before it; and what such streams take of memory.
//!
//! The streams are one payload's thousand, each in a thousand variations of its id, put in so that neither the table nor the
//! slab of streams has a request's points beside each other: every point comes to a place that no cache holds. Each pass is
//! the next variation, a minute later every thousand passes, as sessions send: memories of points grow as they do in life.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use shardset_accumulate::{Contexts, Group, Outcome, Settings, Streams};
use shardset_load::{StandardPayload, standard_payload};
use shardset_model::{Identity, MetricKind, Point, StreamId, Temporality, UnixNanos, Value};
use shardset_otlp::read::{PointRef, Scratch, read};
use shardset_remote_write::{Labels, Translation};

use crate::machine::resident_bytes;
use crate::measure::{Case, Effort, side_by_side};
use crate::table::{Table, against};

/// Issue 2: a lookup and an addition at most this, in nanoseconds.
const BUDGET: f64 = 120.0;
/// system.md: a live sum stream with 8 attributes at most this, all in, in bytes.
const BUDGET_BYTES: f64 = 600.0;

const POINTS: u32 = 1000;
const VARIATIONS: u64 = 1000;
const STREAMS: f64 = POINTS as f64 * VARIATIONS as f64;

const BEGIN: UnixNanos = UnixNanos(1_800_000_000_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);

/// The window of the memory of points.
const MINUTES: u64 = 5;

/// A shard, and where its senders are.
struct Worker {
    streams: Streams,
    group: Group<()>,
    variations: u64,
    pass: u64,
}

impl Worker {
    /// With a million streams in it, each counted once.
    fn filled(payload: &StandardPayload) -> anyhow::Result<Self> {
        Self::new(payload, VARIATIONS)
    }

    /// With a thousand.
    fn few(payload: &StandardPayload) -> anyhow::Result<Self> {
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
    fn age(&mut self, points: &[Point<'static>]) {
        for _ in 0..(MINUTES + 1) * self.variations {
            self.pass(points);
        }
    }

    /// One point of each of a thousand streams.
    fn pass(&mut self, points: &[Point<'static>]) {
        let (variation, time) = self.turn();
        for point in points {
            self.gather(&at(*point, variation, time));
        }
        self.count_group();
    }

    /// As the worker's `count` does: points of known streams in groups.
    fn gather(&mut self, point: &Point<'_>) {
        if !self.group.gather(point, ()) {
            black_box(self.count(point));
        } else if self.group.is_full() {
            self.count_group();
        }
    }

    fn count_group(&mut self) {
        let strangers = self.streams.look_up(&mut self.group);
        assert!(!strangers, "all streams are there");
        self.streams.draw_near(&self.group);
        let mut group = std::mem::take(&mut self.group);
        for gathered in group.drain() {
            black_box(
                self.streams.apply_gathered(&gathered, gathered.point().time).is_some_and(|applied| applied.is_ok()),
            );
        }
        self.group = group;
    }

    /// The variation whose turn it is, and when.
    fn turn(&mut self) -> (u64, UnixNanos) {
        let (round, place) = (self.pass / self.variations, self.pass % self.variations);
        self.pass += 1;
        // A large stride that meets all: variations that follow each other are not neighbours.
        (place * 617 % self.variations, BEGIN.plus(MINUTE * u32::try_from(round).unwrap_or(u32::MAX)))
    }

    /// Whether it counted.
    fn count(&mut self, point: &Point<'_>) -> bool {
        let known = |_: &mut Contexts| -> Identity { unreachable!("all streams are there") };
        let applied = self.streams.apply(point, known, point.time);
        applied.is_ok_and(|applied| matches!(applied.outcome, Outcome::Counted { .. }))
    }
}

/// ns a point.
pub(super) fn measure(effort: Effort) -> anyhow::Result<Table> {
    let payload = standard_payload(POINTS, 1);
    let points = number_points(&payload)?;
    let worker = RefCell::new(Worker::filled(&payload)?);
    worker.borrow_mut().age(&points);
    check(&worker, &points)?;
    let (mut reading, mut counting) = (Scratch::new(), Scratch::new());
    let mut few = Worker::few(&payload)?;
    few.age(&points);
    let cases = vec![
        Case::new("lookup and add, 1,000 streams only, all in the cache", u64::from(POINTS), || few.pass(&points)),
        Case::new("walk and identity", u64::from(POINTS), || {
            black_box(
                read(payload.bytes(), &mut reading, |found| {
                    black_box(found.point.stream);
                })
                .is_ok(),
            );
        }),
        Case::new("lookup and add", u64::from(POINTS), || worker.borrow_mut().pass(&points)),
        Case::new("walk, identity, lookup and add", u64::from(POINTS), || {
            let mut worker = worker.borrow_mut();
            let (variation, time) = worker.turn();
            black_box(
                read(payload.bytes(), &mut counting, |found| {
                    worker.gather(&at(found.point, variation, time));
                })
                .is_ok(),
            );
            worker.count_group();
        }),
    ];
    let budgets = [None, None, Some(BUDGET), None];
    let mut table = Table::new(&["1 M streams, ns a point", "median", "best", "M points/s a core", "budget"]);
    for (figure, budget) in side_by_side(cases, effort).into_iter().zip(budgets) {
        let numbers =
            [format!("{:.0}", figure.median), format!("{:.0}", figure.best), format!("{:.1}", 1e3 / figure.median)];
        table.row([figure.name].into_iter().chain(numbers).chain([against(budget, figure.median)]));
    }
    Ok(table)
}

/// What is timed must be what it says: every point of a pass counts.
fn check(worker: &RefCell<Worker>, points: &[Point<'static>]) -> anyhow::Result<()> {
    let mut worker = worker.borrow_mut();
    let (variation, time) = worker.turn();
    let counted = points.iter().filter(|point| worker.count(&at(**point, variation, time))).count();
    anyhow::ensure!(counted == points.len(), "only {counted} points count");
    Ok(())
}

/// Bytes a stream, by what the process has resident before and after.
pub(super) fn memory() -> anyhow::Result<Table> {
    let payload = standard_payload(POINTS, 1);
    let points = number_points(&payload)?;
    let before = resident_bytes()? as f64;
    let mut worker = Worker::filled(&payload)?;
    let filled = resident_bytes()? as f64;
    worker.age(&points);
    let counted = resident_bytes()? as f64;
    let translation = Translation::default();
    let all = (0..worker.streams.slots()).filter_map(|slot| worker.streams.get(slot));
    let labels: Vec<Labels> = all.map(|stream| Labels::of(stream.identity(), &translation)).collect();
    let labelled = resident_bytes()? as f64;
    anyhow::ensure!(labels.len() as f64 == STREAMS, "a stream has no labels");

    let mut table = Table::new(&["bytes a stream, 1 M sums of 8 attributes", "resident", "budget"]);
    let mut row = |name: &str, bytes: f64, budget| {
        table.row([name.to_owned(), format!("{:.0}", bytes / STREAMS), against(budget, bytes / STREAMS)]);
    };
    row("state and identity, after one point each", filled - before, None);
    row("more after seven points each, a minute apart", counted - filled, None);
    row("labels, encoded for export", labelled - counted, None);
    row("together", labelled - before, Some(BUDGET_BYTES));
    let own = worker.streams.memory_use();
    row("as the accumulator itself counts, without labels", own.total() as f64, None);
    Ok(table)
}

fn identity(found: &PointRef<'_>, contexts: &mut Contexts) -> Identity {
    let context = contexts.intern(found.context.digest(), || found.context.to_context());
    Identity { context, attributes: found.attributes.to_frames() }
}

/// The same point of another stream, at another time.
fn at(point: Point<'_>, variation: u64, time: UnixNanos) -> Point<'_> {
    // Odd, with bits all over: what is added to a random id leaves it random.
    let step = u128::from(variation) * 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let stream = StreamId::from_digest(point.stream.digest().wrapping_add(step));
    Point { stream, start: time.minus(MINUTE), time, ..point }
}

/// The payload's points, without their bytes.
fn number_points(payload: &StandardPayload) -> anyhow::Result<Vec<Point<'static>>> {
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
