//! What is left to do when a move, or a part of it, is over: bit by bit, so that no request waits for it.

use shardset_model::{Phase, ShardIndex, StreamId};

use super::{Shard, SlotChange};
use crate::peers::owner;
use crate::rule::{Rule, holds};

impl Shard {
    /// Drops streams that left and decides on points whose stream no state will come for: looks at `budget` streams of each at
    /// most. `false` when it has looked at all.
    pub fn settle(&mut self, budget: usize, changes: &mut Vec<u8>) -> bool {
        self.drop_leftovers(budget, changes);
        let more_parked = self.unpark_some(budget, changes);
        !self.leftovers.is_empty() || !self.idle_leftovers.is_empty() || more_parked
    }

    fn drop_leftovers(&mut self, budget: usize, changes: &mut Vec<u8>) {
        for _ in 0..budget.min(self.leftovers.len()) {
            let Some(slot) = self.leftovers.pop() else { return };
            if self.streams.remove(slot, changes) {
                self.slot_changes.push(SlotChange::Left(slot));
            }
        }
        for _ in 0..budget.min(self.idle_leftovers.len()) {
            let Some(stream) = self.idle_leftovers.pop() else { return };
            self.streams.drop_idle(stream, changes);
        }
    }

    fn unpark_some(&mut self, budget: usize, changes: &mut Vec<u8>) -> bool {
        for _ in 0..budget {
            let Some((stream, identity)) = self.streams.next_parked(self.unparked) else {
                self.unparked = None;
                return false;
            };
            self.unparked = Some(stream);
            let membership = self.membership.as_ref().expect("points wait only where there is a membership");
            let (_, from) = owner(membership, stream, identity);
            if !self.waits_for(from) {
                self.unpark(stream, changes);
            }
        }
        true
    }

    /// Decides on the points of a stream that waited.
    pub(super) fn unpark(&mut self, stream: StreamId, changes: &mut Vec<u8>) {
        let mut created = None;
        self.streams.unpark(stream, changes, |decided| {
            created = created.or(decided.ok().filter(|applied| applied.created).and_then(|applied| applied.slot));
        });
        self.slot_changes.extend(created.map(SlotChange::Entered));
    }

    /// Whether the state of a stream that `from` owned before may still come.
    pub(super) fn waits_for(&self, from: ShardIndex) -> bool {
        let is_moving = self.membership.as_ref().is_some_and(|membership| membership.phase() == Phase::Moving);
        let completed = self.received.get(&from).is_some_and(|received| received.completed);
        is_moving && from != self.index && !completed && holds(Rule::Park)
    }
}
