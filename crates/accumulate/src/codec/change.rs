//! What a journal must hold to come to the same state again.
//!
//! A change is what was done, by slot; a list of them is their concatenation.
//!
//! | change | `u8` | then |
//! | --- | --- | --- |
//! | created | 1 | slot, id (16 bytes, low byte first), arrival of its first point (`u64`, ns), [identity](super::identity) |
//! | point | 2 | slot, arrival (`u64`, ns), arrival - time (signed), time - start (signed), [value](super::value) |
//! | ended | 3 | slot, when (`u64`, ns) |
//! | forgotten | 4 | slot |
//! | told | 5 | slot, newest time told (`u64`, ms, two's complement) |
//! | installed | 6 | slot, [stream](super::stream) |
//! | removed | 7 | slot |
//! | buried | 8 | id (16 bytes), floor (`u64`, ns), since (`u32`, s) |
//! | kept | 9 | slot, [stream](super::stream): what a checkpoint holds of a stream, whatever was known of it |
//! | parked | 10 | id (16 bytes), `u8` 1 and [identity](super::identity) where it is the first of its stream, else 0; then as of a point from its arrival on |
//! | unparked | 11 | id (16 bytes) |
//! | kept parked | 12 | id (16 bytes), identity, points (bytes): as "kept" |
//! | laid down | 14 | slot, then as "kept idle" |
//! | kept idle | 15 | id (16 bytes), newest time counted (`u64`, ns), arrival of the last counted point (`u32`, s), place: file `u32`, offset `u64`, length `u32` |
//! | idle gone | 16 | id (16 bytes) |
//! | zero | 13 | slot, its time (`u64`, ms, two's complement), `u8` 1 where it has been told, 0 where it is about to be |
//!
//! Slots are varints; differences of times wrap around. A stream that is forgotten is buried by a change of its own. A
//! checkpoint is a list of "buried", "kept", "kept parked" and "kept idle". A point with the value "missing" is one that says that there
//! is no value any more. Exemplars are not kept. Tags from 32 on are not changes of streams; see `shardset_handoff`.

use shardset_model::{Identity, Point as ModelPoint, StreamId, UnixMillis, UnixNanos, Value};

use super::identity::{read_identity, write_identity};
use super::read::{Corrupt, Reader};
use super::stream::{Decoded, pass_stream, read_stream, write_stream};
use super::value::{Scratch, read_value, write_value};
use super::write;
use crate::contexts::Contexts;
use crate::idle::{Idle, Place};
use crate::memory::Reach;
use crate::record::Stream;
use crate::tombstones::Tombstone;

/// One thing that was done to the streams of a shard.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A stream took a slot.
    Created {
        /// The slot.
        slot: u32,
        /// The stream.
        stream: StreamId,
        /// When.
        now: UnixNanos,
        /// What it is.
        identity: &'a Identity,
    },
    /// A point was counted, passed on, or ended its stream.
    Point {
        /// The slot.
        slot: u32,
        /// When it arrived.
        now: UnixNanos,
        /// The point.
        point: &'a ModelPoint<'a>,
    },
    /// A stream was silent for too long.
    Ended {
        /// The slot.
        slot: u32,
        /// When.
        now: UnixNanos,
    },
    /// A stream was forgotten; its slot is vacant. What is left of it is [`Change::Buried`] next.
    Forgotten {
        /// The slot.
        slot: u32,
    },
    /// A destination was told the stream's value.
    Told {
        /// The slot.
        slot: u32,
        /// At which time of its samples.
        time: UnixMillis,
    },
    /// A stream arrived as a whole.
    Installed {
        /// The slot it took.
        slot: u32,
        /// The stream.
        stream: Stream<'a>,
    },
    /// A stream left as a whole; its slot is vacant.
    Removed {
        /// The slot.
        slot: u32,
    },
    /// What is left of a forgotten stream.
    Buried {
        /// The stream.
        stream: StreamId,
        /// The newest time that it counted.
        floor: UnixNanos,
        /// When it was forgotten, in seconds since the Unix epoch.
        since: u32,
    },
    /// What a checkpoint holds of the stream in a slot.
    Kept {
        /// The slot.
        slot: u32,
        /// The stream.
        stream: Stream<'a>,
    },
    /// A point waits for its stream.
    Parked {
        /// Its stream.
        stream: StreamId,
        /// What the stream is, where none of its points waited before.
        identity: Option<&'a Identity>,
        /// When it arrived.
        now: UnixNanos,
        /// The point.
        point: &'a ModelPoint<'a>,
    },
    /// No point of a stream waits any more; what became of them are changes of their own.
    Unparked {
        /// The stream.
        stream: StreamId,
    },
    /// What a checkpoint holds of a stream's waiting points.
    KeptParked {
        /// Their stream.
        stream: StreamId,
        /// What it is.
        identity: &'a Identity,
        /// The points, as [`Change::Parked`] writes them, one after another.
        points: &'a [u8],
    },
    /// A stream left memory; it is kept elsewhere.
    LaidDown {
        /// The slot that it had.
        slot: u32,
        /// The stream.
        stream: StreamId,
        /// Where it is kept.
        place: Place,
        /// The newest time that it counted.
        newest: UnixNanos,
        /// When the last point that counted arrived, in seconds since the Unix epoch.
        counted_at: u32,
    },
    /// What a checkpoint holds of a stream that is kept elsewhere, or that it is kept at another place now.
    KeptIdle {
        /// The stream.
        stream: StreamId,
        /// Where it is kept.
        place: Place,
        /// The newest time that it counted.
        newest: UnixNanos,
        /// When the last point that counted arrived, in seconds since the Unix epoch.
        counted_at: u32,
    },
    /// A stream that was kept elsewhere is no more here.
    IdleGone {
        /// The stream.
        stream: StreamId,
    },
    /// A destination is about to be told that the stream began with zero, or has been.
    Zero {
        /// The slot.
        slot: u32,
        /// The time of that sample.
        time: UnixMillis,
        /// Whether it has been told.
        is_told: bool,
    },
}

impl Change<'_> {
    /// Appends the change.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Created { slot, stream, now, identity } => {
                head(1, *slot, out);
                out.extend_from_slice(&stream.digest().to_le_bytes());
                write::fixed64(out, now.0);
                write_identity(identity, out);
            }
            Self::Point { slot, now, point } => {
                head(2, *slot, out);
                write_point(point, *now, out);
            }
            Self::Ended { slot, now } => {
                head(3, *slot, out);
                write::fixed64(out, now.0);
            }
            Self::Forgotten { slot } => head(4, *slot, out),
            Self::Told { slot, time } => {
                head(5, *slot, out);
                write::fixed64(out, time.0 as u64);
            }
            Self::Installed { slot, stream } => {
                head(6, *slot, out);
                write_stream(*stream, out);
            }
            Self::Removed { slot } => head(7, *slot, out),
            Self::Buried { stream, floor, since } => {
                id_head(8, *stream, out);
                write::fixed64(out, floor.0);
                write::fixed32(out, *since);
            }
            Self::Kept { slot, stream } => {
                head(9, *slot, out);
                write_stream(*stream, out);
            }
            Self::Parked { .. } | Self::Unparked { .. } | Self::KeptParked { .. } => self.write_parked(out),
            Self::LaidDown { slot, stream, place, newest, counted_at } => {
                head(14, *slot, out);
                write_idle(*stream, *place, *newest, *counted_at, out);
            }
            Self::KeptIdle { stream, place, newest, counted_at } => {
                out.push(15);
                write_idle(*stream, *place, *newest, *counted_at, out);
            }
            Self::IdleGone { stream } => id_head(16, *stream, out),
            Self::Zero { slot, time, is_told } => {
                head(13, *slot, out);
                write::fixed64(out, time.0 as u64);
                out.push(u8::from(*is_told));
            }
        }
    }

    fn write_parked(&self, out: &mut Vec<u8>) {
        match self {
            Self::Parked { stream, identity, now, point } => {
                id_head(10, *stream, out);
                out.push(u8::from(identity.is_some()));
                identity.iter().for_each(|identity| write_identity(identity, out));
                write_point(point, *now, out);
            }
            Self::Unparked { stream } => id_head(11, *stream, out),
            Self::KeptParked { stream, identity, points } => {
                id_head(12, *stream, out);
                write_identity(identity, out);
                write::bytes(out, points);
            }
            _ => {}
        }
    }
}

fn write_idle(stream: StreamId, place: Place, newest: UnixNanos, counted_at: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&stream.digest().to_le_bytes());
    write::fixed64(out, newest.0);
    write::fixed32(out, counted_at);
    write::fixed32(out, place.file);
    write::fixed64(out, place.offset);
    write::fixed32(out, place.length);
}

fn read_idle(reader: &mut Reader<'_>) -> Result<(StreamId, Idle), Corrupt> {
    let stream = StreamId::from_digest(reader.fixed128()?);
    let (newest, counted_at) = (reader.fixed64()?, reader.fixed32()?);
    let place = Place { file: reader.fixed32()?, offset: reader.fixed64()?, length: reader.fixed32()? };
    Ok((stream, Idle { place, newest, counted_at }))
}

fn id_head(tag: u8, stream: StreamId, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&stream.digest().to_le_bytes());
}

fn head(tag: u8, slot: u32, out: &mut Vec<u8>) {
    out.push(tag);
    write::varint(out, u64::from(slot));
}

/// Appends a point and its arrival; the rest of it is its stream's.
pub(crate) fn write_point(point: &ModelPoint<'_>, now: UnixNanos, out: &mut Vec<u8>) {
    write::fixed64(out, now.0);
    write::signed(out, now.0.wrapping_sub(point.time.0) as i64);
    write::signed(out, point.time.0.wrapping_sub(point.start.0) as i64);
    write_value(if point.no_recorded_value { &Value::Missing } else { &point.value }, out);
}

/// A change that was read.
#[derive(Debug)]
pub(crate) enum Record<'a> {
    Created { slot: u32, stream: StreamId, now: UnixNanos, identity: Identity },
    Point { slot: u32, point: Point<'a> },
    Ended { slot: u32, now: UnixNanos },
    Forgotten { slot: u32 },
    Told { slot: u32, time: UnixMillis },
    Installed { slot: u32, decoded: Box<Decoded> },
    Removed { slot: u32 },
    Buried(Tombstone),
    Kept { slot: u32, decoded: Box<Decoded> },
    Parked { stream: StreamId, identity: Option<Identity>, point: &'a [u8] },
    Unparked { stream: StreamId },
    KeptParked { stream: StreamId, identity: Identity, points: &'a [u8] },
    Zero { slot: u32, time: UnixMillis, is_told: bool },
    LaidDown { slot: u32, stream: StreamId, idle: Idle },
    KeptIdle { stream: StreamId, idle: Idle },
    IdleGone { stream: StreamId },
}

/// What a change says about a point; the rest is its stream's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point<'a> {
    pub(crate) now: UnixNanos,
    pub(crate) time: UnixNanos,
    pub(crate) start: UnixNanos,
    pub(crate) value: Value<'a>,
}

/// Reads one change.
pub(crate) fn read_record<'a>(
    reader: &mut Reader<'a>,
    contexts: &mut Contexts,
    scratch: &'a mut Scratch,
    reach: &Reach,
    generation: u32,
) -> Result<Record<'a>, Corrupt> {
    let at = reader.at();
    let tag = reader.byte()?;
    if matches!(tag, 8 | 10..=12 | 15 | 16) {
        return read_by_id(tag, reader, contexts, scratch);
    }
    let slot = reader.narrow("slot")?;
    match tag {
        1 => {
            let stream = StreamId::from_digest(reader.fixed128()?);
            let now = UnixNanos(reader.fixed64()?);
            Ok(Record::Created { slot, stream, now, identity: read_identity(reader, contexts)? })
        }
        2 => Ok(Record::Point { slot, point: read_point(reader, scratch)? }),
        3 => Ok(Record::Ended { slot, now: UnixNanos(reader.fixed64()?) }),
        4 => Ok(Record::Forgotten { slot }),
        5 => Ok(Record::Told { slot, time: UnixMillis(reader.fixed64()? as i64) }),
        6 => {
            let decoded = Box::new(read_stream(reader, contexts, scratch, reach, generation)?);
            Ok(Record::Installed { slot, decoded })
        }
        7 => Ok(Record::Removed { slot }),
        9 => {
            let decoded = Box::new(read_stream(reader, contexts, scratch, reach, generation)?);
            Ok(Record::Kept { slot, decoded })
        }
        14 => {
            let (stream, idle) = read_idle(reader)?;
            Ok(Record::LaidDown { slot, stream, idle })
        }
        13 => {
            let time = UnixMillis(reader.fixed64()? as i64);
            Ok(Record::Zero { slot, time, is_told: reader.flag()? })
        }
        _ => Err(reader.invalid("change", at)),
    }
}

/// Reads a change of a stream that has no slot.
fn read_by_id<'a>(
    tag: u8,
    reader: &mut Reader<'a>,
    contexts: &mut Contexts,
    scratch: &mut Scratch,
) -> Result<Record<'a>, Corrupt> {
    if tag == 15 {
        let (stream, idle) = read_idle(reader)?;
        return Ok(Record::KeptIdle { stream, idle });
    }
    let stream = StreamId::from_digest(reader.fixed128()?);
    match tag {
        16 => Ok(Record::IdleGone { stream }),
        8 => Ok(Record::Buried(Tombstone { stream, floor: reader.fixed64()?, since: reader.fixed32()? })),
        10 => {
            let identity = if reader.flag()? { Some(read_identity(reader, contexts)?) } else { None };
            let begin = *reader;
            read_point(reader, scratch)?;
            Ok(Record::Parked { stream, identity, point: reader.passed_since(begin) })
        }
        11 => Ok(Record::Unparked { stream }),
        _ => Ok(Record::KeptParked { stream, identity: read_identity(reader, contexts)?, points: reader.bytes()? }),
    }
}

/// A change that is a number which was counted or passed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    pub(crate) slot: u32,
    pub(crate) now: UnixNanos,
    pub(crate) time: UnixNanos,
    pub(crate) start: UnixNanos,
    pub(crate) value: Value<'static>,
}

/// Reads a change if it is a number; reads nothing of any other, nor of one that is cut off.
#[inline]
pub(crate) fn read_number(reader: &mut Reader<'_>) -> Option<Number> {
    let mut ahead = *reader;
    if ahead.byte() != Ok(2) {
        return None;
    }
    let slot = ahead.narrow("slot").ok()?;
    let now = ahead.fixed64().ok()?;
    let time = now.wrapping_sub(ahead.signed().ok()? as u64);
    let start = time.wrapping_sub(ahead.signed().ok()? as u64);
    let value = match ahead.byte().ok()? {
        1 => Value::Int(ahead.signed().ok()?),
        2 => Value::Double(ahead.double().ok()?),
        _ => return None,
    };
    *reader = ahead;
    Some(Number { slot, now: UnixNanos(now), time: UnixNanos(time), start: UnixNanos(start), value })
}

/// The slot of a change that says what a checkpoint holds of a stream, which one it is, and how many bytes the change has;
/// `None` of any other.
pub(crate) fn pass_kept(changes: &[u8], scratch: &mut Scratch) -> Option<(u32, StreamId, usize)> {
    let mut reader = Reader::new(changes);
    if reader.byte() != Ok(9) {
        return None;
    }
    let slot = reader.narrow("slot").ok()?;
    let stream = pass_stream(&mut reader, scratch).ok()?;
    Some((slot, stream, reader.at()))
}

/// Reads what [`write_point`] wrote.
pub(crate) fn read_point<'a>(reader: &mut Reader<'_>, scratch: &'a mut Scratch) -> Result<Point<'a>, Corrupt> {
    let now = reader.fixed64()?;
    let time = now.wrapping_sub(reader.signed()? as u64);
    let start = time.wrapping_sub(reader.signed()? as u64);
    let value = read_value(reader, scratch)?;
    Ok(Point { now: UnixNanos(now), time: UnixNanos(time), start: UnixNanos(start), value })
}
