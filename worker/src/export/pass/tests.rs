//! Two destinations, passes that points come into the middle of, pieces of one slot: whatever the order, what each
//! destination is told is in order, begins with one zero, and ends at the totals.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus_client::registry::Registry;
use proptest::prelude::*;
use prost::Message;
use shardset_accumulate::{Change, Contexts, Settings, Streams};
use shardset_export::{Protocol, Translation};
use shardset_model::{
    Context, Identity, MetricKind, Point, ShardCount, StreamId, Temporality, UnixMillis, UnixNanos, Value,
};

use super::{Desk, View};
use crate::export::TickClock;
use crate::metrics::{Metrics, ShardMetrics};
use crate::shard::{Catalog, Chunk, PassStamp, Telling};

const SECOND: u64 = 1_000_000_000;
const BEGIN: u64 = 1_000_000 * SECOND;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<Series>,
}

#[derive(Clone, PartialEq, Message)]
struct Series {
    #[prost(bytes = "vec", repeated, tag = "1")]
    labels: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    time: i64,
}

/// A shard of counters that never end, and what two destinations were told of it.
struct World {
    streams: Streams,
    catalog: Catalog,
    clock: TickClock,
    metrics: ShardMetrics,
    desks: [Desk; 2],
    is_open: [bool; 2],
    told: [BTreeMap<Vec<Vec<u8>>, Vec<Sample>>; 2],
    totals: BTreeMap<u8, u64>,
    now: UnixNanos,
    sent: u64,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A delta of 1 for this stream.
    Point(u8),
    /// A piece for this destination, or a new pass where it has none open.
    Piece(usize),
    /// Time passes, in tenths of a tick; it may go back.
    Time(i8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![(0..6_u8).prop_map(Step::Point), (0..2_usize).prop_map(Step::Piece), (-5..15_i8).prop_map(Step::Time)]
}

impl World {
    fn new() -> Self {
        let shard = ShardCount::ONE.shard(0).unwrap();
        Self {
            streams: Streams::new(Settings::default()),
            catalog: Catalog::new(Translation { target_info: false, ..Translation::default() }),
            clock: TickClock::new(Duration::from_secs(10), UnixMillis(0)),
            metrics: Metrics::register(&mut Registry::default()).of(shard),
            desks: [(); 2].map(|()| Desk::new(Protocol::RemoteWrite, UnixMillis(0))),
            is_open: [false; 2],
            told: Default::default(),
            totals: BTreeMap::new(),
            now: UnixNanos(BEGIN),
            sent: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Point(stream) => self.point(stream),
            Step::Piece(destination) => self.piece(destination),
            Step::Time(tenths) => {
                self.now = UnixNanos(self.now.0.saturating_add_signed(i64::from(tenths) * SECOND as i64))
            }
        }
    }

    fn point(&mut self, stream: u8) {
        self.sent += 1;
        let kind = MetricKind::Sum { temporality: Temporality::Delta, monotonic: true };
        let point = Point {
            stream: StreamId::from_digest(u128::from(stream) + 1),
            kind,
            start: UnixNanos(BEGIN - 30 * SECOND),
            time: UnixNanos(BEGIN + self.sent),
            no_recorded_value: false,
            value: Value::Int(1),
            exemplars: &[],
        };
        let identity = |contexts: &mut Contexts| Identity {
            context: contexts.intern(u128::from(stream), || context(stream, kind)),
            attributes: Box::default(),
        };
        let applied = self.streams.apply(&point, identity, self.now).unwrap();
        if applied.created {
            let slot = applied.slot.unwrap();
            self.catalog.enter(slot, self.streams.get(slot).unwrap().identity(), self.streams.generation());
        }
        *self.totals.entry(stream).or_default() += 1;
    }

    fn piece(&mut self, destination: usize) {
        if !self.is_open[destination] {
            let upto = self.streams.begin_pass();
            self.desks[destination].open(upto, PassStamp::Tick, &mut self.clock, self.now);
            self.is_open[destination] = true;
        }
        let chunk = self.chunk(destination);
        for series in WriteRequest::decode(chunk.batch.message().as_slice()).unwrap().series {
            self.told[destination].entry(series.labels).or_default().extend(series.samples);
        }
        let desk = &mut self.desks[destination];
        desk.delivered(&chunk.told, &mut self.streams, |_| {});
        if chunk.last && desk.close() {
            self.is_open[destination] = false;
        }
    }

    fn chunk(&mut self, destination: usize) -> Chunk {
        let tick = self.clock.current(self.now);
        let mut view = View {
            streams: &self.streams,
            catalog: &mut self.catalog,
            metrics: &self.metrics,
            looks_max: 1,
            heartbeat_ticks: 4,
            alone: true,
        };
        self.desks[destination].chunk(&mut view, tick)
    }

    /// Ends the pass that is open and makes one more.
    fn finish(&mut self, destination: usize) {
        for _ in 0..2 {
            self.piece(destination);
            while self.is_open[destination] {
                self.piece(destination);
            }
        }
    }
}

fn context(stream: u8, kind: MetricKind) -> Context {
    Context {
        resource_attributes: Box::default(),
        scope_name: Box::default(),
        scope_version: Box::default(),
        scope_attributes: Box::default(),
        name: format!("stream_{stream}").into(),
        unit: Box::default(),
        description: Box::default(),
        kind,
    }
}

#[test]
fn a_stream_that_ends_while_its_total_is_under_way_is_told_its_last_one_in_its_next_life() {
    let mut world = World::new();
    world.point(0);
    let desk = &mut world.desks[0];
    desk.open(world.streams.begin_pass(), PassStamp::Tick, &mut world.clock, world.now);
    let first = world.chunk(0);
    // The backend takes its time. Meanwhile there is another point, and then silence.
    world.point(0);
    world.now = UnixNanos(BEGIN + 3600 * SECOND);
    assert_eq!(world.streams.sweep(world.now, 1, |_| {}).ended, 1);
    world.desks[0].delivered(&first.told, &mut world.streams, |_| {});

    let mut kept = Vec::new();
    world.streams.encode_stream(0, &mut kept);
    let mut next = World::new();
    let slot = next.streams.install(&kept, &mut Vec::new()).unwrap();
    next.catalog.enter(slot, next.streams.get(slot).unwrap().identity(), next.streams.generation());
    next.now = world.now;
    next.finish(0);
    let told: Vec<f64> = next.told[0].values().flatten().map(|sample| sample.value).collect();
    assert!(told.contains(&2.0), "{told:?}");
}

#[test]
fn a_value_goes_out_when_its_zero_is_taken_and_a_next_life_tells_the_same_zero_until_then() {
    let mut world = World::new();
    world.point(1);
    let desk = &mut world.desks[0];
    desk.open(world.streams.begin_pass(), PassStamp::Tick, &mut world.clock, world.now);
    let zero = |telling: &Telling| (telling.is_zero, telling.time);
    let first = world.chunk(0);
    let at_start = (true, UnixNanos(BEGIN - 30 * SECOND).millis());
    assert_eq!(first.told.iter().map(zero).collect::<Vec<_>>(), [at_start]);

    let mut next = World::new();
    next.now = world.now.plus(Duration::from_secs(20));
    let mut changes = Vec::new();
    Change::Zero { slot: 0, time: first.told[0].time, is_told: false }.write(&mut changes);
    next.point(1);
    next.streams.replay(&changes).unwrap();
    for destination in [0, 1] {
        next.finish(destination);
        let told: Vec<Sample> = next.told[destination].values().flatten().copied().collect();
        assert_eq!((told[0].value, told[1].value, told.len()), (0.0, 1.0, 2), "{destination}: {told:?}");
    }
    let told: Vec<i64> = next.told[0].values().flatten().map(|sample| sample.time).collect();
    assert_eq!(told[0], at_start.1.0, "the same sample");
}

#[test]
fn a_zero_that_did_not_go_out_is_told_as_it_was_and_one_that_was_refused_right_before_its_value() {
    let mut world = World::new();
    world.point(1);
    world.desks[0].open(world.streams.begin_pass(), PassStamp::Tick, &mut world.clock, world.now);
    let mut told = world.chunk(0).told;
    let mut times = vec![told[0].time];
    for refused in [false, true] {
        world.desks[0].tell_again(&told, refused);
        told.clear();
        while told.is_empty() {
            told = world.chunk(0).told;
        }
        times.push(told[0].time);
    }
    let at_start = UnixNanos(BEGIN - 30 * SECOND).millis();
    assert_eq!(times, [at_start, at_start, UnixNanos(BEGIN).millis().minus_millis(1)]);
}

proptest! {
    #[test]
    fn each_destination_is_told_in_order_one_zero_and_at_last_the_totals(steps in prop::collection::vec(step(), 0..200)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        for destination in [0, 1] {
            world.finish(destination);
            let told = &world.told[destination];
            prop_assert_eq!(told.len(), world.totals.len());
            for samples in told.values() {
                prop_assert!(samples.windows(2).all(|pair| pair[0].time < pair[1].time), "out of order: {:?}", samples);
                prop_assert!(samples.windows(2).all(|pair| pair[0].value <= pair[1].value), "went back: {:?}", samples);
                prop_assert_eq!(samples.iter().filter(|sample| sample.value == 0.0).count(), 1);
            }
            let mut last: Vec<u64> = told.values().map(|samples| samples.last().unwrap().value as u64).collect();
            let mut totals: Vec<u64> = world.totals.values().copied().collect();
            last.sort_unstable();
            totals.sort_unstable();
            prop_assert_eq!(last, totals);
        }
    }
}
