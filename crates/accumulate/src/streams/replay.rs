//! Coming to the same state again from changes, and moving whole streams.
//!
//! Replaying does what was done, by the functions that did it. It decides nothing, so it can not disagree.

use shardset_model::{Point, UnixNanos, Value};

use super::Streams;
use super::apply::{count, end_by_sender, pass_on};
use crate::applied::Applied;
use crate::codec::{
    Change, Corrupt, Decoded, JournalPoint, JournalRecord, Reader, Scratch, read_record, read_stream, write_stream,
};
use crate::memory::fingerprint;
use crate::record::{Details, Record, seconds};

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
        for slot in 0..self.slots() {
            if let Some(stream) = self.get(slot) {
                Change::Installed { slot, stream }.write(out);
            }
        }
        self.write_tombstones(out);
    }

    /// Appends to `out` what is left of forgotten streams, as changes.
    pub fn write_tombstones(&self, out: &mut Vec<u8>) {
        for tombstone in self.tombstones.iter() {
            let floor = UnixNanos(tombstone.floor);
            Change::Buried { stream: tombstone.stream, floor, since: tombstone.since }.write(out);
        }
    }

    /// Does again what `changes` say, one after another. Returns how many there were.
    ///
    /// What destinations were told in an earlier life counts as told; everything else is new in the present generation.
    ///
    /// # Errors
    ///
    /// What can not be read or does not fit these streams; the changes before it were made.
    pub fn replay(&mut self, changes: &[u8]) -> Result<u64, Corrupt> {
        let mut reader = Reader::new(changes);
        let mut scratch = Scratch::default();
        let mut number = 0;
        while !reader.is_at_end() {
            let record = read_record(&mut reader, &mut self.contexts, &mut scratch, &self.reach, self.generation)?;
            self.redo(record)?;
            number += 1;
        }
        Ok(number)
    }

    /// Appends the stream in a slot to `out`; `false` where the slot is vacant.
    pub fn encode_stream(&self, slot: u32, out: &mut Vec<u8>) -> bool {
        let Some(stream) = self.get(slot) else { return false };
        write_stream(stream, out);
        true
    }

    /// Takes in a stream that [`Streams::encode_stream`] wrote; tells its slot. The limit of streams does not apply.
    ///
    /// # Errors
    ///
    /// What can not be read, or that the stream is here already; nothing changed.
    pub fn install(&mut self, encoded: &[u8]) -> Result<u32, Corrupt> {
        let mut reader = Reader::new(encoded);
        let mut scratch = Scratch::default();
        let decoded = read_stream(&mut reader, &mut self.contexts, &mut scratch, &self.reach, self.generation)?;
        if !reader.is_at_end() {
            return Err(Corrupt::Invalid { what: "end of the stream", at: reader.at() });
        }
        let slot = self.records.next_slot();
        self.install_at(slot, decoded)?;
        Ok(slot)
    }

    /// Removes a stream without a trace, because another shard has it. `false` where the slot is vacant.
    pub fn remove(&mut self, slot: u32) -> bool {
        self.take(slot).is_some()
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
            JournalRecord::Forgotten { slot, now } => self.forget(slot, now).ok_or(vacant(slot)),
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

const _: () = assert!(size_of::<Option<Record>>() == 128, "a stream takes two cache lines");
