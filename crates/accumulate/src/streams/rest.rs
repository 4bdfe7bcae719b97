//! How streams leave memory while they are silent, and come back.

use shardset_model::{StreamId, UnixNanos};

use super::Streams;
use crate::codec::{Change, Corrupt};
use crate::idle::{Idle, Place};
use crate::record::seconds;
use crate::tombstones::Tombstone;

impl Streams {
    /// The stream in a slot is kept at `place` from here on, durably, as [`Streams::encode_stream`] wrote it, and leaves memory.
    /// Appends that to `changes`. `false` where the slot is vacant.
    pub fn lay_down(&mut self, slot: u32, place: Place, changes: &mut Vec<u8>) -> bool {
        let Some(record) = self.take(slot) else { return false };
        let counted_at = seconds(record.counted_at);
        let idle = Idle { place, newest: record.memory.newest(), counted_at };
        self.idle.put(record.id, idle);
        Change::LaidDown { slot, stream: record.id, place, newest: UnixNanos(idle.newest), counted_at }.write(changes);
        true
    }

    /// Where a stream is kept that is not in memory.
    pub fn place_of(&self, stream: StreamId) -> Option<Place> {
        self.idle.get(stream).map(|idle| idle.place)
    }

    /// Number of streams that are kept elsewhere.
    pub fn idle(&self) -> usize {
        self.idle.len()
    }

    /// The next stream, in the order of ids, that is kept elsewhere, and where.
    pub fn next_idle(&self, after: Option<StreamId>) -> Option<(StreamId, Place)> {
        self.idle.after(after).map(|(stream, idle)| (stream, idle.place))
    }

    /// A stream that is kept elsewhere is at `place` now. Appends that to `changes`.
    pub fn move_idle(&mut self, stream: StreamId, place: Place, changes: &mut Vec<u8>) {
        if let Some(idle) = self.idle.get(stream).copied() {
            self.idle.put(stream, Idle { place, ..idle });
            self.write_idle(stream, changes);
        }
    }

    /// Takes a stream back into memory from the bytes that are kept of it, and appends that to `changes`; tells its slot.
    ///
    /// # Errors
    ///
    /// They are no stream; nothing changed.
    pub fn wake(&mut self, encoded: &[u8], changes: &mut Vec<u8>) -> Result<u32, Corrupt> {
        self.install(encoded, changes)
    }

    /// Drops a stream that is kept elsewhere, because another shard has it. Appends that to `changes`.
    pub fn drop_idle(&mut self, stream: StreamId, changes: &mut Vec<u8>) -> bool {
        let dropped = self.idle.take(stream).is_some();
        if dropped {
            Change::IdleGone { stream }.write(changes);
        }
        dropped
    }

    /// Forgets streams that are kept elsewhere and whose time is over: looks at up to `budget` of them after `after`. Appends what
    /// it does to `changes`; tells where to go on, none at the end, and how many were forgotten.
    pub fn sweep_idle(
        &mut self,
        after: Option<StreamId>,
        budget: usize,
        now: UnixNanos,
        changes: &mut Vec<u8>,
    ) -> (Option<StreamId>, u64) {
        let limit = u32::try_from(self.settings.forget_after.as_secs()).unwrap_or(u32::MAX);
        let (mut at, mut forgotten) = (after, 0);
        for _ in 0..budget {
            let Some((stream, idle)) = self.idle.after(at).map(|(stream, idle)| (stream, *idle)) else {
                return (None, forgotten);
            };
            at = Some(stream);
            if seconds(now).saturating_sub(idle.counted_at) > limit {
                self.drop_idle(stream, changes);
                let tombstone = Tombstone { stream, floor: idle.newest, since: seconds(now) };
                self.tombstones.bury(tombstone);
                tombstone.change().write(changes);
                forgotten += 1;
            }
        }
        (at, forgotten)
    }

    /// Appends to `changes` what a checkpoint holds of a stream that is kept elsewhere.
    pub fn write_idle(&self, stream: StreamId, changes: &mut Vec<u8>) {
        if let Some(&Idle { place, newest, counted_at }) = self.idle.get(stream) {
            Change::KeptIdle { stream, place, newest: UnixNanos(newest), counted_at }.write(changes);
        }
    }

    /// Places that are of no use any more, since this was last asked.
    pub fn take_released(&mut self) -> Vec<Place> {
        self.idle.take_released()
    }
}
