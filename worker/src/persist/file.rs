//! The checkpoint file: records of one shard, written whole or not at all.
//!
//! ```text
//! header    magic "shardchk" | version u32 = 1 | shard u32 | records u64        little endian
//! record    length u32 | bytes                                                  `records` times
//! trailer   xxh3-64 of everything before it, u64
//! ```
//!
//! Written beside its place, synced, renamed over the one before, and the directory synced: after a crash there is the old
//! file or the new one. Read only after its checksum was found right, so nothing of a damaged file is ever used.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use shardset_model::ShardIndex;
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

const MAGIC: [u8; 8] = *b"shardchk";
const VERSION: u32 = 1;
const HEADER_BYTES: u64 = 24;
const CHECKSUM_BYTES: u64 = 8;

/// Why a checkpoint file can not be written or read.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system's answer.
    #[error("can not {what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is there and can not be trusted.
    #[error(
        "the checkpoint {path} can not be used: {what}. Restore it from a backup, or move it away to start with empty totals, \
         which backends see as a counter reset"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Writes one checkpoint.
pub(super) struct Writer {
    out: BufWriter<File>,
    hash: Xxh3,
    left: u64,
    path: PathBuf,
}

impl Writer {
    /// Begins the checkpoint of `shard` that will be `path`, of exactly `records` records.
    pub(super) fn create(path: &Path, shard: ShardIndex, records: u64) -> Result<Self, FileError> {
        let temporary = temporary(path);
        let file = File::create(&temporary).map_err(io_error("create", &temporary))?;
        let mut writer = Self { out: BufWriter::new(file), hash: Xxh3::new(), left: records, path: path.to_owned() };
        writer.put(&MAGIC)?;
        writer.put(&VERSION.to_le_bytes())?;
        writer.put(&shard.get().to_le_bytes())?;
        writer.put(&records.to_le_bytes())?;
        Ok(writer)
    }

    /// Adds a record.
    pub(super) fn record(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.left = self.left.checked_sub(1).expect("no more records than were announced");
        let length = u32::try_from(bytes.len()).expect("a stream is far below 4 GiB");
        self.put(&length.to_le_bytes())?;
        self.put(bytes)
    }

    /// Puts the checkpoint in its place, durably.
    pub(super) fn finish(mut self) -> Result<(), FileError> {
        assert_eq!(self.left, 0, "as many records as were announced");
        let checksum = self.hash.digest();
        self.put(&checksum.to_le_bytes())?;
        let temporary = temporary(&self.path);
        let file = self.out.into_inner().map_err(|error| error.into_error()).map_err(io_error("write", &temporary))?;
        file.sync_all().map_err(io_error("sync", &temporary))?;
        fs::rename(&temporary, &self.path).map_err(io_error("rename to", &self.path))?;
        sync_directory(&self.path)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.hash.update(bytes);
        self.out.write_all(bytes).map_err(io_error("write", &self.path))
    }
}

/// Reads one checkpoint that was found sound.
#[derive(Debug)]
pub(super) struct Reader {
    input: BufReader<File>,
    left: u64,
    path: PathBuf,
}

impl Reader {
    /// Opens the checkpoint at `path` and verifies all of it; `None` where there is none.
    pub(super) fn open(path: &Path, shard: ShardIndex) -> Result<Option<Self>, FileError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("open", path)(error)),
        };
        let mut input = BufReader::new(file);
        verify(&mut input, path)?;
        input.seek(SeekFrom::Start(0)).map_err(io_error("read", path))?;
        let mut reader = Self { input, left: 0, path: path.to_owned() };
        reader.left = reader.header(shard)?;
        Ok(Some(reader))
    }

    /// The next record, in `buffer`; false after the last.
    pub(super) fn next(&mut self, buffer: &mut Vec<u8>) -> Result<bool, FileError> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        let length = u32::from_le_bytes(self.take()?);
        buffer.resize(length as usize, 0);
        self.input.read_exact(buffer).map_err(|_| self.damaged("a record is cut off"))?;
        Ok(true)
    }

    /// This file can not be trusted because of `what`.
    pub(super) fn damaged(&self, what: &'static str) -> FileError {
        FileError::Damaged { path: self.path.clone(), what }
    }

    fn header(&mut self, shard: ShardIndex) -> Result<u64, FileError> {
        if self.take()? != MAGIC {
            return Err(self.damaged("it is no checkpoint"));
        }
        if u32::from_le_bytes(self.take()?) != VERSION {
            return Err(self.damaged("it is of a version that this program does not know"));
        }
        if u32::from_le_bytes(self.take()?) != shard.get() {
            return Err(self.damaged("it is of another shard"));
        }
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(|_| self.damaged("it is cut off"))?;
        Ok(bytes)
    }
}

/// Compares the checksum with all that it covers.
fn verify(input: &mut BufReader<File>, path: &Path) -> Result<(), FileError> {
    let damaged = |what| FileError::Damaged { path: path.to_owned(), what };
    let length = input.get_ref().metadata().map_err(io_error("read", path))?.len();
    if length < HEADER_BYTES + CHECKSUM_BYTES {
        return Err(damaged("it is cut off"));
    }
    let mut hash = Xxh3::new();
    let mut covered = input.by_ref().take(length - CHECKSUM_BYTES);
    io::copy(&mut covered, &mut Hashing(&mut hash)).map_err(io_error("read", path))?;
    let mut checksum = [0; CHECKSUM_BYTES as usize];
    input.read_exact(&mut checksum).map_err(io_error("read", path))?;
    if u64::from_le_bytes(checksum) == hash.digest() { Ok(()) } else { Err(damaged("its checksum is wrong")) }
}

struct Hashing<'a>(&'a mut Xxh3);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes what happened to the names in the directory of `path` durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), FileError> {
    let directory = path.parent().expect("files of a shard lie in its data directory");
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(io_error("sync", directory))
}

pub(super) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError + use<> {
    let path = path.to_owned();
    move |source| FileError::Io { what, path, source }
}

fn temporary(path: &Path) -> PathBuf {
    path.with_extension("tmp")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use shardset_model::{ShardCount, ShardIndex};

    use super::{FileError, Reader, Writer};

    fn shard(index: u32) -> ShardIndex {
        ShardCount::new(4).unwrap().shard(index).unwrap()
    }

    fn write(path: &Path, records: &[&[u8]]) {
        let mut writer = Writer::create(path, shard(1), records.len() as u64).unwrap();
        records.iter().for_each(|record| writer.record(record).unwrap());
        writer.finish().unwrap();
    }

    fn read(path: &Path) -> Result<Option<Vec<Vec<u8>>>, FileError> {
        let Some(mut reader) = Reader::open(path, shard(1))? else { return Ok(None) };
        let (mut records, mut buffer) = (Vec::new(), Vec::new());
        while reader.next(&mut buffer)? {
            records.push(buffer.clone());
        }
        Ok(Some(records))
    }

    #[test]
    fn what_was_written_is_read_and_a_missing_file_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shard-1.checkpoint");
        assert!(read(&path).unwrap().is_none());
        write(&path, &[b"one", b"", b"three"]);
        assert_eq!(read(&path).unwrap().unwrap(), [&b"one"[..], b"", b"three"]);
        write(&path, &[b"newer"]);
        assert_eq!(read(&path).unwrap().unwrap(), [b"newer"]);
    }

    #[test]
    fn every_damaged_byte_and_every_cut_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shard-1.checkpoint");
        write(&path, &[b"one", b"two"]);
        let sound = fs::read(&path).unwrap();
        for at in 0..sound.len() {
            let mut flipped = sound.clone();
            flipped[at] ^= 0x10;
            fs::write(&path, &flipped).unwrap();
            assert!(matches!(read(&path), Err(FileError::Damaged { .. })), "byte {at} flipped");
            fs::write(&path, &sound[..at]).unwrap();
            assert!(matches!(read(&path), Err(FileError::Damaged { .. })), "cut at {at}");
        }
    }

    #[test]
    fn an_error_names_the_file_and_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shard-1.checkpoint");
        write(&path, &[b"one"]);
        let text = Reader::open(&path, shard(2)).unwrap_err().to_string();
        assert!(text.contains("shard-1.checkpoint can not be used: it is of another shard. Restore it"), "{text}");
    }
}
