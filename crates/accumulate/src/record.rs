//! One stream: what it keeps, how a point changes it, and how it is seen from outside.
//!
//! What every point needs stands in [`Record`], two cache lines; what only export needs stands in [`Details`], elsewhere.

use std::sync::Arc;

use shardset_model::{Context, Exemplar, Identity, MetricKind, Point, StreamId, UnixMillis, UnixNanos, Value};

use crate::applied::Effect;
use crate::exemplars::Exemplars;
use crate::memory::{Counted, Memory, Reach};
use crate::state::State;

/// The hot part of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: StreamId,
    /// The start of the total, or of the point passed on.
    pub(crate) start: UnixNanos,
    pub(crate) state: State,
    /// Of a stream that is passed on, the floor is the time of its newest point.
    pub(crate) memory: Memory,
    /// When the last point that counted arrived.
    pub(crate) counted_at: UnixNanos,
    /// The newest time told to any destination; [`NEVER`] before the first.
    pub(crate) told: UnixMillis,
    pub(crate) born: Stamp,
    /// The generation of the last change.
    pub(crate) changed: u32,
    pub(crate) ended: Stamp,
    /// Whether another shard has the stream: it stays as it is until it is removed.
    pub(crate) away: bool,
}

/// Stands for "not told yet".
pub(crate) const NEVER: UnixMillis = UnixMillis(i64::MIN);

/// The cold part of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Details {
    pub(crate) identity: Identity,
    pub(crate) exemplars: Option<Box<Exemplars>>,
}

/// The generation of something that destinations must be told once, and whether one was told.
///
/// Generations are counted from 1 by each process; 0 stands for an earlier life of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp(u32);

impl Stamp {
    /// It did not happen.
    pub(crate) const NONE: Self = Self(0);
    /// It happened in an earlier life and was told then.
    pub(crate) const EARLIER: Self = Self(Self::HAPPENED | Self::TOLD);
    const TOLD: u32 = 1 << 31;
    const HAPPENED: u32 = 1 << 30;
    const GENERATION: u32 = Self::HAPPENED - 1;

    pub(crate) const fn at(generation: u32) -> Self {
        Self(generation & Self::GENERATION | Self::HAPPENED)
    }

    pub(crate) const fn generation(self) -> Option<u32> {
        if self.0 & Self::HAPPENED == 0 { None } else { Some(self.0 & Self::GENERATION) }
    }

    pub(crate) const fn is_told(self) -> bool {
        self.0 & Self::TOLD != 0
    }

    const fn tell(&mut self) {
        if self.0 & Self::HAPPENED != 0 {
            self.0 |= Self::TOLD;
        }
    }

    /// As it is in the next life: told earlier, or still to be told.
    pub(crate) const fn renewed(self, generation: u32) -> Self {
        match (self.generation(), self.is_told()) {
            (None, _) => Self::NONE,
            (Some(_), true) => Self::EARLIER,
            (Some(_), false) => Self::at(generation),
        }
    }
}

/// What a stream needs to know to change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) reach: Reach,
    pub(crate) max_buckets: u32,
    pub(crate) generation: u32,
}

impl Record {
    /// A stream that has counted nothing yet.
    pub(crate) fn new(id: StreamId, floor: u64, now: UnixNanos, generation: u32) -> Self {
        Self {
            id,
            start: UnixNanos::UNKNOWN,
            state: State::Missing,
            memory: Memory::with_floor(floor),
            counted_at: now,
            told: NEVER,
            born: Stamp::at(generation),
            changed: generation,
            ended: Stamp::NONE,
            away: false,
        }
    }

    /// Adds a delta.
    #[inline]
    pub(crate) fn count(&mut self, point: &Point<'_>, fingerprint: u32, now: UnixNanos, rules: &Rules) -> Effect {
        let first = matches!(self.state, State::Missing);
        let effect = self.state.add(&point.value, rules.max_buckets);
        if first {
            self.start = point.start;
        }
        if effect == Effect::BoundsChanged {
            self.start = point.start;
            self.born = Stamp::at(rules.generation);
        }
        let counted = Counted { time: point.time.0, fingerprint, arrival: seconds(now) };
        self.memory.remember(counted, point.start.0, &rules.reach);
        self.arrive(now, rules.generation);
        effect
    }

    /// Takes the point's place as the newest one to pass on.
    pub(crate) fn pass_on(&mut self, point: &Point<'_>, now: UnixNanos, generation: u32) {
        self.state = State::of(&point.value, u32::MAX);
        self.start = point.start;
        self.memory.raise_floor(point.time.0);
        self.arrive(now, generation);
    }

    /// Ends the stream until its next point; its total stays.
    pub(crate) fn end(&mut self, generation: u32) {
        if self.ended == Stamp::NONE {
            self.ended = Stamp::at(generation);
        }
    }

    pub(crate) fn tell(&mut self, time: UnixMillis) {
        self.told = self.told.max(time);
        self.born.tell();
        self.ended.tell();
    }

    /// Reads a word of each cache line that counting needs, and says something of both.
    #[inline]
    pub(crate) fn touch(&self) -> u32 {
        self.id.high64() as u32 ^ self.changed ^ self.memory.floor() as u32 ^ self.counted_at.0 as u32
    }

    /// A destination is about to be told its zero, or has been.
    pub(crate) fn tell_zero(&mut self, time: UnixMillis, is_told: bool) {
        self.told = self.told.max(time);
        if is_told {
            self.born.tell();
        }
    }

    fn arrive(&mut self, now: UnixNanos, generation: u32) {
        self.counted_at = now;
        self.changed = generation;
        self.ended = Stamp::NONE;
    }
}

/// Seconds since the Unix epoch, until 2106.
pub(crate) const fn seconds(time: UnixNanos) -> u32 {
    let seconds = time.0 / 1_000_000_000;
    if seconds > u32::MAX as u64 { u32::MAX } else { seconds as u32 }
}

/// A stream as export sees it.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    pub(crate) record: &'a Record,
    pub(crate) details: &'a Details,
}

impl<'a> Stream<'a> {
    /// The stream's id.
    pub const fn id(self) -> StreamId {
        self.record.id
    }

    /// What the stream is.
    pub const fn identity(self) -> &'a Identity {
        &self.details.identity
    }

    /// What it shares with the other streams of its metric.
    pub const fn context(self) -> &'a Arc<Context> {
        &self.details.identity.context
    }

    /// The type of its metric.
    pub fn kind(self) -> MetricKind {
        self.details.identity.context.kind
    }

    /// The start of the total, of the first point that counted; of a stream that is passed on, its newest point's.
    pub const fn start(self) -> UnixNanos {
        self.record.start
    }

    /// The total; of a stream that is passed on, its newest point.
    pub fn value(self) -> Value<'a> {
        self.record.state.view()
    }

    /// The own time of a point that is passed on; `None` where the stream is accumulated and stamped by the tick.
    pub fn own_time(self) -> Option<UnixNanos> {
        (!self.kind().is_delta()).then(|| UnixNanos(self.record.memory.floor()))
    }

    /// The generation in which the total began. 0 where an earlier life of the stream told its first value; a histogram whose
    /// bounds change is born again.
    pub fn born(self) -> u32 {
        self.record.born.generation().unwrap_or(0)
    }

    /// Whether a destination was told its first value, or the zero before it.
    pub const fn is_birth_told(self) -> bool {
        self.record.born.is_told()
    }

    /// Whether another shard has the stream, and this one only keeps what it sent.
    pub const fn is_away(self) -> bool {
        self.record.away
    }

    /// The generation of the last change of its value.
    pub const fn changed(self) -> u32 {
        self.record.changed
    }

    /// The generation in which it ended, until a point comes again; 0 where an earlier life told the end.
    pub const fn ended(self) -> Option<u32> {
        self.record.ended.generation()
    }

    /// The newest time that was told to any destination, by earlier lives too.
    pub fn told(self) -> Option<UnixMillis> {
        (self.record.told != NEVER).then_some(self.record.told)
    }

    /// When the last point that counted arrived.
    pub const fn counted_at(self) -> UnixNanos {
        self.record.counted_at
    }

    /// The newest exemplars that came after generation `done`: at most 10, in the order of arrival.
    pub fn exemplars_since(self, done: u32) -> impl Iterator<Item = Exemplar<'a>> {
        self.details.exemplars.iter().flat_map(move |exemplars| exemplars.since(done))
    }
}

const _: () = assert!(size_of::<Option<Record>>() <= 128, "a stream takes two cache lines");
