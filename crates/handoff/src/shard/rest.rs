//! Streams that are silent for long leave memory, and come back.
//!
//! Only while nothing moves, and only where a stream's id decides its shard: what is not in memory can not be asked for more.

use shardset_accumulate::{Corrupt, Place};
use shardset_model::{Phase, RoutingKey, StreamId};

use super::{Shard, SlotChange};

impl Shard {
    /// Whether streams may leave memory now.
    pub fn may_lay_down(&self) -> bool {
        self.membership.as_ref().is_some_and(|mine| {
            mine.phase() == Phase::Stable && *mine.routing() == RoutingKey::StreamId && self.leftovers.is_empty()
        })
    }

    /// The stream in a slot is kept at `place`, durably, and leaves memory.
    pub fn lay_down(&mut self, slot: u32, place: Place, changes: &mut Vec<u8>) {
        if self.streams.lay_down(slot, place, changes) {
            self.slot_changes.push(SlotChange::Left(slot));
        }
    }

    /// Takes a stream back into memory from the bytes that are kept of it.
    ///
    /// # Errors
    ///
    /// They are no stream; nothing changed.
    pub fn wake(&mut self, encoded: &[u8], changes: &mut Vec<u8>) -> Result<(), Corrupt> {
        let slot = self.streams.wake(encoded, changes)?;
        self.slot_changes.push(SlotChange::Entered(slot));
        Ok(())
    }

    /// Whether a stream that is not in memory is another shard's, and only kept until the move is over.
    pub fn is_idle_away(&self, stream: StreamId) -> bool {
        self.membership
            .as_ref()
            .is_some_and(|mine| shardset_placement::owner(stream.low64(), mine.shards()) != self.index)
    }
}
