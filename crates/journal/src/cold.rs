//! The cold store: encoded streams that nobody wrote to for a while, on the disk instead of in memory.
//!
//! Blobs are appended to files and found by the [`Location`] that appending gave. The log is the only truth on which of them
//! live: a location counts once a frame that mentions it is committed, and stops to count with the frame that says so. So
//! there is no index and no recovery here; after a replay the caller says which locations live ([`ColdStore::mark_live`]).
//!
//! Order is everything: append, [`ColdStore::sync`], then commit the frame with the location. And the other way round:
//! release, commit that, and only then remove files ([`ColdStore::delete_unreferenced`] asks for the receipt).
//!
//! As in the log, a file on which a write or a sync failed takes no further blob; what was appended since the last sync must be
//! appended again. A start begins a new file.
//!
//! Bounded disk: [`ColdStore::compaction_candidate`] names a file in which less than half of what a file holds is alive, the
//! newest one excepted. A caller that moves what lives there has at most 2 * live bytes + two files.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use shardset_model::Receipt;

use crate::error::{ColdError, Damage, FileError};
use crate::format::{BLOB_HEAD_BYTES, COLD_HEADER_BYTES, ColdHeader, Owner, blob_checksum, blob_head};
use crate::name;
use crate::settings::Settings;
use crate::storage::{Storage, read_fully};

/// The largest blob: 64 MiB, a histogram stream being far below 1 MiB.
const BLOB_BYTES_MAX: usize = 64 << 20;

/// Where a blob is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Location {
    /// The number of its file.
    pub file: u32,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// The length of the blob, in bytes.
    pub length: u32,
}

/// The blobs in one directory. Holds its lock.
#[derive(Debug)]
pub struct ColdStore<S: Storage> {
    storage: S,
    owner: Owner,
    file_bytes: u64,
    files: BTreeMap<u32, ColdFile<S::File>>,
    /// The file that takes blobs; `None` where the next blob begins a new one.
    current: Option<Current>,
    _lock: Arc<S::Lock>,
}

#[derive(Debug)]
struct ColdFile<F> {
    /// Opened when it is needed.
    file: Option<F>,
    /// How much of it counts, in bytes.
    length: u64,
    /// Bytes of blobs that are alive, with their heads.
    live: u64,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    number: u32,
    /// How much of it is durable; 0 where its name may not be.
    durable: u64,
    /// Bytes of blobs that are alive and not durable.
    unsynced: u64,
}

impl Location {
    const fn bytes(self) -> u64 {
        BLOB_HEAD_BYTES as u64 + self.length as u64
    }
}

impl<S: Storage> ColdStore<S> {
    pub(crate) fn find(
        storage: S,
        lock: Arc<S::Lock>,
        owner: Owner,
        settings: &Settings,
        numbers: &[u32],
    ) -> Result<Self, FileError> {
        let mut files = BTreeMap::new();
        for &number in numbers {
            let name = name::cold(number);
            let file = storage.open(&name).map_err(FileError::at(&storage, "open", &name))?;
            let length = storage.size(&file).map_err(FileError::at(&storage, "find the length of", &name))?;
            files.insert(number, ColdFile { file: None, length, live: 0 });
        }
        Ok(Self { storage, owner, file_bytes: settings.cold_file_bytes, files, current: None, _lock: lock })
    }

    /// Says that the log, when it was replayed, holds this location.
    ///
    /// # Errors
    ///
    /// There is no such place: the file is missing or cut off.
    pub fn mark_live(&mut self, location: Location) -> Result<(), ColdError> {
        let path = self.storage.path(&name::cold(location.file));
        let Some(file) = self.files.get_mut(&location.file) else {
            return Err(Damage { path, offset: 0, what: "the file is missing, and the log needs it" }.into());
        };
        if location.offset + location.bytes() > file.length {
            return Err(Damage { path, offset: file.length, what: "the file is cut off" }.into());
        }
        file.live += location.bytes();
        Ok(())
    }

    /// Appends a blob. It is durable after the next [`ColdStore::sync`], and can be read at once.
    ///
    /// # Errors
    ///
    /// It was not appended, and whatever was since the last sync is gone with it: append all of that again.
    pub fn append(&mut self, blob: &[u8]) -> Result<Location, ColdError> {
        if blob.len() > BLOB_BYTES_MAX {
            return Err(ColdError::TooLarge { bytes: blob.len(), limit: BLOB_BYTES_MAX });
        }
        let length = u32::try_from(blob.len()).expect("64 MiB are below 4 GiB");
        let mut current = self.current.map_or_else(|| self.begin_file(), Ok)?;
        let offset = self.file(current.number).length;
        let checksum = blob_checksum(blob, ColdHeader::seed(self.owner, current.number), offset);
        self.write(current, &blob_head(length, checksum), blob)?;
        let location = Location { file: current.number, offset, length };
        self.file(current.number).live += location.bytes();
        current.unsynced += location.bytes();
        self.current = Some(current);
        Ok(location)
    }

    /// Makes durable what was appended.
    ///
    /// # Errors
    ///
    /// What was appended since the last success is gone: append it again.
    pub fn sync(&mut self) -> Result<(), ColdError> {
        let Some(current) = self.current.take() else { return Ok(()) };
        let length = self.file(current.number).length;
        if length > current.durable {
            self.sync_file(current).inspect_err(|_| self.give_up(current))?;
        }
        // A file that is full ends here and not within an append, so what a failure takes is always in one file.
        let has_room = length < self.file_bytes;
        self.current = has_room.then_some(Current { durable: length, unsynced: 0, ..current });
        Ok(())
    }

    /// Reads a blob.
    ///
    /// # Errors
    ///
    /// It can not be read, or is not what was appended.
    pub fn read(&mut self, location: Location) -> Result<Vec<u8>, ColdError> {
        let Location { file: number, offset, length } = location;
        let name = name::cold(number);
        self.open(number)?;
        let mut bytes = vec![0; location.bytes() as usize];
        let read = read_fully(&self.storage, self.handle(number), offset, &mut bytes);
        bytes.truncate(read.map_err(FileError::at(&self.storage, "read", &name))?);
        let blob = bytes.split_off(bytes.len().min(BLOB_HEAD_BYTES));
        let checksum = blob_checksum(&blob, ColdHeader::seed(self.owner, number), offset);
        if bytes != blob_head(length, checksum) {
            let what = "a blob is not what was appended";
            return Err(Damage { path: self.storage.path(&name), offset, what }.into());
        }
        Ok(blob)
    }

    /// Says that the log does not hold this location any more.
    pub fn release(&mut self, location: Location) {
        let Some(file) = self.files.get_mut(&location.file) else { return };
        // What was gone with a failed sync does not count already.
        if location.offset < file.length {
            file.live = file.live.saturating_sub(location.bytes());
        }
        if let Some(current) = &mut self.current
            && current.number == location.file
            && current.durable <= location.offset
        {
            current.unsynced = current.unsynced.saturating_sub(location.bytes());
        }
    }

    /// The file of which most is gained by moving what lives in it: append that again, commit the new locations, release the
    /// old ones.
    pub fn compaction_candidate(&self) -> Option<u32> {
        let (newest, _) = self.files.last_key_value()?;
        let is_sparse = |file: &ColdFile<_>| 0 < file.live && file.live < self.file_bytes / 2;
        let sparse = self.files.range(..newest).filter(|(_, file)| is_sparse(file));
        sparse.min_by_key(|(_, file)| file.live).map(|(number, _)| *number)
    }

    /// Removes the files in which nothing lives; how many. The receipt is that of a commit after the last release, and with
    /// `Durability::Interval` that of `Journal::sync`: before it, a crash could bring back a log that needs them.
    ///
    /// # Errors
    ///
    /// A file can not be removed. It may be tried again.
    pub fn delete_unreferenced(&mut self, _released: &Receipt) -> Result<usize, ColdError> {
        let current = self.current.map(|current| current.number);
        let dead = self.files.iter().filter(|(number, file)| file.live == 0 && Some(**number) != current);
        let dead: Vec<u32> = dead.map(|(number, _)| *number).collect();
        for number in &dead {
            let name = name::cold(*number);
            match self.storage.remove(&name) {
                // A removal that failed may have been done.
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(FileError::at(&self.storage, "remove", &name)(error).into());
                }
                _ => {}
            }
            self.files.remove(number);
        }
        Ok(dead.len())
    }

    /// Bytes of all files.
    pub fn disk_bytes(&self) -> u64 {
        self.files.values().map(|file| file.length).sum()
    }

    /// Bytes of all blobs that live.
    pub fn live_bytes(&self) -> u64 {
        self.files.values().map(|file| file.live).sum()
    }

    fn begin_file(&mut self) -> Result<Current, ColdError> {
        let number = self.files.last_key_value().map_or(0, |(newest, _)| newest + 1);
        let name = name::cold(number);
        let file = self.storage.create(&name).map_err(FileError::at(&self.storage, "create", &name))?;
        self.files.insert(number, ColdFile { file: Some(file), length: 0, live: 0 });
        let current = Current { number, durable: 0, unsynced: 0 };
        let header = ColdHeader { owner: self.owner, number: number.into() };
        self.write(current, &header.encode(), &[])?;
        Ok(current)
    }

    fn write(&mut self, current: Current, head: &[u8], blob: &[u8]) -> Result<(), FileError> {
        // Put back by the caller where all goes well.
        self.current = None;
        let file = self.files.get_mut(&current.number).expect("the file that takes blobs is known");
        let handle = file.file.as_mut().expect("the file that takes blobs is open");
        let written = self.storage.append(handle, head, &[blob]);
        file.length += (head.len() + blob.len()) as u64;
        let name = name::cold(current.number);
        written.map_err(FileError::at(&self.storage, "write", &name)).inspect_err(|_| self.give_up(current))
    }

    fn sync_file(&self, current: Current) -> Result<(), FileError> {
        let name = name::cold(current.number);
        let failed = |what| FileError::at(&self.storage, what, &name);
        self.storage.sync_data(self.handle(current.number)).map_err(failed("sync"))?;
        if current.durable == 0 {
            self.storage.sync_directory().map_err(failed("sync the directory of"))?;
        }
        Ok(())
    }

    /// Forgets what a file has that is not durable.
    fn give_up(&mut self, current: Current) {
        let file = self.file(current.number);
        file.length = current.durable;
        file.live -= current.unsynced;
    }

    fn open(&mut self, number: u32) -> Result<(), ColdError> {
        let name = name::cold(number);
        if self.files.get(&number).is_some_and(|file| file.file.is_some()) {
            return Ok(());
        }
        let file = self.storage.open(&name).map_err(FileError::at(&self.storage, "open", &name))?;
        let mut header = [0; COLD_HEADER_BYTES];
        read_fully(&self.storage, &file, 0, &mut header).map_err(FileError::at(&self.storage, "read", &name))?;
        if ColdHeader::decode(&header) != Ok(ColdHeader { owner: self.owner, number: number.into() }) {
            let what = "its header is not what was written";
            return Err(Damage { path: self.storage.path(&name), offset: 0, what }.into());
        }
        let known = self.files.entry(number).or_insert(ColdFile { file: None, length: 0, live: 0 });
        known.file = Some(file);
        Ok(())
    }

    fn handle(&self, number: u32) -> &S::File {
        self.files[&number].file.as_ref().expect("whoever reads or syncs a file has opened it")
    }

    fn file(&mut self, number: u32) -> &mut ColdFile<S::File> {
        self.files.get_mut(&number).expect("the file that takes blobs is known")
    }
}
