//! Whose files they are: the first 32 bytes of every header.
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | magic, which says the kind of file |
//! | 8 | 4 | format version |
//! | 12 | 4 | shard |
//! | 16 | 16 | incarnation |
//!
//! The seed of a checksum in the file `number`, at an offset: xxh3-64 of magic, incarnation and number (`u64`), plus the offset,
//! wrapping around.

use shardset_model::Incarnation;
use xxhash_rust::xxh3::xxh3_64;

use super::{Put, VERSION, is_sealed, u32_at};

/// The shard and the life of its disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Owner {
    pub(crate) shard: u32,
    pub(crate) incarnation: Incarnation,
}

/// Why a header can not be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Invalid {
    /// It is not what was written.
    Damaged(&'static str),
    /// It was written by another version.
    Version(u32),
}

impl Owner {
    pub(super) fn write<const N: usize>(self, magic: [u8; 8], out: &mut Put<N>) {
        out.bytes(&magic).bytes(&VERSION.to_le_bytes()).bytes(&self.shard.to_le_bytes());
        out.bytes(&self.incarnation.get().to_le_bytes());
    }

    /// Checks all of a header, so that its other fields may be used as they are.
    pub(super) fn read(magic: [u8; 8], header: &[u8]) -> Result<Self, Invalid> {
        if header[..8] != magic {
            return Err(Invalid::Damaged("it does not begin as such a file does"));
        }
        if !is_sealed(header) {
            return Err(Invalid::Damaged("the checksum of its header is wrong"));
        }
        if u32_at(header, 8) != VERSION {
            return Err(Invalid::Version(u32_at(header, 8)));
        }
        let number = u128::from_le_bytes(header[16..32].try_into().expect("sixteen bytes are sixteen bytes"));
        let incarnation = Incarnation::new(number).ok_or(Invalid::Damaged("its incarnation is 0"))?;
        Ok(Self { shard: u32_at(header, 12), incarnation })
    }

    /// What the checksums in the file `number` of a kind begin with.
    pub(super) fn seed(self, magic: [u8; 8], number: u64) -> Seed {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&magic);
        name[8..24].copy_from_slice(&self.incarnation.get().to_le_bytes());
        name[24..].copy_from_slice(&number.to_le_bytes());
        Seed(xxh3_64(&name))
    }
}

/// The seed of the checksums in one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seed(u64);

impl Seed {
    /// The seed at an offset of the file.
    pub(super) const fn at(self, offset: u64) -> u64 {
        self.0.wrapping_add(offset)
    }
}
