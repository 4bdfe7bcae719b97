//! A destination's place in the shard, and the pieces of its passes.
//!
//! A pass walks every slot once. By remote write, the resources (`target_info`) and the metadata of families follow, which OTLP tells with
//! each point. It is asked for piece by piece, and each piece takes the newest tick: a pass that a slow backend drags over many ticks
//! tells of late streams what they are, not what they were when it began. Times still ascend for every series, because a pass tells each value once and
//! the next pass begins after the newest time of this one.
//!
//! A piece ends when its batch is full or when it has looked at many slots in vain, so that no piece keeps requests waiting.
//!
//! A total that is new is told in two steps: its zero, and at the end of the pass, when the destination has taken that, its value.
//! So whatever dies in between, a zero that is told once more stands where only a zero may stand. In one step the next life could
//! not know whether the value had arrived: a zero after it would read as a reset, and Prometheus refuses a request for a single
//! sample that is older than what it has.
//!
//! The end of the pass is also where streams are told again, as they are then, that were refused for the age of a piece which had
//! waited too long for its destination, or along with others that were refused.
//!
//! What a piece told is noted when it is delivered, not when it is made: a stop before that leaves the stream untold, and what
//! it told is owed again after the next start. Whom a stream was told to is not kept: after a restart, a destination that was away
//! gets the totals of streams which another one was told, without their zeros. Streams that another shard has now are told by that
//! one alone.
//!
//! Resources are told by every shard that has streams of them, since no shard knows of the others': all at the same ticks,
//! hence as the same samples. That one has ended is told only by the one shard of a set that has one.

use shardset_accumulate::{Stream, Streams};
use shardset_export::{Announcements, Batch, Form, Moment, NotEncodable, Origin, Protocol, Sample, SeriesBatch};
use shardset_model::{Exemplar, UnixMillis, UnixNanos, Value};

use super::TickClock;
use super::moments::{Life, Owed, Stamp, owed};
use crate::metrics::ShardMetrics;
use crate::shard::{Catalog, Chunk, FamilyKey, PassStamp, Telling};

/// Slots looked at in one piece; a look at a stream that is owed nothing takes some ns.
pub(crate) const LOOKS_MAX: u32 = 50_000;
/// Families announced in one piece.
const ANNOUNCEMENTS_MAX: usize = 2_000;

/// One destination's place.
#[derive(Debug)]
pub(crate) struct Desk {
    protocol: Protocol,
    /// The generation that the destination has been told up to.
    done: u32,
    /// The newest time that it has been told.
    last: UnixMillis,
    /// The tick of its last pass, counted since the Unix epoch.
    last_tick: u64,
    announced: Announcements,
    open: Option<Pass>,
}

/// A pass that is not delivered yet.
#[derive(Debug)]
struct Pass {
    upto: u32,
    time: UnixMillis,
    tick: u64,
    /// How many ticks have passed since the last pass.
    elapsed: u64,
    place: Place,
    /// Streams that were refused and may not be now, and those that have more to tell than the zero that was taken.
    again: Vec<Again>,
}

/// A stream that a pass comes back to.
#[derive(Clone, Copy, Debug)]
struct Again {
    slot: u32,
    /// Whether its zero is told.
    begun: bool,
    /// Whether it was refused.
    refused: bool,
}

/// Where a pass goes on.
#[derive(Debug)]
enum Place {
    Streams(u32),
    Resources(u32),
    Families(Option<FamilyKey>),
    Again,
    End,
}

/// What a pass sees of a shard.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) streams: &'a Streams,
    pub(crate) catalog: &'a mut Catalog,
    pub(crate) metrics: &'a ShardMetrics,
    /// How many slots one piece looks at; see [`LOOKS_MAX`].
    pub(crate) looks_max: u32,
    /// Every how many ticks an unchanged stream is repeated.
    pub(crate) heartbeat_ticks: u64,
    /// Whether this is the only shard: only then has a resource ended when no stream of it is live here.
    pub(crate) alone: bool,
}

impl Desk {
    /// A destination of this protocol that nothing was told in this life of the shard, and nothing after `last` in an earlier one.
    pub(crate) fn new(protocol: Protocol, last: UnixMillis) -> Self {
        Self { protocol, done: 0, last, last_tick: 0, announced: Announcements::new(), open: None }
    }

    /// What it speaks.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The generation that it has been told up to.
    pub(crate) fn done(&self) -> u32 {
        self.done
    }

    /// The newest time that it has been told, or is being told.
    pub(crate) fn last(&self) -> UnixMillis {
        self.last
    }

    /// Begins a pass that tells what happened up to generation `upto`.
    pub(crate) fn open(&mut self, upto: u32, stamp: PassStamp, clock: &mut TickClock, now: UnixNanos) {
        let time = match stamp {
            PassStamp::Tick => clock.after(self.last, now),
            PassStamp::Now => clock.at_once(self.last, now),
        };
        let tick = clock.tick_of(time);
        let elapsed = tick.saturating_sub(self.last_tick);
        self.open = Some(Pass { upto, time, tick, elapsed, place: Place::Streams(0), again: Vec::new() });
    }

    /// A piece of the open pass is delivered. `noted` is told of each stream that is told now.
    pub(crate) fn delivered(&mut self, told: &[Telling], streams: &mut Streams, mut noted: impl FnMut(Telling)) {
        let Some(pass) = &mut self.open else { return };
        for &telling in told {
            // The slot may have changed hands while the piece was under way. A stream that has ended meanwhile was told neither
            // its end nor, perhaps, its last total: noted now, it would count as told in its next life, and never be.
            let is_as_told = |stream: Stream<'_>| {
                let since = |generation: u32| generation > pass.upto;
                let ended = !telling.is_zero && stream.ended().is_some_and(since);
                !since(stream.born()) && !ended && !stream.is_away()
            };
            if !streams.get(telling.slot).is_some_and(is_as_told) {
                continue;
            }
            if telling.is_zero {
                streams.mark_zero(telling.slot, telling.time, true);
                pass.again.push(Again { slot: telling.slot, begun: true, refused: false });
            } else {
                streams.mark_told(telling.slot, telling.time);
            }
            noted(telling);
        }
    }

    /// These streams of the open pass were `refused`, or did not go out; they are told at its end, as they are then.
    pub(crate) fn tell_again(&mut self, told: &[Telling], refused: bool) {
        if let Some(pass) = &mut self.open {
            let again = |&Telling { slot, is_zero, is_again, .. }: &Telling| Again {
                slot,
                begun: !is_zero,
                refused: refused || is_again,
            };
            pass.again.extend(told.iter().map(again));
        }
    }

    /// Ends the pass if everything it has to tell is delivered; says whether it has ended.
    pub(crate) fn close(&mut self) -> bool {
        if self.open.as_ref().is_some_and(|pass| !pass.again.is_empty()) {
            return false;
        }
        if let Some(pass) = self.open.take() {
            self.done = pass.upto;
            self.last_tick = pass.tick;
        }
        true
    }

    /// The next piece of the pass; an empty last one where none is open.
    pub(crate) fn chunk(&mut self, view: &mut View<'_>, tick: UnixMillis) -> Chunk {
        let mut chunk = Chunk::empty(self.protocol);
        let Some(mut pass) = self.open.take() else { return Chunk { last: true, ..chunk } };
        pass.time = pass.time.max(tick);
        self.last = pass.time;
        pass.place = match std::mem::replace(&mut pass.place, Place::End) {
            Place::Streams(from) => self.streams(from, &pass, view, &mut chunk),
            Place::Resources(from) => match &mut chunk.batch {
                Batch::Series(batch) => self.resources(from, &pass, view, batch),
                Batch::Points(_) => Place::End,
            },
            Place::Families(after) => match &mut chunk.batch {
                Batch::Series(batch) => self.families(after.as_ref(), &pass, view.catalog, batch),
                Batch::Points(_) => Place::End,
            },
            Place::Again | Place::End => {
                let streams = std::mem::take(&mut pass.again);
                pass.again = self.again(streams, &pass, view, &mut chunk);
                if pass.again.is_empty() { Place::End } else { Place::Again }
            }
        };
        chunk.last = matches!(pass.place, Place::End);
        self.open = Some(pass);
        chunk
    }

    fn streams(&self, from: u32, pass: &Pass, view: &mut View<'_>, chunk: &mut Chunk) -> Place {
        let mut moments = Vec::with_capacity(3);
        for slot in from..view.streams.slots() {
            if chunk.batch.is_full() || slot - from >= view.looks_max {
                return Place::Streams(slot);
            }
            self.tell(Again { slot, begun: false, refused: false }, pass, view, chunk, &mut moments);
        }
        Place::Resources(0)
    }

    /// Tells these streams as they are now; gives back those for which the piece has no room.
    fn again(&self, mut streams: Vec<Again>, pass: &Pass, view: &mut View<'_>, chunk: &mut Chunk) -> Vec<Again> {
        let mut moments = Vec::with_capacity(3);
        while !chunk.batch.is_full()
            && let Some(stream) = streams.pop()
        {
            self.tell(stream, pass, view, chunk, &mut moments);
        }
        streams
    }

    /// Puts into the piece what the pass owes of one stream.
    fn tell(&self, which: Again, pass: &Pass, view: &mut View<'_>, chunk: &mut Chunk, moments: &mut Vec<Moment>) {
        let slot = which.slot;
        let Some(stream) = view.streams.get(slot).filter(|stream| !stream.is_away()) else { return };
        let owes = Owed { begun: which.begun, too_far_back: which.refused, ..self.owed(pass, slot, view) };
        owed(&Life::of(stream), &owes, moments);
        let Some(newest) = moments.last() else { return };
        let is_zero = newest.form == Form::Zero;
        let exemplars: Vec<Exemplar<'_>> = stream.exemplars_since(self.done).filter(|_| !is_zero).collect();
        let sample = Sample { value: stream.value(), moments, exemplars: &exemplars };
        let entry = chunk.batch.entries();
        match append(&mut chunk.batch, slot, stream, view.catalog, &sample) {
            Ok(true) => chunk.told.push(Telling { slot, time: newest.time, entry, is_zero, is_again: which.refused }),
            Ok(false) => {}
            Err(reason) => view.metrics.not_encodable(reason.reason()),
        }
    }

    fn resources(&self, from: u32, pass: &Pass, view: &View<'_>, batch: &mut SeriesBatch) -> Place {
        let mut moments = Vec::with_capacity(1);
        let family = view.catalog.target_info();
        for (id, resource) in view.catalog.resources(from) {
            if batch.is_full() {
                return Place::Resources(id);
            }
            if resource.gone.is_some() && !view.alone {
                continue;
            }
            let (born, stamp) = (resource.born, Stamp::Tick { zero: None });
            let life = Life { born, changed: born, ended: resource.gone, stamp, told: None, is_birth_told: false };
            owed(&life, &self.owed(pass, id, view), &mut moments);
            let sample = Sample { value: Value::Int(1), moments: &moments, exemplars: &[] };
            if let Err(reason) = batch.append(family, &resource.labels, &sample) {
                view.metrics.not_encodable(reason.reason());
            }
        }
        Place::Families(None)
    }

    fn families(
        &mut self,
        after: Option<&FamilyKey>,
        pass: &Pass,
        catalog: &Catalog,
        batch: &mut SeriesBatch,
    ) -> Place {
        for (announced, (key, family)) in catalog.families_after(after).enumerate() {
            self.announced.announce(batch, family, pass.time);
            if batch.is_full() || announced + 1 >= ANNOUNCEMENTS_MAX {
                return Place::Families(Some(key.clone()));
            }
        }
        Place::End
    }

    /// What the pass owes the stream or resource at `position`. Heartbeats are spread over the ticks by position; those of
    /// ticks that were left out are made up for.
    fn owed(&self, pass: &Pass, position: u32, view: &View<'_>) -> Owed {
        let since_beat = (pass.tick + u64::from(position)) % view.heartbeat_ticks;
        let heartbeat = since_beat < pass.elapsed;
        Owed { done: self.done, upto: pass.upto, time: pass.time, heartbeat, begun: false, too_far_back: false }
    }
}

/// Appends a stream as its destination is told of it; `false` where nothing is left of its metric's name there.
fn append(
    batch: &mut Batch,
    slot: u32,
    stream: Stream<'_>,
    catalog: &mut Catalog,
    sample: &Sample<'_>,
) -> Result<bool, NotEncodable> {
    match batch {
        Batch::Series(batch) => {
            let Some((family, labels)) = catalog.told(slot, stream.identity()) else { return Ok(false) };
            batch.append(family, labels, sample)?;
        }
        Batch::Points(batch) => {
            let (identity, start, own_time) = (stream.identity(), stream.start(), stream.own_time());
            batch.append(&Origin { identity, start, own_time }, sample)?;
        }
    }
    Ok(true)
}

impl Life {
    fn of(stream: Stream<'_>) -> Self {
        let stamp = match stream.own_time() {
            Some(own) => Stamp::Own(own.millis()),
            None => Stamp::Tick { zero: stream.kind().is_monotonic().then(|| stream.start()) },
        };
        let (born, changed, ended) = (stream.born(), stream.changed(), stream.ended());
        Self { born, changed, ended, stamp, told: stream.told(), is_birth_told: stream.is_birth_told() }
    }
}

#[cfg(test)]
mod tests;
