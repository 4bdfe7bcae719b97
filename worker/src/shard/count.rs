//! Counting the points of one request.

use shardset_accumulate::{Applied, Effect, Outcome};
use shardset_model::{Identity, UnixNanos};
use shardset_otlp::read::read;
use shardset_wire::ExportAnswer;

use super::Shard;
use super::refusals::Refusals;
use crate::metrics::Tally;
use crate::persist::Journal;

impl Shard {
    /// Counts every point of `request`, which was checked, and appends what changed to the journal.
    pub(super) fn count(&mut self, request: &[u8], journal: &mut impl Journal, now: UnixNanos) -> ExportAnswer {
        let Self { streams, catalog, scratch, metrics, .. } = self;
        let (mut tally, mut refusals) = (Tally::default(), Refusals::default());
        let changes = journal.changes();
        let read = read(request, scratch, |read| {
            tally.received += 1;
            let identity = |contexts: &mut shardset_accumulate::Contexts| Identity {
                context: contexts.intern(read.context.digest(), || read.context.to_context()),
                attributes: read.attributes.to_frames(),
            };
            match streams.apply(&read.point, identity, now) {
                Ok(applied) => {
                    tally.count(&applied);
                    streams.write_changes(&applied, &read.point, now, changes);
                    if let Some(slot) = applied.slot.filter(|_| applied.created)
                        && let Some(stream) = streams.get(slot)
                    {
                        catalog.enter(slot, stream.identity(), streams.generation());
                        catalog.set_live(slot, true, streams.generation());
                    }
                }
                Err(refusal) => {
                    tally.refuse(refusal);
                    refusals.add(read.resource_index, read.context.metric_name(), refusal);
                }
            }
        });
        read.expect("a request is checked when it is admitted");
        metrics.add(&tally);
        refusals.into_answer()
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
