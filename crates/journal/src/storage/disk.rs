//! A directory of the file system.
//!
//! Plain files of the standard library: appends are vectored writes, so that a frame's head and the caller's buffers go out
//! without being copied together. Files grow as they are written. Allocating them beforehand was measured and is not
//! worth its second system call and its code: a sync after an append of 64 KiB took as long either way.
//!
//! A file that is removed loses its name at once. Its blocks are given back bit by bit on a thread of its own ([`Release`]):
//! an ordinary removal frees a segment of 64 MiB in 15 ms or more, and those of a whole log, at the end of each checkpoint, kept
//! requests waiting for 300 ms and more.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shardset_model::ShardIndex;

use super::Storage;
use super::release::Release;

/// How many slices one system call is given. More parts take more calls.
const SLICES: usize = 16;

/// A directory of the file system.
#[derive(Clone, Debug)]
pub struct Disk(Arc<Directory>);

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

impl Storage for Disk {
    type File = File;
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

    fn create(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(self.path(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        File::open(self.path(name))
    }

    fn append(&self, file: &mut File, head: &[u8], parts: &[&[u8]]) -> io::Result<()> {
        let (first, rest) = parts.split_at(parts.len().min(SLICES - 1));
        let mut slices = [IoSlice::new(&[]); SLICES];
        slices[0] = IoSlice::new(head);
        fill(&mut slices[1..], first);
        write_all(file, &mut slices[..=first.len()])?;
        for chunk in rest.chunks(SLICES) {
            fill(&mut slices, chunk);
            write_all(file, &mut slices[..chunk.len()])?;
        }
        Ok(())
    }

    fn read_at(&self, file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match file.read_at(buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }

    fn size(&self, file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
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
