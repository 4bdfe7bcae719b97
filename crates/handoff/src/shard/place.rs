//! Where a point goes: into its stream's total, or among those that wait for it.

use shardset_accumulate::{Applied, Contexts, Outcome};
use shardset_model::{Identity, Point, Refusal, UnixNanos};

use super::Shard;
use crate::peers::owner;
use crate::rule::{Rule, holds};

/// What became of a point that was not refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It was decided on.
    Applied(Applied),
    /// It waits for its stream, whose state is on its way.
    Parked,
    /// This shard does not own its stream: whoever sent it means another set of shards. Nothing changed.
    Foreign,
}

impl Shard {
    /// Takes a point that arrived at `now`, and appends what changed. `identity` is asked only for a stream that is not known.
    ///
    /// # Errors
    ///
    /// Why the point is refused for good; nothing changed.
    pub fn take_point(
        &mut self,
        point: &Point<'_>,
        identity: impl FnOnce(&mut Contexts) -> Identity,
        now: UnixNanos,
        changes: &mut Vec<u8>,
    ) -> Result<Taken, Refusal> {
        if self.streams.find(point.stream).is_some() {
            let known = |_: &mut Contexts| unreachable!("a stream with a slot is not asked for its identity");
            return self.apply(point, known, now, changes);
        }
        let Some(membership) = &self.membership else { return Ok(Taken::Foreign) };
        let identity = self.streams.identify(identity);
        let (mine, before) = owner(membership, point.stream, &identity);
        if mine != self.index {
            return Ok(Taken::Foreign);
        }
        if self.waits_for(before) {
            self.streams.park(point, identity, now, changes)?;
            return Ok(Taken::Parked);
        }
        if holds(Rule::ParkedFirst) && self.streams.is_parked(point.stream) {
            self.unpark(point.stream, changes);
        }
        self.apply(point, |_| identity, now, changes)
    }

    /// Whether another request may bring points that wait.
    pub fn has_room_to_park(&self) -> bool {
        !self.is_moving() || self.streams.parked().bytes < self.limits.parked_bytes
    }

    fn apply(
        &mut self,
        point: &Point<'_>,
        identity: impl FnOnce(&mut Contexts) -> Identity,
        now: UnixNanos,
        changes: &mut Vec<u8>,
    ) -> Result<Taken, Refusal> {
        let applied = self.streams.apply(point, identity, now)?;
        if applied.outcome == Outcome::Away {
            return Ok(Taken::Foreign);
        }
        self.streams.write_changes(&applied, point, now, changes);
        Ok(Taken::Applied(applied))
    }
}
