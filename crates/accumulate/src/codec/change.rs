//! What a journal must hold to come to the same state again.
//!
//! A change is what was done, by slot; a list of them is their concatenation.
//!
//! | change | `u8` | then |
//! | --- | --- | --- |
//! | created | 1 | slot, id (16 bytes, low byte first), arrival of its first point (`u64`, ns), [identity](super::identity) |
//! | point | 2 | slot, arrival (`u64`, ns), arrival - time (signed), time - start (signed), [value](super::value) |
//! | ended | 3 | slot, when (`u64`, ns) |
//! | forgotten | 4 | slot, when (`u64`, ns) |
//! | told | 5 | slot, newest time told (`u64`, ms, two's complement) |
//! | installed | 6 | slot, [stream](super::stream) |
//! | removed | 7 | slot |
//! | buried | 8 | id (16 bytes), floor (`u64`, ns), since (`u32`, s) |
//!
//! Slots are varints; differences of times wrap around. A checkpoint is a list of "installed" and "buried". A point with the
//! value "missing" is one that says that there is no value any more. Exemplars are not kept.

use shardset_model::{Identity, Point as ModelPoint, StreamId, UnixMillis, UnixNanos, Value};

use super::identity::{read_identity, write_identity};
use super::read::{Corrupt, Reader};
use super::stream::{Decoded, read_stream, write_stream};
use super::value::{Scratch, read_value, write_value};
use super::write;
use crate::contexts::Contexts;
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
    /// A stream was forgotten; its slot is vacant.
    Forgotten {
        /// The slot.
        slot: u32,
        /// When.
        now: UnixNanos,
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
    /// What is left of a forgotten stream arrived.
    Buried {
        /// The stream.
        stream: StreamId,
        /// The newest time that it counted.
        floor: UnixNanos,
        /// When it was forgotten, in seconds since the Unix epoch.
        since: u32,
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
            Self::Forgotten { slot, now } => {
                head(4, *slot, out);
                write::fixed64(out, now.0);
            }
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
                out.push(8);
                out.extend_from_slice(&stream.digest().to_le_bytes());
                write::fixed64(out, floor.0);
                write::fixed32(out, *since);
            }
        }
    }
}

fn head(tag: u8, slot: u32, out: &mut Vec<u8>) {
    out.push(tag);
    write::varint(out, u64::from(slot));
}

fn write_point(point: &ModelPoint<'_>, now: UnixNanos, out: &mut Vec<u8>) {
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
    Forgotten { slot: u32, now: UnixNanos },
    Told { slot: u32, time: UnixMillis },
    Installed { slot: u32, decoded: Box<Decoded> },
    Removed { slot: u32 },
    Buried(Tombstone),
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
    reader: &mut Reader<'_>,
    contexts: &mut Contexts,
    scratch: &'a mut Scratch,
    reach: &Reach,
    generation: u32,
) -> Result<Record<'a>, Corrupt> {
    let at = reader.at();
    let tag = reader.byte()?;
    if tag == 8 {
        let stream = StreamId::from_digest(reader.fixed128()?);
        return Ok(Record::Buried(Tombstone { stream, floor: reader.fixed64()?, since: reader.fixed32()? }));
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
        4 => Ok(Record::Forgotten { slot, now: UnixNanos(reader.fixed64()?) }),
        5 => Ok(Record::Told { slot, time: UnixMillis(reader.fixed64()? as i64) }),
        6 => {
            let decoded = Box::new(read_stream(reader, contexts, scratch, reach, generation)?);
            Ok(Record::Installed { slot, decoded })
        }
        7 => Ok(Record::Removed { slot }),
        _ => Err(reader.invalid("change", at)),
    }
}

fn read_point<'a>(reader: &mut Reader<'_>, scratch: &'a mut Scratch) -> Result<Point<'a>, Corrupt> {
    let now = reader.fixed64()?;
    let time = now.wrapping_sub(reader.signed()? as u64);
    let start = time.wrapping_sub(reader.signed()? as u64);
    let value = read_value(reader, scratch)?;
    Ok(Point { now: UnixNanos(now), time: UnixNanos(time), start: UnixNanos(start), value })
}
