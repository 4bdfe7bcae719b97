//! One frame of a segment: what one commit made durable.
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 3 | marker `frm`, by which frames are found behind a damaged one |
//! | 3 | 1 | kind: 1 changes, 2 end of a checkpoint |
//! | 4 | 4 | length of the payload |
//! | 8 | 8 | `synced`: how much of this segment was known to be durable when the frame was written |
//! | 16 | 8 | checksum of the payload |
//! | 24 | 8 | checksum of the 24 bytes before |
//! | 32 | | the payload |
//!
//! Both checksums have the seed of the frame's place. The head has one of its own so that its `synced` counts as evidence
//! even where its payload is torn, and so that a damaged length is never believed.
//!
//! The payload of "changes" is the caller's; where it is empty, the frame is there for its `synced`. The payload of "end
//! of a checkpoint" is the number (`u64`) of the segment that the checkpoint began with.

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use super::{Put, Seed, u32_at, u64_at};

/// The length of a frame's head.
pub(crate) const FRAME_HEAD_BYTES: usize = 32;

/// What every head begins with.
pub(crate) const MARKER: [u8; 3] = *b"frm";

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// What a caller committed.
    Changes = 1,
    /// The number of the segment that began the checkpoint which ends here.
    CheckpointEnd = 2,
}

/// A frame's head, of which the checksum was found right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) length: u32,
    pub(crate) synced: u64,
    payload: u64,
}

impl Head {
    /// The head of the frame of `parts` at `offset`.
    pub(crate) fn of(kind: Kind, synced: u64, parts: &[&[u8]], seed: Seed, offset: u64) -> Self {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).expect("a commit is checked against the limit before it is written");
        Self { kind, length, synced, payload: checksum(parts, seed.at(offset)) }
    }

    /// As it is written at `offset`.
    pub(crate) fn encode(&self, seed: Seed, offset: u64) -> [u8; FRAME_HEAD_BYTES] {
        let mut out = Put::<FRAME_HEAD_BYTES>::new();
        out.bytes(&MARKER).bytes(&[self.kind as u8]).bytes(&self.length.to_le_bytes());
        out.u64(self.synced).u64(self.payload);
        let checksum = xxh3_64_with_seed(&out.bytes[..24], seed.at(offset));
        out.u64(checksum).bytes
    }

    /// The head at `offset`, if these bytes are one.
    pub(crate) fn decode(bytes: &[u8], seed: Seed, offset: u64) -> Option<Self> {
        let bytes = bytes.first_chunk::<FRAME_HEAD_BYTES>()?;
        if bytes[..3] != MARKER || xxh3_64_with_seed(&bytes[..24], seed.at(offset)) != u64_at(bytes, 24) {
            return None;
        }
        let kind = match bytes[3] {
            1 => Kind::Changes,
            2 => Kind::CheckpointEnd,
            _ => return None,
        };
        Some(Self { kind, length: u32_at(bytes, 4), synced: u64_at(bytes, 8), payload: u64_at(bytes, 16) })
    }

    /// The length of the payload behind a head that was checked before.
    pub(crate) fn length_of(head: &[u8; FRAME_HEAD_BYTES]) -> u32 {
        u32_at(head, 4)
    }

    /// Whether a head that was checked before is one of changes.
    pub(crate) fn is_changes(head: &[u8; FRAME_HEAD_BYTES]) -> bool {
        head[3] == Kind::Changes as u8
    }

    /// How long the whole frame is.
    pub(crate) fn frame_bytes(&self) -> u64 {
        FRAME_HEAD_BYTES as u64 + u64::from(self.length)
    }

    /// Whether `payload` is what was written behind this head at `offset`.
    pub(crate) fn is_of(&self, payload: &[u8], seed: Seed, offset: u64) -> bool {
        checksum(&[payload], seed.at(offset)) == self.payload
    }
}

/// Appends a whole frame to `out`, which lies at the offset 0 of the file.
pub(crate) fn frame(kind: Kind, parts: &[&[u8]], seed: Seed, out: &mut Vec<u8>) {
    let offset = out.len() as u64;
    // Nothing of a segment that is being begun is durable.
    let head = Head::of(kind, 0, parts, seed, offset);
    out.extend_from_slice(&head.encode(seed, offset));
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn checksum(parts: &[&[u8]], seed: u64) -> u64 {
    if let [part] = parts {
        return xxh3_64_with_seed(part, seed);
    }
    let mut hash = Xxh3::with_seed(seed);
    parts.iter().for_each(|part| hash.update(part));
    hash.digest()
}
