//! Coming to the same state again from changes, and moving whole streams.
//!
//! Replaying does what was done, by the functions that did it. It decides nothing, so it can not disagree.
//!
//! A checkpoint is written bit by bit while changes go on. Whoever replays from its beginning meets changes of streams that the
//! checkpoint has not come to yet: they are left out ([`Replay::WithinCheckpoint`]), since what is kept of such a stream further on
//! holds them.

mod numbers;

use shardset_model::{Point, StreamId, UnixMillis, UnixNanos, Value};

use super::Streams;
use super::apply::{count, end_by_sender, pass_on};
use crate::applied::Applied;
use crate::codec::{
    Change, Corrupt, Decoded, JournalPoint, JournalRecord, Reader, Scratch, pass_kept, read_point, read_record,
    read_stream, read_stream_id, write_stream,
};
use crate::memory::fingerprint;
use crate::record::{Details, NEVER, Record, Stream, seconds};
use crate::tombstones::Tombstone;

/// What may be missing where changes are replayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replay {
    /// Nothing.
    Whole,
    /// Streams that the checkpoint under way has not come to yet.
    WithinCheckpoint,
}

impl Streams {
    /// Appends to `out` what a journal must hold of a point that was applied at `now`; nothing where nothing changed.
    pub fn write_changes(&self, applied: &Applied, point: &Point<'_>, now: UnixNanos, out: &mut Vec<u8>) {
        let Some(slot) = applied.slot.filter(|_| applied.is_change()) else { return };
        if applied.created
            && let Some(stream) = self.get(slot)
        {
            Change::Created { slot, stream: stream.id(), now, identity: stream.identity() }.write(out);
        }
        Change::Point { slot, now, point }.write(out);
    }

    /// Appends to `out` the changes that make these streams from none.
    pub fn write_checkpoint(&self, out: &mut Vec<u8>) {
        self.write_tombstones(out);
        for slot in 0..self.slots() {
            self.write_kept(slot, out);
        }
        let mut parked = self.next_parked(None);
        while let Some((stream, _)) = parked {
            self.write_parked(stream, out);
            parked = self.next_parked(Some(stream));
        }
        let mut idle = self.next_idle(None);
        while let Some((stream, _)) = idle {
            self.write_idle(stream, out);
            idle = self.next_idle(Some(stream));
        }
    }

    /// Appends to `out` what a checkpoint holds of the stream in a slot; `false` where the slot is vacant.
    pub fn write_kept(&self, slot: u32, out: &mut Vec<u8>) -> bool {
        let Some(stream) = self.get(slot) else { return false };
        Change::Kept { slot, stream }.write(out);
        true
    }

    /// Appends to `out` what is left of forgotten streams, as changes.
    pub fn write_tombstones(&self, out: &mut Vec<u8>) {
        self.tombstones.iter().for_each(|tombstone| tombstone.change().write(out));
    }

    /// What is left of forgotten streams: the stream, the newest time that it counted, and when it was forgotten, in seconds
    /// since the Unix epoch.
    pub fn buried(&self) -> impl Iterator<Item = (StreamId, UnixNanos, u32)> {
        self.tombstones.iter().map(|tombstone| (tombstone.stream, UnixNanos(tombstone.floor), tombstone.since))
    }

    /// Takes in what is left of a stream that another shard forgot, and appends that to `changes`. A stream that lives here has
    /// its own memory and needs none.
    pub fn bury(&mut self, stream: StreamId, floor: UnixNanos, since: u32, changes: &mut Vec<u8>) {
        if self.find(stream).is_none() {
            let tombstone = Tombstone { stream, floor: floor.0, since };
            self.tombstones.bury(tombstone);
            tombstone.change().write(changes);
        }
    }

    /// Does again what `changes` say, one after another.
    ///
    /// What destinations were told in an earlier life counts as told; everything else is new in the present generation.
    ///
    /// # Errors
    ///
    /// What can not be read or does not fit these streams; the changes before it were made.
    pub fn replay(&mut self, changes: &[u8]) -> Result<(), Corrupt> {
        let mut rest = changes;
        while !rest.is_empty() {
            let read = self.replay_some(rest, Replay::Whole)?;
            rest = &rest[read..];
        }
        Ok(())
    }

    /// Does again what the first of `changes` say, one or some. Returns how many bytes they take.
    ///
    /// # Errors
    ///
    /// As of [`Streams::replay`].
    pub fn replay_some(&mut self, changes: &[u8], replay: Replay) -> Result<usize, Corrupt> {
        match self.replay_numbers(changes, replay)? {
            0 => self.replay_one(changes, replay),
            read => Ok(read),
        }
    }

    fn replay_one(&mut self, changes: &[u8], replay: Replay) -> Result<usize, Corrupt> {
        let (mut reader, mut scratch) = (Reader::new(changes), Scratch::default());
        if replay == Replay::Whole
            && let Some((slot, stream, read)) = pass_kept(changes, &mut scratch)
            && self.records.get(slot).is_some_and(|record| record.id == stream)
        {
            // Of a checkpoint whose end never came: where nothing is missing, it says what is known.
            return Ok(read);
        }
        let record = read_record(&mut reader, &mut self.contexts, &mut scratch, &self.reach, self.generation)?;
        match self.redo(record) {
            Err(Corrupt::Vacant { .. } | Corrupt::NotParked { .. } | Corrupt::NotIdle { .. })
                if replay == Replay::WithinCheckpoint => {}
            redone => redone?,
        }
        Ok(reader.at())
    }

    /// Appends the stream in a slot to `out`; `false` where the slot is vacant.
    pub fn encode_stream(&self, slot: u32, out: &mut Vec<u8>) -> bool {
        let Some(stream) = self.get(slot) else { return false };
        write_stream(stream, out);
        true
    }

    /// As [`Streams::encode_stream`], as if the zero before its first value had been told by the time `told`. What is passed on
    /// has none.
    pub fn encode_as_told(&self, slot: u32, told: UnixMillis, out: &mut Vec<u8>) -> bool {
        let Some(stream) = self.get(slot) else { return false };
        let mut record = stream.record.clone();
        if stream.kind().is_delta() {
            record.tell_zero(told, true);
        }
        write_stream(Stream { record: &record, ..stream }, out);
        true
    }

    /// Takes in a stream that [`Streams::encode_stream`] wrote, and appends that to `changes`; tells its slot. The limit of
    /// streams does not apply.
    ///
    /// # Errors
    ///
    /// What can not be read, or that the stream is here already; nothing changed.
    pub fn install(&mut self, encoded: &[u8], changes: &mut Vec<u8>) -> Result<u32, Corrupt> {
        let mut reader = Reader::new(encoded);
        let mut scratch = Scratch::default();
        let mut decoded = read_stream(&mut reader, &mut self.contexts, &mut scratch, &self.reach, self.generation)?;
        decoded.record.away = false;
        // A backend keeps one value of a time: what is told here begins after what was told elsewhere.
        if decoded.record.told != NEVER && decoded.details.identity.context.kind.is_delta() {
            decoded.record.told = decoded.record.told.plus_millis(1);
        }
        if !reader.is_at_end() {
            return Err(Corrupt::Invalid { what: "end of the stream", at: reader.at() });
        }
        let slot = self.records.next_slot();
        self.install_at(slot, decoded)?;
        if let Some(stream) = self.get(slot) {
            Change::Installed { slot, stream }.write(changes);
        }
        Ok(slot)
    }

    /// The id of the stream that [`Streams::encode_stream`] wrote.
    ///
    /// # Errors
    ///
    /// That the bytes end before it.
    pub fn id_of(encoded: &[u8]) -> Result<StreamId, Corrupt> {
        read_stream_id(&mut Reader::new(encoded))
    }

    /// Removes a stream without a trace, because another shard has it, and appends that to `changes`. `false` where the slot is
    /// vacant.
    pub fn remove(&mut self, slot: u32, changes: &mut Vec<u8>) -> bool {
        let removed = self.take(slot).is_some();
        if removed {
            Change::Removed { slot }.write(changes);
        }
        removed
    }

    fn redo(&mut self, record: JournalRecord<'_>) -> Result<(), Corrupt> {
        let vacant = |slot| Corrupt::Vacant { slot };
        match record {
            JournalRecord::Created { slot, stream, now, identity } => {
                let floor = self.tombstones.floor(stream, seconds(now), self.reach.window);
                let record = Record::new(stream, floor, now, self.generation);
                self.install_at(slot, Decoded { record, details: Details { identity, exemplars: None } })
            }
            JournalRecord::Point { slot, point } => self.redo_point(slot, &point).ok_or(vacant(slot)),
            JournalRecord::Ended { slot, now } => self.end(slot, now).ok_or(vacant(slot)),
            JournalRecord::Forgotten { slot } => self.take(slot).map(drop).ok_or(vacant(slot)),
            JournalRecord::Told { slot, time } => {
                let record = self.records.get_mut(slot).ok_or(vacant(slot))?;
                record.tell(time);
                record.born = record.born.renewed(self.generation);
                record.ended = record.ended.renewed(self.generation);
                Ok(())
            }
            JournalRecord::Installed { slot, decoded } => self.install_at(slot, *decoded),
            JournalRecord::Removed { slot } => self.take(slot).map(drop).ok_or(vacant(slot)),
            JournalRecord::Buried(tombstone) => {
                self.tombstones.bury(tombstone);
                Ok(())
            }
            JournalRecord::Kept { slot, decoded } => {
                if self.records.get(slot).is_some_and(|record| record.id == decoded.record.id) {
                    self.take(slot);
                }
                self.install_at(slot, *decoded)
            }
            JournalRecord::Zero { slot, time, is_told } => {
                let record = self.records.get_mut(slot).ok_or(vacant(slot))?;
                record.tell_zero(time, is_told);
                record.born = record.born.renewed(self.generation);
                Ok(())
            }
            JournalRecord::LaidDown { slot, stream, idle } => {
                // Within a checkpoint the slot may not be known yet; where the stream is kept is known in any case.
                let known = self.take(slot);
                self.idle.put(stream, idle);
                known.map(drop).ok_or(vacant(slot))
            }
            JournalRecord::KeptIdle { stream, idle } => {
                self.idle.put(stream, idle);
                Ok(())
            }
            JournalRecord::IdleGone { stream } => self.idle.take(stream).map(drop).ok_or(Corrupt::NotIdle { stream }),
            JournalRecord::Parked { stream, identity, point } => {
                self.parked.add(stream, identity, point).then_some(()).ok_or(Corrupt::NotParked { stream })
            }
            JournalRecord::Unparked { stream } => {
                self.parked.take(stream).map(drop).ok_or(Corrupt::NotParked { stream })
            }
            JournalRecord::KeptParked { stream, identity, points } => {
                let number = number_of_points(points)?;
                self.parked.replace(stream, identity, points, number);
                Ok(())
            }
        }
    }

    fn redo_point(&mut self, slot: u32, point: &JournalPoint<'_>) -> Option<()> {
        let stream = self.get(slot)?;
        let no_recorded_value = matches!(point.value, Value::Missing);
        let (now, kind) = (point.now, stream.kind());
        let point = Point {
            stream: stream.id(),
            kind,
            start: point.start,
            time: point.time,
            no_recorded_value,
            value: point.value,
            exemplars: &[],
        };
        match (no_recorded_value, kind.is_delta()) {
            (true, _) => end_by_sender(self, slot, &point),
            (false, true) => count(self, slot, &point, fingerprint(&point), now).map(drop),
            (false, false) => pass_on(self, slot, &point, now),
        }
    }

    fn install_at(&mut self, slot: u32, decoded: Decoded) -> Result<(), Corrupt> {
        /// No shard has as many streams; a wrong slot must not make room for them.
        const SLOT_MAX: u32 = 1 << 28;
        let taken = slot > SLOT_MAX || self.find(decoded.record.id).is_some();
        if taken || !self.insert(slot, decoded.record, decoded.details) {
            return Err(Corrupt::Taken { slot });
        }
        Ok(())
    }
}

fn number_of_points(points: &[u8]) -> Result<u64, Corrupt> {
    let (mut reader, mut scratch, mut number) = (Reader::new(points), Scratch::default(), 0);
    while !reader.is_at_end() {
        read_point(&mut reader, &mut scratch)?;
        number += 1;
    }
    Ok(number)
}

const _: () = assert!(size_of::<Option<Record>>() == 128, "a stream takes two cache lines");
