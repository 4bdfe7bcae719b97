//! Counting the points of one request.
//!
//! Numbers, nearly all points there are, are gathered and counted in groups; see [`shardset_accumulate::Group`]. All others
//! are counted as they come. A point of a new stream is counted while its metric is at hand, because it needs its identity.

use std::sync::Arc;

use shardset_accumulate::{Applied, Contexts, Effect, Gathered, Group, Outcome, Streams};
use shardset_model::{Identity, Point, Refusal, UnixNanos};
use shardset_otlp::read::{AttributesAt, ContextRef, PointRef, Scratch, Visitor, read, read_metrics};
use shardset_wire::ExportAnswer;

use super::refusals::Refusals;
use super::{Catalog, Shard};
use crate::metrics::Tally;
use crate::persist::Journal;

impl Shard {
    /// Counts every point of `request`, which was checked, and appends what changed to the journal.
    pub(super) fn count(&mut self, request: &[u8], journal: &mut impl Journal, now: UnixNanos) -> ExportAnswer {
        let Self { streams, catalog, scratch, group, metrics, .. } = self;
        let (tally, refusals) = (Tally::default(), Refusals::default());
        let (missed, changes) = (Vec::new(), journal.changes());
        let mut count = Count { request, streams, catalog, group, tally, refusals, missed, changes, now };
        read_metrics(request, scratch, &mut count).expect(CHECKED);
        count.group();
        count.missed(scratch);
        let Count { tally, refusals, .. } = count;
        metrics.add(&tally);
        refusals.into_answer()
    }
}

const CHECKED: &str = "a request is checked when it is admitted";

/// One request on its way into the streams.
struct Count<'a> {
    request: &'a [u8],
    streams: &'a mut Streams,
    catalog: &'a mut Catalog,
    group: &'a mut Group<Origin>,
    tally: Tally,
    refusals: Refusals,
    /// Points, by their ordinals, that were taken for points of known streams and are not: next to never any.
    missed: Vec<u64>,
    changes: &'a mut Vec<u8>,
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
        if !self.streams.look_up(self.group) {
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
        self.streams.draw_near(self.group);
        let mut group = std::mem::take(self.group);
        for gathered in group.drain() {
            match self.streams.apply_gathered(&gathered, self.now) {
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

    fn one(
        &mut self,
        point: &Point<'_>,
        resource_index: u32,
        context: ContextRef<'_>,
        attributes: impl FnOnce() -> Box<[u8]>,
    ) {
        let identity = |contexts: &mut Contexts| Identity {
            context: contexts.intern(context.digest(), || context.to_context()),
            attributes: attributes(),
        };
        match self.streams.apply(point, identity, self.now) {
            Ok(applied) => {
                self.applied(&applied, point);
                self.enter(&applied);
            }
            Err(refusal) => self.refuse(resource_index, context.metric_name(), refusal),
        }
    }

    fn applied(&mut self, applied: &Applied, point: &Point<'_>) {
        self.tally.count(applied);
        self.streams.write_changes(applied, point, self.now, self.changes);
    }

    fn enter(&mut self, applied: &Applied) {
        if let Some(slot) = applied.slot.filter(|_| applied.created)
            && let Some(stream) = self.streams.get(slot)
        {
            self.catalog.enter(slot, stream.identity(), self.streams.generation());
            self.catalog.set_live(slot, true, self.streams.generation());
        }
    }

    fn refuse_gathered(&mut self, gathered: &Gathered<Origin>, refusal: Refusal) {
        let stream = self.streams.find(gathered.point().stream).and_then(|slot| self.streams.get(slot));
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
            // A point that a newer one has overtaken is passed on by that one.
            Outcome::PassedOn | Outcome::Superseded => self.passed_on += 1,
            Outcome::NoRecordedValue => self.no_recorded_value += 1,
        }
    }
}
