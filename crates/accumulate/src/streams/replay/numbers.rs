//! Numbers that follow each other in a journal, done again in groups.
//!
//! A log is for the most part points of known streams, in no order that a cache would like. As where they are counted
//! ([`super::super::group`]), the loads of a group are made side by side first; what is done, and its order, stay the same.

use std::hint::black_box;

use shardset_model::UnixNanos;

use super::super::{GROUP, Streams};
use super::Replay;
use crate::codec::{Corrupt, JournalNumber, JournalPoint, Reader, read_number};
use crate::record::Record;

impl Streams {
    /// Does again the numbers that `changes` begin with, a group at most. Returns how many bytes they take.
    pub(super) fn replay_numbers(&mut self, changes: &[u8], replay: Replay) -> Result<usize, Corrupt> {
        let (mut reader, mut numbers) = (Reader::new(changes), [NONE; GROUP]);
        let mut length = 0;
        while length < GROUP
            && let Some(number) = read_number(&mut reader)
        {
            numbers[length] = number;
            length += 1;
        }
        let numbers = &numbers[..length];
        self.bring_near(numbers);
        for number in numbers {
            let JournalNumber { slot, now, time, start, value } = *number;
            if self.redo_point(slot, &JournalPoint { now, time, start, value }).is_none() && replay == Replay::Whole {
                return Err(Corrupt::Vacant { slot });
            }
        }
        Ok(reader.at())
    }

    fn bring_near(&self, numbers: &[JournalNumber]) {
        let mut touched = 0;
        for number in numbers {
            touched ^= self.records.get(number.slot).map_or(0, Record::touch);
            touched ^= self.details.get(number.slot).map_or(0, |details| details.identity.attributes.len() as u32);
        }
        for number in numbers {
            touched ^= self.records.get(number.slot).map_or(0, |record| record.memory.touch());
        }
        black_box(touched);
    }
}

/// Stands where a group has no number yet.
const NONE: JournalNumber = JournalNumber {
    slot: 0,
    now: UnixNanos(0),
    time: UnixNanos(0),
    start: UnixNanos(0),
    value: shardset_model::Value::Missing,
};
