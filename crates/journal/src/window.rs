//! Reading a file front to back through a buffer.
//!
//! A log of small commits would otherwise cost two system calls a frame. Memory is bounded by the largest frame.

use std::io;

use crate::error::FileError;
use crate::storage::{Storage, read_fully};

/// How much is read at once: enough that a start waits for the disk and not for system calls.
const READ_BYTES: u64 = 1 << 20;

/// One file, and the part of it that is in memory.
pub(crate) struct Window<'a, S: Storage> {
    storage: &'a S,
    name: String,
    file: S::File,
    size: u64,
    buffer: Vec<u8>,
    start: u64,
}

impl<'a, S: Storage> Window<'a, S> {
    /// The file `name`; `None` where there is none.
    pub(crate) fn open(storage: &'a S, name: &str) -> Result<Option<Self>, FileError> {
        let failed = |what| FileError::at(storage, what, name);
        let file = match storage.open(name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open")(error)),
        };
        let size = storage.size(&file).map_err(failed("find the length of"))?;
        Ok(Some(Self { storage, name: name.to_owned(), file, size, buffer: Vec::new(), start: 0 }))
    }

    /// Its length.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// The `length` bytes at `offset`; fewer where the file ends before.
    pub(crate) fn get(&mut self, offset: u64, length: u64) -> Result<&[u8], FileError> {
        let length = length.min(self.size.saturating_sub(offset));
        let held = self.start + self.buffer.len() as u64;
        if offset < self.start || offset + length > held {
            self.fill(offset, length.max(READ_BYTES.min(self.size.saturating_sub(offset))))?;
        }
        let from = (offset - self.start) as usize;
        // A file that became shorter while it is read gives less: the caller sees a frame that is cut off.
        let to = (from + length as usize).min(self.buffer.len());
        Ok(&self.buffer[from..to])
    }

    fn fill(&mut self, offset: u64, length: u64) -> Result<(), FileError> {
        self.buffer.resize(length as usize, 0);
        self.start = offset;
        let read = read_fully(self.storage, &self.file, offset, &mut self.buffer);
        let read = read.map_err(FileError::at(self.storage, "read", &self.name))?;
        self.buffer.truncate(read);
        Ok(())
    }
}
