//! A directory of the file system.
//!
//! Plain files of the standard library: appends are vectored writes, so that a frame's head and the caller's buffers go out
//! without being copied together. Files grow as they are written. Allocating them beforehand was measured and is not
//! worth its second system call and its code: a sync after an append of 64 KiB took as long either way.
//!
//! A file that is written over has all its blocks already, so that a sync is the bytes and nothing of the file system's own. What
//! is written to it ends with zeros up to the end of a block: the system would have to read a block that it does not hold in
//! memory before it could write a part of it.
//!
//! A file that is removed loses its name at once. Its blocks are given back bit by bit on a thread of its own ([`Release`]):
//! an ordinary removal frees a segment of 64 MiB in 15 ms or more, and those of a whole log, at the end of each checkpoint, kept
//! requests waiting for 300 ms and more.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shardset_model::ShardIndex;

use super::Storage;
use super::release::Release;

/// How many slices one system call is given. More parts take more calls.
const SLICES: usize = 16;

/// The unit in which the system holds files in memory; that of the file system is the same or divides it.
const BLOCK_BYTES: usize = 4096;
static ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];

/// A directory of the file system.
#[derive(Clone, Debug)]
pub struct Disk(Arc<Directory>);

/// An open file.
#[derive(Debug)]
pub struct DiskFile {
    file: File,
    /// Where the next append goes, for a file that is written over.
    over: Option<u64>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    release: Release,
}

impl Disk {
    /// The directory of `shard` in `data_dir`, which is `shard-N`. Made, durably, where it does not exist.
    ///
    /// # Errors
    ///
    /// It can not be made.
    pub fn of_shard(data_dir: &Path, shard: ShardIndex) -> io::Result<Self> {
        Self::new(&data_dir.join(format!("shard-{shard}")))
    }

    /// The directory at `path`. Made, durably, where it does not exist.
    ///
    /// # Errors
    ///
    /// It can not be made.
    pub fn new(path: &Path) -> io::Result<Self> {
        create_directory(path)?;
        Ok(Self(Arc::new(Directory { path: path.to_owned(), release: Release::default() })))
    }
}

impl DiskFile {
    const fn plain(file: File) -> Self {
        Self { file, over: None }
    }

    /// Zeros from the end of an append of so many bytes to the end of its last block.
    fn filling(&self, length: usize) -> &'static [u8] {
        let Some(over) = self.over else { return &[] };
        let used = (over as usize + length) % BLOCK_BYTES;
        if used == 0 { &[] } else { &ZEROS[used..] }
    }
}

impl Storage for Disk {
    type File = DiskFile;
    type Lock = File;

    fn path(&self, name: &str) -> PathBuf {
        self.0.path.join(name)
    }

    fn lock(&self, name: &str) -> io::Result<Option<File>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(self.path(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.0.path)?.collect::<io::Result<Vec<_>>>()?;
        // A name that is no text is none of ours.
        let mut names: Vec<String> = entries.into_iter().filter_map(|e| e.file_name().into_string().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<DiskFile> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).open(self.path(name)).map(DiskFile::plain)
    }

    fn reuse(&self, from: &str, to: &str) -> io::Result<DiskFile> {
        let file = OpenOptions::new().read(true).write(true).open(self.path(from))?;
        fs::rename(self.path(from), self.path(to))?;
        Ok(DiskFile { file, over: Some(0) })
    }

    fn open(&self, name: &str) -> io::Result<DiskFile> {
        File::open(self.path(name)).map(DiskFile::plain)
    }

    fn append(&self, file: &mut DiskFile, head: &[u8], parts: &[&[u8]]) -> io::Result<()> {
        let length = head.len() + parts.iter().map(|part| part.len()).sum::<usize>();
        let filling = file.filling(length);
        let all: Vec<&[u8]> = [head].into_iter().chain(parts.iter().copied()).chain([filling]).collect();
        for chunk in all.chunks(SLICES) {
            let mut slices = [IoSlice::new(&[]); SLICES];
            fill(&mut slices, chunk);
            write_all(&mut file.file, &mut slices[..chunk.len()])?;
        }
        if let Some(over) = &mut file.over {
            *over += length as u64;
            file.file.seek(SeekFrom::Start(*over))?;
        }
        Ok(())
    }

    fn read_at(&self, file: &DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match file.file.read_at(buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }

    fn size(&self, file: &DiskFile) -> io::Result<u64> {
        Ok(file.file.metadata()?.len())
    }

    fn sync_data(&self, file: &DiskFile) -> io::Result<()> {
        file.file.sync_data()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path(name);
        // While it is open it keeps its blocks.
        let file = OpenOptions::new().write(true).open(&path);
        fs::remove_file(&path)?;
        file.into_iter().for_each(|file| self.0.release.give_back(file));
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        sync_directory(&self.0.path)
    }
}

fn fill<'a>(slices: &mut [IoSlice<'a>], parts: &[&'a [u8]]) {
    for (slice, part) in slices.iter_mut().zip(parts) {
        *slice = IoSlice::new(part);
    }
}

/// `Write::write_all` of many slices, which the standard library does not have yet.
fn write_all(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    // Empty slices at the front go, or writing nothing would look like a disk that takes nothing.
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes a directory and those above it that are missing, each durable in the one above.
fn create_directory(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    create_directory(parent)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_directory(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_parts_are_written_in_their_order_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(&dir.path().join("a/b")).unwrap();
        let mut file = disk.create("one").unwrap();
        let texts: Vec<String> = (0..50).map(|i| if i % 7 == 0 { String::new() } else { i.to_string() }).collect();
        let parts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        disk.append(&mut file, b"head", &parts).unwrap();
        disk.append(&mut file, b"", &[]).unwrap();
        disk.append(&mut file, b"", &[b"", b"end"]).unwrap();
        disk.sync_data(&file).unwrap();
        let expected = format!("head{}end", texts.concat());
        assert_eq!(disk.size(&file).unwrap(), expected.len() as u64);
        let mut read = vec![0; expected.len() + 10];
        let length = super::super::read_fully(&disk, &file, 0, &mut read).unwrap();
        assert_eq!(&read[..length], expected.as_bytes());
    }

    #[test]
    fn a_file_that_is_written_over_keeps_what_is_behind_the_last_block() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path()).unwrap();
        let mut file = disk.create("old").unwrap();
        disk.append(&mut file, &[1; 3 * BLOCK_BYTES], &[]).unwrap();
        let mut file = disk.reuse("old", "new").unwrap();
        let parts: Vec<&[u8]> = vec![&[2; 50]; 100];
        let after = [(&[2; 7][..], &parts[..]), (&[3; 3], &[]), (&[], &[])].map(|(head, parts)| {
            disk.append(&mut file, head, parts).unwrap();
            fs::read(dir.path().join("new")).unwrap()
        });
        let expected = |twos: usize, threes: usize, to: usize, ones: usize| {
            [vec![2; twos], vec![3; threes], vec![0; to - twos - threes], vec![1; ones]].concat()
        };
        assert_eq!(after[0], expected(5007, 0, 2 * BLOCK_BYTES, BLOCK_BYTES));
        assert_eq!(after[1], expected(5007, 3, 2 * BLOCK_BYTES, BLOCK_BYTES));
        assert_eq!(after[2], after[1]);
        disk.append(&mut file, &[4; 2 * BLOCK_BYTES], &[]).unwrap();
        let grown = fs::read(dir.path().join("new")).unwrap();
        assert_eq!((grown.len(), grown[5009], grown[5010]), (4 * BLOCK_BYTES, 3, 4));
        assert_eq!(disk.list().unwrap(), ["new"]);
    }

    #[test]
    fn names_are_listed_in_order_renamed_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path()).unwrap();
        for name in ["c", "a", "b"] {
            disk.create(name).unwrap();
        }
        disk.rename("c", "b").unwrap();
        disk.sync_directory().unwrap();
        assert_eq!(disk.list().unwrap(), ["a", "b"]);
        disk.remove("a").unwrap();
        assert_eq!(disk.remove("a").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(disk.list().unwrap(), ["b"]);
    }

    #[test]
    fn a_directory_is_locked_once() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path()).unwrap();
        let held = disk.lock("lock").unwrap();
        assert!(held.is_some());
        assert!(disk.lock("lock").unwrap().is_none());
        drop(held);
        assert!(disk.lock("lock").unwrap().is_some());
    }
}
