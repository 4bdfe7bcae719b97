//! The header of a segment, 72 bytes.
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 32 | [owner](super::owner), magic `shardlog` |
//! | 32 | 8 | number of this segment |
//! | 40 | 8 | number of the segment before it in the log, 0 for none |
//! | 48 | 8 | where that one ends: what it has after this is no part of the log |
//! | 56 | 8 | how many bytes of this segment were durable before the manifest named it |
//! | 64 | 8 | checksum of the 64 bytes before |
//!
//! Frames follow, one after another. Numbers have gaps where a segment could not be begun.

use super::{Invalid, Owner, Put, Seed, u64_at};

const MAGIC: [u8; 8] = *b"shardlog";

/// Its length.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 72;

/// See the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentHeader {
    pub(crate) owner: Owner,
    pub(crate) number: u64,
    pub(crate) previous: u64,
    pub(crate) previous_end: u64,
    pub(crate) established: u64,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut out = Put::new();
        self.owner.write(MAGIC, &mut out);
        out.u64(self.number).u64(self.previous).u64(self.previous_end).u64(self.established).sealed()
    }

    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, Invalid> {
        let owner = Owner::read(MAGIC, bytes)?;
        let (number, previous) = (u64_at(bytes, 32), u64_at(bytes, 40));
        let (previous_end, established) = (u64_at(bytes, 48), u64_at(bytes, 56));
        Ok(Self { owner, number, previous, previous_end, established })
    }

    /// The seed of the frames in the segment `number`.
    pub(crate) fn seed(owner: Owner, number: u64) -> Seed {
        owner.seed(MAGIC, number)
    }
}
