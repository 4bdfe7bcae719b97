//! A whole stream as bytes: what a new owner needs to go on as if it had counted from the start.
//!
//! | what | as |
//! | --- | --- |
//! | version of this format, 1 | `u8` |
//! | id, low byte first | 16 bytes |
//! | identity | [`super::identity`] |
//! | start, arrival of the last counted point, ns | `u64` each |
//! | flags | `u8`: 1 the birth is told, 2 ended, 4 the end is told, 8 a time was told, 16 away |
//! | with flag 8: newest time told, ms | `u64`, two's complement |
//! | floor of the memory, ns | `u64` |
//! | remembered points | varint *n*; *n* times, by time: time `u64`, fingerprint `u32`, arrival `u32` (s), start varint (0: not kept) |
//! | value; a double or a sum as its leading part | [`super::value`] |
//! | compensation of that sum (0 where there is none) | `f64`, after values of form 2, 3 and 4 |
//!
//! Generations and exemplars stay behind: generations belong to a process, exemplars are examples.

use shardset_model::{ExponentialPoint, HistogramPoint, StreamId, UnixMillis, UnixNanos, Value};

use super::identity::{pass_identity, read_identity, write_identity};
use super::read::{Corrupt, Reader};
use super::value::{Scratch, read_value, write_value};
use super::write;
use crate::contexts::Contexts;
use crate::memory::{Counted, Memory, Reach};
use crate::number::DoubleSum;
use crate::record::{Details, NEVER, Record, Stamp, Stream};
use crate::state::State;

const VERSION: u8 = 1;
const BIRTH_TOLD: u8 = 1;
const ENDED: u8 = 2;
const END_TOLD: u8 = 4;
const TOLD: u8 = 8;
const AWAY: u8 = 16;

/// A stream that was read.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) record: Record,
    pub(crate) details: Details,
}

pub(crate) fn write_stream(stream: Stream<'_>, out: &mut Vec<u8>) {
    let record = stream.record;
    out.push(VERSION);
    out.extend_from_slice(&record.id.digest().to_le_bytes());
    write_identity(stream.identity(), out);
    write::fixed64(out, record.start.0);
    write::fixed64(out, record.counted_at.0);
    out.push(flags(record));
    if record.told != NEVER {
        write::fixed64(out, record.told.0 as u64);
    }
    write::fixed64(out, record.memory.floor());
    let points = record.memory.sorted();
    write::varint(out, points.len() as u64);
    for (point, start) in points {
        write::fixed64(out, point.time);
        write::fixed32(out, point.fingerprint);
        write::fixed32(out, point.arrival);
        write::varint(out, start);
    }
    write_state(&record.state, out);
}

fn flags(record: &Record) -> u8 {
    let flag = |set, flag| if set { flag } else { 0 };
    flag(record.born.is_told(), BIRTH_TOLD)
        | flag(record.ended != Stamp::NONE, ENDED)
        | flag(record.ended.is_told(), END_TOLD)
        | flag(record.told != NEVER, TOLD)
        | flag(record.away, AWAY)
}

fn write_state(state: &State, out: &mut Vec<u8>) {
    let (value, sum) = match state {
        State::Double(total) => (Value::Double(total.sum), Some(*total)),
        State::Histogram(total) => {
            let sum = total.statistics.sum;
            let view = HistogramPoint { sum: sum.map(|sum| sum.sum), ..total.view() };
            (Value::Histogram(view), Some(sum.unwrap_or(DoubleSum::of(0.0))))
        }
        State::Exponential(total) => {
            let sum = total.statistics.sum;
            let view = ExponentialPoint { sum: sum.map(|sum| sum.sum), ..total.view() };
            (Value::Exponential(view), Some(sum.unwrap_or(DoubleSum::of(0.0))))
        }
        State::Missing | State::Int(_) | State::Summary(_) => (state.view(), None),
    };
    write_value(&value, out);
    if let Some(sum) = sum {
        write::double(out, sum.compensation);
    }
}

/// Reads the first of it: which stream it is.
pub(crate) fn read_stream_id(reader: &mut Reader<'_>) -> Result<StreamId, Corrupt> {
    let at = reader.at();
    if reader.byte()? != VERSION {
        return Err(reader.invalid("stream of a known version", at));
    }
    reader.fixed128().map(StreamId::from_digest)
}

/// Reads a stream as it begins its next life, in `generation`.
pub(crate) fn read_stream(
    reader: &mut Reader<'_>,
    contexts: &mut Contexts,
    scratch: &mut Scratch,
    reach: &Reach,
    generation: u32,
) -> Result<Decoded, Corrupt> {
    let id = read_stream_id(reader)?;
    let identity = read_identity(reader, contexts)?;
    let (start, counted_at) = (UnixNanos(reader.fixed64()?), UnixNanos(reader.fixed64()?));
    let at = reader.at();
    let flags = reader.byte()?;
    if flags > BIRTH_TOLD | ENDED | END_TOLD | TOLD | AWAY {
        return Err(reader.invalid("set of flags", at));
    }
    let told = if flags & TOLD == 0 { NEVER } else { UnixMillis(reader.fixed64()? as i64) };
    let memory = read_memory(reader, reach)?;
    let state = read_state(reader, scratch)?;
    let (born, ended) = read_life(flags, generation);
    let away = flags & AWAY != 0;
    let record = Record { id, start, state, memory, counted_at, told, born, changed: generation, ended, away };
    Ok(Decoded { record, details: Details { identity, exemplars: None } })
}

/// Passes a stream without making it; which one it is.
pub(crate) fn pass_stream(reader: &mut Reader<'_>, scratch: &mut Scratch) -> Result<StreamId, Corrupt> {
    let id = read_stream_id(reader)?;
    pass_identity(reader)?;
    reader.take(16)?;
    if reader.byte()? & TOLD != 0 {
        reader.take(8)?;
    }
    reader.take(8)?;
    for _ in 0..reader.len(17)? {
        reader.take(16)?;
        reader.varint()?;
    }
    if let Value::Double(_) | Value::Histogram(_) | Value::Exponential(_) = read_value(reader, scratch)? {
        reader.take(8)?;
    }
    Ok(id)
}

fn read_life(flags: u8, generation: u32) -> (Stamp, Stamp) {
    let stamp = |told| if told { Stamp::EARLIER } else { Stamp::at(generation) };
    let ended = if flags & ENDED == 0 { Stamp::NONE } else { stamp(flags & END_TOLD != 0) };
    (stamp(flags & BIRTH_TOLD != 0), ended)
}

fn read_memory(reader: &mut Reader<'_>, reach: &Reach) -> Result<Memory, Corrupt> {
    let floor = reader.fixed64()?;
    let mut points = Vec::new();
    for _ in 0..reader.len(17)? {
        let counted = Counted { time: reader.fixed64()?, fingerprint: reader.fixed32()?, arrival: reader.fixed32()? };
        points.push((counted, reader.varint()?));
    }
    Ok(Memory::restore(floor, &points, reach))
}

fn read_state(reader: &mut Reader<'_>, scratch: &mut Scratch) -> Result<State, Corrupt> {
    let mut state = State::of(&read_value(reader, scratch)?, u32::MAX);
    match &mut state {
        State::Double(total) => total.compensation = reader.double()?,
        State::Histogram(total) => read_compensation(reader, &mut total.statistics.sum)?,
        State::Exponential(total) => read_compensation(reader, &mut total.statistics.sum)?,
        State::Missing | State::Int(_) | State::Summary(_) => {}
    }
    Ok(state)
}

fn read_compensation(reader: &mut Reader<'_>, sum: &mut Option<DoubleSum>) -> Result<(), Corrupt> {
    let compensation = reader.double()?;
    if let Some(sum) = sum {
        sum.compensation = compensation;
    }
    Ok(())
}
