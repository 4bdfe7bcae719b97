//! Streams that are silent for long leave memory, and come back with their next point.
//!
//! A stream that has ended, and whose end every destination was told, has nothing to do until a point comes. It is written to the
//! disk, some at a time, and read again when a point of it arrives, or when it moves to another shard. So memory follows the live
//! streams. What can not be written stays; what can not be read refuses its points as retryable, and says so loudly.

use shardset_accumulate::Place;
use shardset_journal::Storage;
use shardset_model::{StreamId, UnixNanos};

use super::{Shard, Unserved};

/// Streams that leave memory at a time, four times a second: some ms of writing, and a sync.
const LAID_DOWN_AT_ONCE: usize = 2_000;
/// Slots looked at for them.
const LOOKS: u32 = 25_000;
/// Streams on the disk that are looked at for those whose time is over, or that are to be moved to another file.
const IDLE_LOOKS: usize = 2_000;

/// Where the looks go on.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Rest {
    slot: u32,
    swept: Option<StreamId>,
    moved: Option<StreamId>,
}

impl<S: Storage> Shard<S> {
    /// Lets some of the streams that have nothing to do leave memory.
    pub(super) fn lay_down(&mut self) {
        if !self.core.may_lay_down() {
            return;
        }
        let chosen = self.choose();
        let encoded: Vec<Vec<u8>> = chosen.iter().map(|slot| self.encoded(*slot)).collect();
        if chosen.is_empty() {
            return;
        }
        let Some(places) = self.idle.keep(encoded.iter().map(Vec::as_slice)) else { return };
        for (slot, place) in chosen.into_iter().zip(places) {
            self.core.lay_down(slot, place, self.persist.changes());
        }
        self.follow_slots();
    }

    /// Reads a stream back into memory whose point has come, if it is on the disk.
    ///
    /// # Errors
    ///
    /// It can not be read.
    pub(super) fn wake(&mut self, stream: StreamId) -> Result<(), Unserved> {
        let Some(place) = self.core.streams().place_of(stream) else { return Ok(()) };
        let unreadable = || Unserved::Unreadable(format!("stream {stream} is on the disk and can not be read"));
        let encoded = self.idle.read(place).ok_or_else(unreadable)?;
        self.core.wake(&encoded, self.persist.changes()).map_err(|_| unreadable())?;
        self.follow_slots();
        Ok(())
    }

    /// Forgets what was on the disk for too long, and moves what is in the way.
    pub(super) fn tidy_idle(&mut self, now: UnixNanos) {
        // What is another's is counted until it is dropped.
        if self.core.is_moving() || self.keep.unsettled {
            return;
        }
        let streams = self.core.streams_mut();
        let (swept, forgotten) = streams.sweep_idle(self.rest.swept, IDLE_LOOKS, now, self.persist.changes());
        self.rest.swept = swept;
        self.metrics.forgotten.inc_by(forgotten);
        if let Some(file) = self.idle.crowded_out() {
            self.move_out_of(file);
        }
    }

    /// What is not needed on the disk any more goes, when that is durable.
    pub(super) fn clean_idle(&mut self) {
        let released = self.core.streams_mut().take_released();
        let is_clean = released.is_empty();
        released.into_iter().for_each(|place| self.idle.release(place));
        if !is_clean && let Some(durable) = self.persist.sync() {
            self.idle.clean(&durable);
        }
        self.metrics.on_disk.set(i64::try_from(self.core.streams().idle()).unwrap_or(i64::MAX));
        self.metrics.idle_bytes.set(i64::try_from(self.idle.disk_bytes()).unwrap_or(i64::MAX));
    }

    /// Streams that have ended, and whose end was told wherever it had to be.
    fn choose(&mut self) -> Vec<u32> {
        let told = self.desks.iter().map(|desk| desk.done()).min().unwrap_or(u32::MAX);
        let (mut chosen, slots) = (Vec::new(), self.core.streams().slots());
        for _ in 0..LOOKS.min(slots) {
            self.rest.slot = (self.rest.slot + 1) % slots;
            let stream = self.core.streams().get(self.rest.slot);
            let has_ended = stream.and_then(|stream| stream.ended()).is_some_and(|ended| ended <= told);
            if has_ended && !stream.is_some_and(|stream| stream.is_away()) {
                chosen.push(self.rest.slot);
            }
            if chosen.len() >= LAID_DOWN_AT_ONCE {
                break;
            }
        }
        chosen
    }

    fn encoded(&self, slot: u32) -> Vec<u8> {
        let mut encoded = Vec::new();
        self.core.streams().encode_stream(slot, &mut encoded);
        encoded
    }

    fn move_out_of(&mut self, file: u32) {
        let mut found: Vec<(StreamId, Place)> = Vec::new();
        for _ in 0..IDLE_LOOKS {
            let Some((stream, place)) = self.core.streams().next_idle(self.rest.moved) else {
                self.rest.moved = None;
                break;
            };
            self.rest.moved = Some(stream);
            found.extend((place.file == file).then_some((stream, place)));
        }
        let read: Option<Vec<Vec<u8>>> = found.iter().map(|(_, place)| self.idle.read(*place)).collect();
        let Some(places) = read.and_then(|read| self.idle.keep(read.iter().map(Vec::as_slice))) else { return };
        for ((stream, _), place) in found.into_iter().zip(places) {
            self.core.streams_mut().move_idle(stream, place, self.persist.changes());
        }
    }
}
