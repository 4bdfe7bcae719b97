//! The bytes on the disk. Pure.
//!
//! Numbers are little endian. Every structure has a checksum (xxh3-64) over all of it, and what lies in a log or in the cold
//! store has one whose seed says where it lies: the disk's incarnation, the file, and the offset in it. So a block that the
//! file system puts in the wrong place, or leaves over from a deleted file, is never taken for what was written there; nor
//! can bytes that a sender chose look like a frame, as it does not know the seed.
//!
//! xxh3 and not crc32c: it is in the tree, costs less than the copy to the kernel, and 64 bits leave no doubt over
//! petabytes of frames.

mod cold;
mod frame;
mod manifest;
mod owner;
mod segment;

pub(crate) use self::cold::{BLOB_HEAD_BYTES, COLD_HEADER_BYTES, ColdHeader, blob_checksum, blob_head};
pub(crate) use self::frame::{FRAME_HEAD_BYTES, Head, Kind, MARKER, frame};
pub(crate) use self::manifest::{MANIFEST_BYTES, Manifest};
pub(crate) use self::owner::{Invalid, Owner, Seed};
pub(crate) use self::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};

use xxhash_rust::xxh3::xxh3_64;

/// The version of all structures. A later version keeps the places of magic, version, shard, incarnation and checksum.
const VERSION: u32 = 1;

#[cfg(test)]
mod tests;

/// Writes the fields of a header one after another.
struct Put<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Put<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], at: 0 }
    }

    fn bytes(&mut self, field: &[u8]) -> &mut Self {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
        self
    }

    fn u64(&mut self, field: u64) -> &mut Self {
        self.bytes(&field.to_le_bytes())
    }

    /// Ends with the checksum of all fields before it.
    fn sealed(&mut self) -> [u8; N] {
        let checksum = xxh3_64(&self.bytes[..N - 8]);
        self.at = N - 8;
        self.u64(checksum);
        self.bytes
    }
}

/// The little-endian number at an offset of a header, whose length the caller knows.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes are four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes are eight bytes"))
}

/// Whether the last eight bytes are the checksum of those before.
fn is_sealed(bytes: &[u8]) -> bool {
    let (covered, _) = bytes.split_at(bytes.len() - 8);
    xxh3_64(covered) == u64_at(bytes, covered.len())
}
