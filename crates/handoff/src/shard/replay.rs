//! Coming to the same state again from a journal.

use shardset_accumulate::Replay;
use shardset_model::Phase;

use super::{Outgoing, Shard};
use crate::peers::receivers;
use crate::record::{BadRecord, FIRST_TAG, Received, Record};

impl Shard {
    /// Does again what `changes` say.
    ///
    /// # Errors
    ///
    /// What can not be read or does not fit; the changes before it were made.
    pub fn replay(&mut self, changes: &[u8], replay: Replay) -> Result<(), BadRecord> {
        let mut rest = changes;
        while let Some(&tag) = rest.first() {
            if tag < FIRST_TAG {
                let read = self.streams.replay_some(rest, replay)?;
                rest = &rest[read..];
            } else {
                let (record, after) = Record::read(rest)?;
                self.redo(record);
                rest = after;
            }
        }
        Ok(())
    }

    /// Everything was replayed: finds out again what follows from it.
    pub fn recovered(&mut self) {
        self.outgoing.clear();
        self.leftovers.clear();
        self.idle_leftovers.clear();
        if let Some(membership) = self.membership.as_ref().filter(|membership| membership.phase() == Phase::Moving) {
            self.outgoing = receivers(membership, self.index).map(|to| (to, Outgoing::default())).collect();
        }
        for slot in 0..self.streams.slots() {
            if self.streams.get(slot).is_some_and(|stream| stream.is_away()) {
                self.sort_away(slot);
            }
        }
        self.sort_idle();
        // What the journal has released is not in use since before this life.
        self.streams.take_released();
        self.slot_changes.clear();
    }

    fn redo(&mut self, record: Record) {
        match record {
            Record::Standing { membership, latest, received } => {
                self.membership = membership;
                self.latest = latest;
                self.received = received.into_iter().collect();
                self.sent_first.clear();
            }
            Record::Adopted { membership } => self.take(membership),
            Record::Received { from, sender, through } => {
                self.received.insert(from, Received { sender, through, completed: false });
            }
            Record::Completed { from, sender } => {
                let through = self.received.get(&from).map_or(0, |received| received.through);
                self.received.insert(from, Received { sender, through, completed: true });
            }
            Record::Stamped { latest } => self.latest = latest,
            Record::Sends { to, receiver } => drop(self.sent_first.insert(to, receiver)),
        }
    }
}
