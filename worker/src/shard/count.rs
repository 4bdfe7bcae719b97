//! Counting the points of one request.
//!
//! Numbers of known streams, nearly all points there are, are gathered and counted in groups; see
//! [`shardset_accumulate::Group`]. All others are counted as they come.

use std::sync::Arc;

use shardset_accumulate::{Applied, Contexts, Effect, Gathered, Group, Outcome, Streams};
use shardset_model::{Identity, Point, Refusal, UnixNanos};
use shardset_otlp::read::{PointRef, Scratch, read};
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
        let mut count = Count { streams, catalog, tally, refusals, changes: journal.changes(), now };
        let mut strangers = count.all_but_strangers(request, scratch, group);
        if !strangers.is_empty() {
            strangers.sort_unstable();
            count.these(request, scratch, &strangers);
        }
        let Count { tally, refusals, .. } = count;
        metrics.add(&tally);
        refusals.into_answer()
    }
}

/// One request on its way into the streams.
struct Count<'a> {
    streams: &'a mut Streams,
    catalog: &'a mut Catalog,
    tally: Tally,
    refusals: Refusals,
    changes: &'a mut Vec<u8>,
    now: UnixNanos,
}

/// What is known of a gathered point beside the point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Which of the request's points it is.
    ordinal: u64,
    resource_index: u32,
}

const CHECKED: &str = "a request is checked when it is admitted";

impl Count<'_> {
    /// Counts all points but those, by their ordinals, that were taken for points of known streams and are not.
    fn all_but_strangers(&mut self, request: &[u8], scratch: &mut Scratch, group: &mut Group<Origin>) -> Vec<u64> {
        let mut strangers = Vec::new();
        let contents = read(request, scratch, |read| {
            let origin = Origin { ordinal: self.tally.received, resource_index: read.resource_index };
            self.tally.received += 1;
            if !self.streams.gather(group, &read.point, origin) {
                self.one(read);
            } else if group.is_full() {
                self.group(group, &mut strangers);
            }
        });
        contents.expect(CHECKED);
        self.group(group, &mut strangers);
        strangers
    }

    /// Counts the points with these ordinals, which ascend.
    fn these(&mut self, request: &[u8], scratch: &mut Scratch, ordinals: &[u64]) {
        let mut ordinal = 0;
        let contents = read(request, scratch, |read| {
            if ordinals.binary_search(&ordinal).is_ok() {
                self.one(read);
            }
            ordinal += 1;
        });
        contents.expect(CHECKED);
    }

    fn one(&mut self, read: &PointRef<'_>) {
        let identity = |contexts: &mut Contexts| Identity {
            context: contexts.intern(read.context.digest(), || read.context.to_context()),
            attributes: read.attributes.to_frames(),
        };
        match self.streams.apply(&read.point, identity, self.now) {
            Ok(applied) => {
                self.applied(&applied, &read.point);
                self.enter(&applied);
            }
            Err(refusal) => self.refuse(read.resource_index, read.context.metric_name(), refusal),
        }
    }

    fn group(&mut self, group: &mut Group<Origin>, strangers: &mut Vec<u64>) {
        self.streams.draw_near(group);
        for gathered in group.drain() {
            match self.streams.apply_gathered(&gathered, self.now) {
                Some(Ok(applied)) => self.applied(&applied, &gathered.point()),
                Some(Err(refusal)) => self.refuse_gathered(&gathered, refusal),
                None => strangers.push(gathered.origin.ordinal),
            }
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
