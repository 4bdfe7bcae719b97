//! The manifest, 64 bytes: which segments are the log.
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 32 | [owner](super::owner), magic `shardman` |
//! | 32 | 8 | number of the first segment of the log, 0 for an empty log |
//! | 40 | 8 | number of the last one |
//! | 48 | 8 | 1 where the first one begins a checkpoint, 0 where it is the first there ever was |
//! | 56 | 8 | checksum of the 56 bytes before |
//!
//! Which segments lie between the two is said by their headers, from the last one back.

use super::{Invalid, Owner, Put, u64_at};

const MAGIC: [u8; 8] = *b"shardman";

/// Its length.
pub(crate) const MANIFEST_BYTES: usize = 64;

/// See the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Manifest {
    pub(crate) owner: Owner,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) checkpoint: bool,
}

impl Manifest {
    /// Of a disk that holds nothing.
    pub(crate) const fn empty(owner: Owner) -> Self {
        Self { owner, first: 0, last: 0, checkpoint: false }
    }

    pub(crate) fn encode(&self) -> [u8; MANIFEST_BYTES] {
        let mut out = Put::new();
        self.owner.write(MAGIC, &mut out);
        out.u64(self.first).u64(self.last).u64(self.checkpoint.into()).sealed()
    }

    pub(crate) fn decode(bytes: &[u8; MANIFEST_BYTES]) -> Result<Self, Invalid> {
        let owner = Owner::read(MAGIC, bytes)?;
        Ok(Self { owner, first: u64_at(bytes, 32), last: u64_at(bytes, 40), checkpoint: u64_at(bytes, 48) == 1 })
    }
}
