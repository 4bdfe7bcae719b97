//! Streams and changes as bytes, for journals, checkpoints and handoffs.
//!
//! Everything is made of these: `u8`; `u32` and `u64` little-endian; `f64` as its bits, little-endian; *varint*, seven bits a
//! byte, lowest first, the highest bit set on all but the last byte; *signed*, a varint of `(n << 1) ^ (n >> 63)`; *bytes*, a
//! varint of the length and then so many bytes; text as UTF-8 bytes. Formats: [`change`], [`stream`], [`identity`], [`value`].
//!
//! Integrity is the container's: whoever stores or sends these adds checksums. Bytes that are not what they should be
//! give a [`Corrupt`], never a panic.

mod change;
mod identity;
mod read;
mod stream;
mod value;
mod write;

pub use self::change::Change;
pub(crate) use self::change::{
    Number as JournalNumber, Point as JournalPoint, Record as JournalRecord, pass_kept, read_number, read_point,
    read_record, write_point,
};
pub(crate) use self::identity::write_identifying;
pub use self::read::Corrupt;
pub(crate) use self::read::Reader;
pub(crate) use self::stream::{Decoded, read_stream, read_stream_id, write_stream};
pub(crate) use self::value::Scratch;

#[cfg(test)]
mod tests;
