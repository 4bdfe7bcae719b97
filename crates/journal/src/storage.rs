//! The file layer: everything that a journal asks of an operating system.
//!
//! One value is one directory, and names are plain names in it. It is a trait for one reason: what a journal promises about
//! crashes can be tested only on a disk that loses, tears and refuses at will ([`faulty::MemoryDisk`]), and the cluster's
//! simulator needs such a disk too. [`Disk`] is the real one.
//!
//! Files are only ever appended to by the one who created them, so there is no seeking, no overwriting, and no truncation
//! of what has a name. Nothing is durable before it is synced: bytes and length of a file by `sync_data`, names by `sync_directory`.

pub mod faulty;

mod disk;
mod release;

use std::io;
use std::path::PathBuf;

pub use self::disk::Disk;

/// One directory. Clones are the same directory.
pub trait Storage: Clone + Send {
    /// An open file.
    type File: Send;
    /// Held while a process works with the directory; dropping it lets go.
    type Lock: Send + Sync;

    /// Where the file with this name is, for messages.
    fn path(&self, name: &str) -> PathBuf;

    /// Locks the directory by the file `name`; `None` where another process has it.
    fn lock(&self, name: &str) -> io::Result<Option<Self::Lock>>;

    /// The names of all files, in order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes an empty file to append to, in place of one with this name.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file to read from.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Appends `head`, then each of `parts`. After an error, any part of it may have been written.
    fn append(&self, file: &mut Self::File, head: &[u8], parts: &[&[u8]]) -> io::Result<()>;

    /// Reads some bytes at `offset`: at least one, except at the end of the file.
    fn read_at(&self, file: &Self::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// The length of a file, in bytes.
    fn size(&self, file: &Self::File) -> io::Result<u64>;

    /// Makes the bytes and the length of a file durable. After an error, what was appended since the last success may be lost
    /// for good, even where a later sync succeeds.
    fn sync_data(&self, file: &Self::File) -> io::Result<()>;

    /// Gives a file another name, in place of the file that had it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes durable what was created, renamed and removed.
    fn sync_directory(&self) -> io::Result<()>;
}

/// Reads until `buffer` is full or the file ends; how many bytes.
pub(crate) fn read_fully<S: Storage>(storage: &S, file: &S::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match storage.read_at(file, offset + filled as u64, &mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
