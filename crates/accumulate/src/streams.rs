//! All streams of one shard.

mod apply;
mod group;
mod life;
mod park;
mod replay;
mod rest;

pub use self::group::{GROUP, Gathered, Group};
pub use self::replay::Replay;

use shardset_model::{Identity, Point, Refusal, StreamId, UnixMillis, UnixNanos};

use crate::applied::Applied;
use crate::contexts::Contexts;
use crate::idle::IdleStreams;
use crate::index::Index;
use crate::memory::Reach;
use crate::parked::Parked;
use crate::record::{Details, NEVER, Record, Rules, Stream};
use crate::settings::{Settings, Writers};
use crate::slab::Slab;
use crate::tombstones::Tombstones;

/// The most buckets that any range of doubles takes at scale -10, and one to spare.
const LEAST_BUCKETS: u32 = 4;

/// The streams of one shard: counts points, and shows totals by *slot*.
///
/// A slot is a small number that a stream keeps while it lives; another stream may have it afterwards. A *generation* is the
/// time between two export passes, counted from 1.
#[derive(Clone, Debug)]
pub struct Streams {
    settings: Settings,
    reach: Reach,
    index: Index,
    records: Slab<Record>,
    details: Slab<Details>,
    contexts: Contexts,
    tombstones: Tombstones,
    parked: Parked,
    idle: IdleStreams,
    generation: u32,
    /// Where the next sweep goes on.
    swept: u32,
}

/// What the streams of a shard take, in bytes, without the allocator's overhead.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct MemoryUse {
    /// Streams.
    pub streams: u32,
    /// Fixed parts of streams, chunks that are not full included.
    pub slots: usize,
    /// The index and the tombstones.
    pub index: usize,
    /// Attributes, longer memories of points, histograms.
    pub heap: usize,
}

impl MemoryUse {
    /// All of it.
    pub const fn total(&self) -> usize {
        self.slots + self.index + self.heap
    }
}

impl Streams {
    /// No streams.
    pub fn new(settings: Settings) -> Self {
        let reach = Reach {
            window: settings.dedupe_seconds(),
            points: usize::from(settings.dedupe_points.max(1)),
            spans: settings.writers == Writers::One,
        };
        Self {
            settings,
            reach,
            index: Index::new(),
            records: Slab::new(),
            details: Slab::new(),
            contexts: Contexts::default(),
            tombstones: Tombstones::default(),
            parked: Parked::default(),
            idle: IdleStreams::default(),
            generation: 1,
            swept: 0,
        }
    }

    /// Counts or passes on one point that arrived at `now`. `identity` is asked only for a stream that is new.
    ///
    /// # Errors
    ///
    /// Why the point is refused for good; nothing changed.
    #[inline]
    pub fn apply(
        &mut self,
        point: &Point<'_>,
        identity: impl FnOnce(&mut Contexts) -> Identity,
        now: UnixNanos,
    ) -> Result<Applied, Refusal> {
        apply::apply(self, point, identity, now)
    }

    /// Takes no more than so many streams from now on; those that are here stay.
    pub fn limit(&mut self, max_streams: u32) {
        self.settings.max_streams = max_streams;
    }

    /// The identity that `make` gives, its context shared with the streams that are here.
    pub fn identify(&mut self, make: impl FnOnce(&mut Contexts) -> Identity) -> Identity {
        make(&mut self.contexts)
    }

    /// Makes a stream forget which points it has counted: a fault, for the simulator to notice.
    #[cfg(feature = "mutations")]
    pub fn forget_points(&mut self, slot: u32) {
        if let Some(record) = self.records.get_mut(slot) {
            record.memory = crate::memory::Memory::with_floor(0);
        }
    }

    /// Number of streams.
    pub fn len(&self) -> u32 {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One above the highest slot ever taken.
    pub fn slots(&self) -> u32 {
        self.records.end()
    }

    /// The stream in a slot.
    #[inline]
    pub fn get(&self, slot: u32) -> Option<Stream<'_>> {
        let record = self.records.get(slot)?;
        Some(Stream { record, details: self.details.get(slot)? })
    }

    /// The slot of a stream.
    pub fn find(&self, stream: StreamId) -> Option<u32> {
        self.index.find(stream, |slot| self.records.get(slot).is_some_and(|record| record.id == stream))
    }

    /// The generation that changes are stamped with now.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Begins an export pass: tells the generation that ends with it. A destination that has been told everything up to
    /// generation `done` owes itself what was born, changed or ended after `done`.
    pub fn begin_pass(&mut self) -> u32 {
        let ended = self.generation;
        self.generation += 1;
        ended
    }

    /// Notes that a destination is about to be told at `time` that the total of the stream in a slot began with zero, or that it
    /// has been. To be kept durably: before the zero goes out, so that no later owner tells anything at that time or before it; and
    /// before a value does, so that no zero comes after that.
    pub fn mark_zero(&mut self, slot: u32, time: UnixMillis, is_told: bool) {
        if let Some(record) = self.records.get_mut(slot) {
            record.tell_zero(time, is_told);
        }
    }

    /// Another shard has the stream in a slot now: it stays as it is until it is removed. Its samples may have been told up to
    /// `told`, some of them perhaps still on their way.
    pub fn set_away(&mut self, slot: u32, told: UnixMillis) {
        let kind = self.details.get(slot).map(|details| details.identity.context.kind);
        let Some((record, kind)) = self.records.get_mut(slot).zip(kind) else { return };
        record.away = true;
        // What is passed on keeps the times of its points, which ticks say nothing about. That nothing was told yet of a counter is
        // known: its zero is noted before it goes out.
        let may_be_told = record.told != NEVER || !kind.is_monotonic();
        if kind.is_delta() && may_be_told {
            record.told = record.told.max(told);
        }
    }

    /// Notes that the stream in a slot was told to a destination, at times up to `time`.
    pub fn mark_told(&mut self, slot: u32, time: UnixMillis) {
        if let Some(record) = self.records.get_mut(slot) {
            record.tell(time);
        }
    }

    /// What the streams take. Walks them all: for benchmarks and rare questions.
    pub fn memory_use(&self) -> MemoryUse {
        let heap_of = |slot| {
            let (record, details) = (self.records.get(slot)?, self.details.get(slot)?);
            Some(record.memory.heap() + record.state.heap() + details.identity.attributes.len())
        };
        MemoryUse {
            streams: self.len(),
            slots: self.records.bytes() + self.details.bytes(),
            index: self.index.bytes() + self.tombstones.bytes(),
            heap: (0..self.slots()).filter_map(heap_of).sum(),
        }
    }

    fn rules(&self) -> Rules {
        Rules {
            reach: self.reach,
            max_buckets: self.settings.max_buckets.max(LEAST_BUCKETS),
            generation: self.generation,
        }
    }

    /// Puts a stream into a slot; `false` (and no change) where the slot is taken.
    fn insert(&mut self, slot: u32, record: Record, details: Details) -> bool {
        let id = record.id;
        if !self.records.insert_at(slot, record) {
            return false;
        }
        self.details.insert_at(slot, details);
        self.index.insert(id, slot);
        self.tombstones.raise(id);
        self.idle.take(id);
        true
    }

    fn take(&mut self, slot: u32) -> Option<Record> {
        let record = self.records.remove(slot)?;
        self.details.remove(slot);
        self.index.remove(record.id, slot);
        Some(record)
    }
}

#[cfg(test)]
mod tests;
