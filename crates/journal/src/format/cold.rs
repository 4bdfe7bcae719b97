//! A file of the cold store: a header of 48 bytes, then blobs.
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 32 | [owner](super::owner), magic `shardcld` |
//! | 32 | 8 | number of this file |
//! | 40 | 8 | checksum of the 40 bytes before |
//!
//! | offset in a blob | bytes | what |
//! | --- | --- | --- |
//! | 0 | 4 | length of what follows the head |
//! | 4 | 8 | checksum of the length and of what follows, seeded with the blob's place |
//! | 12 | | what was appended |
//!
//! Blobs are found by the locations that the log holds, never by walking.

use xxhash_rust::xxh3::Xxh3;

use super::{Invalid, Owner, Put, Seed, u64_at};

const MAGIC: [u8; 8] = *b"shardcld";

/// The length of a file's header.
pub(crate) const COLD_HEADER_BYTES: usize = 48;

/// The length of a blob's head.
pub(crate) const BLOB_HEAD_BYTES: usize = 12;

/// See the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ColdHeader {
    pub(crate) owner: Owner,
    pub(crate) number: u64,
}

impl ColdHeader {
    pub(crate) fn encode(&self) -> [u8; COLD_HEADER_BYTES] {
        let mut out = Put::new();
        self.owner.write(MAGIC, &mut out);
        out.u64(self.number).sealed()
    }

    pub(crate) fn decode(bytes: &[u8; COLD_HEADER_BYTES]) -> Result<Self, Invalid> {
        Ok(Self { owner: Owner::read(MAGIC, bytes)?, number: u64_at(bytes, 32) })
    }

    /// The seed of the blobs in the file `number`.
    pub(crate) fn seed(owner: Owner, number: u32) -> Seed {
        owner.seed(MAGIC, number.into())
    }
}

/// What is written before a blob.
pub(crate) fn blob_head(length: u32, checksum: u64) -> [u8; BLOB_HEAD_BYTES] {
    let mut out = Put::new();
    out.bytes(&length.to_le_bytes()).u64(checksum).bytes
}

/// The checksum of a blob at `offset`.
pub(crate) fn blob_checksum(blob: &[u8], seed: Seed, offset: u64) -> u64 {
    let length = u32::try_from(blob.len()).expect("a blob is checked against the limit before it is written");
    let mut hash = Xxh3::with_seed(seed.at(offset));
    hash.update(&length.to_le_bytes());
    hash.update(blob);
    hash.digest()
}
