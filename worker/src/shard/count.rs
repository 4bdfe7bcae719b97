//! Counting the points of one request.
//!
//! Numbers, nearly all points there are, are gathered and counted in groups; see [`shardset_accumulate::Group`]. All others
//! are counted as they come. A point of a new stream is counted while its metric is at hand, because it needs its identity.

use std::sync::Arc;

use shardset_accumulate::{Applied, Contexts, Effect, Gathered, Group, Outcome, Place};
use shardset_handoff::{Shard as Core, Taken};
use shardset_journal::Storage;
use shardset_model::{Identity, Point, Refusal, StreamId, UnixNanos};
use shardset_otlp::read::{AttributesAt, ContextRef, PointRef, Scratch, Visitor, read, read_metrics};
use shardset_wire::ExportAnswer;

use super::refusals::Refusals;
use super::{Catalog, Shard, Unserved};
use crate::metrics::Tally;

impl<S: Storage> Shard<S> {
    /// Counts every point of `request`, which was checked, and appends what changed to the journal.
    ///
    /// # Errors
    ///
    /// Some of its points are another shard's. The others are counted; the sender knows of none.
    pub(super) fn count(&mut self, request: &[u8], now: UnixNanos) -> Result<ExportAnswer, Unserved> {
        let Self { core, persist, idle, catalog, scratch, group, metrics, .. } = self;
        let read = &mut |place| idle.read(place);
        let (tally, refusals) = (Tally::default(), Refusals::default());
        let (missed, changes) = (Vec::new(), persist.changes());
        let mut count = Count { request, core, catalog, group, tally, refusals, missed, changes, read, now };
        read_metrics(request, scratch, &mut count).expect(CHECKED);
        count.group();
        count.missed(scratch);
        let Count { tally, refusals, .. } = count;
        metrics.add(&tally);
        self.follow_slots();
        if tally.foreign > 0 {
            tracing::error!(points = tally.foreign, "points of streams that another shard owns were sent here");
            return Err(Unserved::Foreign);
        }
        if tally.unreadable > 0 {
            return Err(Unserved::Unreadable(
                "points of it are of streams on the disk that can not be read".to_owned(),
            ));
        }
        Ok(refusals.into_answer())
    }
}

const CHECKED: &str = "a request is checked when it is admitted";

/// One request on its way into the streams.
struct Count<'a> {
    request: &'a [u8],
    core: &'a mut Core,
    catalog: &'a mut Catalog,
    group: &'a mut Group<Origin>,
    tally: Tally,
    refusals: Refusals,
    /// Points, by their ordinals, that were taken for points of known streams and are not: next to never any.
    missed: Vec<u64>,
    changes: &'a mut Vec<u8>,
    /// Reads a stream that is not in memory.
    read: &'a mut dyn FnMut(Place) -> Option<Vec<u8>>,
    now: UnixNanos,
}

/// What is known of a gathered point beside the point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Which of the request's points it is.
    ordinal: u64,
    resource_index: u32,
    attributes: AttributesAt,
}

impl Visitor for Count<'_> {
    #[inline]
    fn point(&mut self, read: &PointRef<'_>) {
        let (ordinal, resource_index) = (self.tally.received, read.resource_index);
        let origin = Origin { ordinal, resource_index, attributes: read.attributes.place() };
        self.tally.received += 1;
        if !self.group.gather(&read.point, origin) {
            self.one(&read.point, resource_index, read.context, || read.attributes.to_frames());
        } else if self.group.is_full() {
            self.look_up(read.context);
            self.group();
        }
    }

    fn metric_end(&mut self, context: ContextRef<'_>) {
        self.look_up(context);
    }
}

impl Count<'_> {
    /// Looks up the points of this context that were gathered, and counts those of new streams.
    fn look_up(&mut self, context: ContextRef<'_>) {
        if !self.core.streams().look_up(self.group) {
            return;
        }
        let strangers: Vec<_> = self.group.strangers().collect();
        for stranger in strangers {
            let Origin { resource_index, attributes, .. } = stranger.origin;
            let request = self.request;
            self.one(&stranger.point(), resource_index, context, || attributes.to_frames(request));
        }
    }

    /// Counts the group.
    fn group(&mut self) {
        self.core.streams().draw_near(self.group);
        let mut group = std::mem::take(self.group);
        for gathered in group.drain() {
            match self.core.streams_mut().apply_gathered(&gathered, self.now) {
                Some(Ok(applied)) => self.applied(&applied, &gathered.point()),
                Some(Err(refusal)) => self.refuse_gathered(&gathered, refusal),
                None => self.missed.push(gathered.origin.ordinal),
            }
        }
        *self.group = group;
    }

    /// Counts the points that were missed, in a second reading.
    fn missed(&mut self, scratch: &mut Scratch) {
        if self.missed.is_empty() {
            return;
        }
        let (request, mut missed) = (self.request, std::mem::take(&mut self.missed));
        missed.sort_unstable();
        let mut ordinal = 0;
        let contents = read(request, scratch, |read| {
            if missed.binary_search(&ordinal).is_ok() {
                self.one(&read.point, read.resource_index, read.context, || read.attributes.to_frames());
            }
            ordinal += 1;
        });
        contents.expect(CHECKED);
    }

    /// Takes a stream back into memory that was silent for long. `false` where it can not be read: its point is not counted.
    fn wake(&mut self, stream: StreamId) -> bool {
        let Some(place) = self.core.streams().place_of(stream) else { return true };
        let encoded = (self.read)(place);
        let woken = encoded.is_some_and(|encoded| self.core.wake(&encoded, self.changes).is_ok());
        self.tally.unreadable += u64::from(!woken);
        woken
    }

    fn one(
        &mut self,
        point: &Point<'_>,
        resource_index: u32,
        context: ContextRef<'_>,
        attributes: impl FnOnce() -> Box<[u8]>,
    ) {
        if self.core.streams().idle() > 0 && !self.wake(point.stream) {
            return;
        }
        let identity = |contexts: &mut Contexts| Identity {
            context: contexts.intern(context.digest(), || context.to_context()),
            attributes: attributes(),
        };
        match self.core.take_point(point, identity, self.now, self.changes) {
            Ok(Taken::Applied(applied)) => {
                self.tally.count(&applied);
                self.enter(&applied);
            }
            Ok(Taken::Parked) => self.tally.parked += 1,
            Ok(Taken::Foreign) => self.tally.foreign += 1,
            Err(refusal) => self.refuse(resource_index, context.metric_name(), refusal),
        }
    }

    fn applied(&mut self, applied: &Applied, point: &Point<'_>) {
        self.tally.count(applied);
        self.core.streams().write_changes(applied, point, self.now, self.changes);
    }

    fn enter(&mut self, applied: &Applied) {
        if let Some(slot) = applied.slot.filter(|_| applied.created)
            && let Some(stream) = self.core.streams().get(slot)
        {
            let generation = self.core.streams().generation();
            self.catalog.enter(slot, stream.identity(), generation);
            self.catalog.set_live(slot, true, generation);
        }
    }

    fn refuse_gathered(&mut self, gathered: &Gathered<Origin>, refusal: Refusal) {
        let streams = self.core.streams();
        let stream = streams.find(gathered.point().stream).and_then(|slot| streams.get(slot));
        let context = stream.map(|stream| Arc::clone(stream.context()));
        let metric = context.as_ref().map_or("", |context| &context.name);
        self.refuse(gathered.origin.resource_index, metric, refusal);
    }

    fn refuse(&mut self, resource_index: u32, metric: &str, refusal: Refusal) {
        self.tally.refuse(refusal);
        self.refusals.add(resource_index, metric, refusal);
    }
}

impl Tally {
    fn count(&mut self, applied: &Applied) {
        match applied.outcome {
            Outcome::Counted { late, effect } => {
                self.accepted += 1;
                self.late += u64::from(late);
                self.bounds_changed += u64::from(effect == Effect::BoundsChanged);
                self.int_overflow += u64::from(effect == Effect::Overflowed);
            }
            Outcome::Duplicate => self.duplicate += 1,
            Outcome::Away => self.foreign += 1,
            // A point that a newer one has overtaken is passed on by that one.
            Outcome::PassedOn | Outcome::Superseded => self.passed_on += 1,
            Outcome::NoRecordedValue => self.no_recorded_value += 1,
        }
    }
}
