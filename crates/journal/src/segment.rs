//! The segment that takes frames.
//!
//! It only knows how to go on. After a failed write or sync it must be dropped: the system may have thrown away what it could
//! not write and call the next sync a success (the "fsyncgate" of 2018), so what came after its last good sync is never
//! trusted again. Its successor's header says where it ends.

use crate::error::FileError;
use crate::format::{FRAME_HEAD_BYTES, Head, Kind, Owner, SEGMENT_HEADER_BYTES, Seed, SegmentHeader, frame};
use crate::name;
use crate::storage::Storage;

/// A piece of the log: a segment, and how much of it is durable.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Link {
    pub(crate) number: u64,
    pub(crate) end: u64,
}

/// What is written into a segment.
pub(crate) type Content<'a> = (Kind, &'a [&'a [u8]]);

/// The open segment.
#[derive(Debug)]
pub(crate) struct Segment<F> {
    file: F,
    number: u64,
    seed: Seed,
    length: u64,
    synced: u64,
}

impl<F: Send> Segment<F> {
    /// Makes the segment `number` that goes on where `previous` ends: first the frames `again`, which are not durable
    /// there, then `content`. All of it is durable, but it is no part of the log before the manifest says so.
    pub(crate) fn create<S: Storage<File = F>>(
        storage: &S,
        owner: Owner,
        number: u64,
        previous: Link,
        again: &[u8],
        content: Option<Content<'_>>,
    ) -> Result<Self, FileError> {
        let seed = SegmentHeader::seed(owner, number);
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES];
        frame_again(again, seed, &mut bytes);
        if let Some((kind, parts)) = content {
            frame(kind, parts, seed, &mut bytes);
        }
        let length = bytes.len() as u64;
        let (previous, previous_end) = (previous.number, previous.end);
        let header = SegmentHeader { owner, number, previous, previous_end, established: length };
        bytes[..SEGMENT_HEADER_BYTES].copy_from_slice(&header.encode());

        let name = name::segment(number);
        let failed = |what| FileError::at(storage, what, &name);
        let mut file = storage.create(&name).map_err(failed("create"))?;
        storage.append(&mut file, &bytes, &[]).map_err(failed("write"))?;
        storage.sync_data(&file).map_err(failed("sync"))?;
        storage.sync_directory().map_err(failed("sync the directory of"))?;
        Ok(Self { file, number, seed, length, synced: length })
    }

    /// Writes one frame. Returns its head, and where the frame is durable once the segment is synced.
    pub(crate) fn append<S: Storage<File = F>>(
        &mut self,
        storage: &S,
        (kind, parts): Content<'_>,
    ) -> Result<[u8; FRAME_HEAD_BYTES], FileError> {
        let head = Head::of(kind, self.synced, parts, self.seed, self.length);
        let bytes = head.encode(self.seed, self.length);
        storage.append(&mut self.file, &bytes, parts).map_err(|source| self.failed(storage, "write", source))?;
        self.length += head.frame_bytes();
        Ok(bytes)
    }

    /// Makes all frames durable.
    pub(crate) fn sync<S: Storage<File = F>>(&mut self, storage: &S) -> Result<(), FileError> {
        storage.sync_data(&self.file).map_err(|source| self.failed(storage, "sync", source))?;
        self.synced = self.length;
        Ok(())
    }

    /// The segment as far as it is durable.
    pub(crate) const fn link(&self) -> Link {
        Link { number: self.number, end: self.synced }
    }

    /// Its length, what is not durable included.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    fn failed<S: Storage<File = F>>(&self, storage: &S, what: &'static str, source: std::io::Error) -> FileError {
        FileError { what, path: storage.path(&name::segment(self.number)), source }
    }
}

/// Appends the frames of `again`, which lay elsewhere, as they must look at their new place.
fn frame_again(mut again: &[u8], seed: Seed, out: &mut Vec<u8>) {
    while let Some((head, rest)) = again.split_first_chunk::<FRAME_HEAD_BYTES>() {
        let length = Head::length_of(head) as usize;
        let (payload, rest) = rest.split_at(length);
        // Ends of checkpoints are not written again: one that counts is durable, as the manifest that makes it count is.
        if Head::is_changes(head) && length > 0 {
            frame(Kind::Changes, &[payload], seed, out);
        }
        again = rest;
    }
}
