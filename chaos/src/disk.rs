//! A small disk that can be full: a file system in memory, mounted for the run.
//!
//! `cargo xtask chaos` gives the run a mount namespace of its own, so the mount is seen by nobody else and ends with the run,
//! however that ends.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// What a worker's disk may hold at first: its log, and the checkpoints that kills cut short.
const BYTES: u64 = 240 << 20;
/// And more for each minute: some 2,000 streams come in one, and they stay, in checkpoints or among the silent ones. They may all
/// be one worker's, several times while they are rewritten.
const BYTES_A_MINUTE: u64 = 40 << 20;
/// What the small disk has beyond that.
const SPARE: u64 = 16 << 20;
/// What the disk is filled by at a time.
static PIECE: [u8; 64 << 10] = [0; 64 << 10];

/// The mounted disk; unmounted when dropped.
pub(crate) struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts it at a folder, which is made, for a run of this length.
    pub(crate) fn mount(at: &Path, length: Duration) -> anyhow::Result<Self> {
        fs::create_dir_all(at)?;
        let options = CString::new(format!("size={}", room(length) + SPARE))?;
        mount("chaos", at, "tmpfs", MountFlags::empty(), options.as_c_str()).context("mount a file system")?;
        Ok(Self { at: at.to_owned() })
    }

    /// Leaves no byte of room.
    pub(crate) fn fill(&self) -> anyhow::Result<()> {
        let mut filler = File::options().create(true).append(true).open(self.filler())?;
        for piece in [&PIECE[..], &PIECE[..1]] {
            loop {
                match filler.write(piece) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => bail!("fill the disk: {error}"),
                }
            }
        }
        Ok(())
    }

    /// Makes room.
    pub(crate) fn free(&self) -> anyhow::Result<()> {
        match fs::remove_file(self.filler()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).context("free the disk"),
            _ => Ok(()),
        }
    }

    /// Copies what is on it to a folder that stays.
    pub(crate) fn keep(&self, folder: &Path) -> anyhow::Result<()> {
        self.free()?;
        copy(&self.at, folder)
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Detached: a process that still ends may hold it open.
        let _unmounted = unmount(&self.at, UnmountFlags::DETACH);
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The most bytes that a worker's disk may hold in a run of this length.
pub(crate) const fn room(length: Duration) -> u64 {
    BYTES + length.as_secs() * BYTES_A_MINUTE / 60
}

/// The bytes of all files under a folder. What goes away meanwhile has none.
pub(crate) fn bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}
