//! A checkpoint: everything a worker knows, as changes, written bit by bit while it goes on.
//!
//! What stands of the protocol and what is left of forgotten streams come first: changes that follow build on them. Then come the
//! streams by slot, then the points that wait, then where the streams are that are not in memory. A stream that changes after it was written is followed by that change; one
//! that changes before is written as it is then. So whoever replays from the beginning leaves out what it can not place yet.

use shardset_model::StreamId;

use super::Shard;
use crate::record::Record;
use crate::rule::{Rule, holds};

/// How far a checkpoint has come.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Checkpoint {
    /// Nothing is written.
    #[default]
    Begin,
    /// Streams from this slot on are to be written.
    Streams(u32),
    /// Points that wait for the streams after this one are to be written.
    Parked(Option<StreamId>),
    /// Where the streams after this one are kept is to be written.
    Idle(Option<StreamId>),
    /// Everything is written.
    Complete,
}

impl Shard {
    /// Appends the next part of a checkpoint, of about `bytes` bytes, and tells how far it has come.
    #[must_use]
    pub fn write_checkpoint(&self, at: Checkpoint, bytes: usize, changes: &mut Vec<u8>) -> Checkpoint {
        let end = changes.len().saturating_add(bytes);
        match at {
            Checkpoint::Begin => {
                let received = self.received.iter().map(|(from, received)| (*from, *received)).collect();
                Record::Standing { membership: self.membership.clone(), latest: self.latest, received }.write(changes);
                for (&to, &receiver) in &self.sent_first {
                    Record::Sends { to, receiver }.write(changes);
                }
                self.streams.write_tombstones(changes);
                Checkpoint::Streams(0)
            }
            Checkpoint::Streams(from) => {
                for slot in from..self.streams.slots() {
                    if changes.len() >= end {
                        return Checkpoint::Streams(slot);
                    }
                    self.streams.write_kept(slot, changes);
                }
                Checkpoint::Parked(None)
            }
            Checkpoint::Parked(mut after) => {
                while let Some((stream, _)) =
                    self.streams.next_parked(after).filter(|_| holds(Rule::CheckpointHoldsParked))
                {
                    if changes.len() >= end {
                        return Checkpoint::Parked(after);
                    }
                    self.streams.write_parked(stream, changes);
                    after = Some(stream);
                }
                Checkpoint::Idle(None)
            }
            Checkpoint::Idle(mut after) => {
                while let Some((stream, _)) = self.streams.next_idle(after) {
                    if changes.len() >= end {
                        return Checkpoint::Idle(after);
                    }
                    self.streams.write_idle(stream, changes);
                    after = Some(stream);
                }
                Checkpoint::Complete
            }
            Checkpoint::Complete => Checkpoint::Complete,
        }
    }
}
