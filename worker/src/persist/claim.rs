//! A shard's claim on its files: one process at a time, and a trace of how the last one ended.
//!
//! The file `shard-N.claim` is locked while a worker runs, so two can never write one shard's state. It says `running` from
//! before the first point is counted until the checkpoint of a clean stop is durable: whoever finds that word and no lock
//! knows that the last process died.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::file::{FileError, io_error, sync_directory};

const RUNNING: &[u8] = b"running\n";

/// Why a shard's files can not be claimed.
#[derive(Debug, Error)]
pub enum ClaimError {
    /// Another process works with them.
    #[error(
        "{path} is locked: another worker uses this data directory; stop it, or give this one a directory of its own"
    )]
    Taken {
        /// The claim's file.
        path: PathBuf,
    },
    /// The claim's file can not be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// How the last process that held the claim ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LastEnd {
    /// It released the claim, or there was none.
    Clean,
    /// It died.
    Died,
}

/// Held while a worker runs.
#[derive(Debug)]
pub(super) struct Claim {
    file: File,
    path: PathBuf,
}

impl Claim {
    /// Takes the claim at `path`.
    pub(super) fn take(path: &Path) -> Result<(Self, LastEnd), ClaimError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(io_error("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ClaimError::Taken { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(io_error("lock", path)(error).into()),
        }
        let mut said = Vec::new();
        file.read_to_end(&mut said).map_err(io_error("read", path))?;
        let last_end = if said.is_empty() { LastEnd::Clean } else { LastEnd::Died };
        Ok((Self { file, path: path.to_owned() }, last_end))
    }

    /// Says that from here on memory may hold what the files do not.
    pub(super) fn mark_running(&mut self) -> Result<(), FileError> {
        self.say(RUNNING)?;
        sync_directory(&self.path)
    }

    /// Says that the files hold everything. The lock goes with the claim.
    pub(super) fn mark_kept(&mut self) -> Result<(), FileError> {
        self.say(b"")
    }

    fn say(&mut self, word: &[u8]) -> Result<(), FileError> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.write_all(word))
            .and_then(|()| self.file.sync_all())
            .map_err(io_error("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, ClaimError, LastEnd};

    #[test]
    fn a_claim_tells_how_the_last_holder_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shard-0.claim");
        let (mut claim, first) = Claim::take(&path).unwrap();
        assert_eq!(first, LastEnd::Clean);
        claim.mark_running().unwrap();
        drop(claim);
        let (mut claim, after_death) = Claim::take(&path).unwrap();
        assert_eq!(after_death, LastEnd::Died);
        claim.mark_kept().unwrap();
        drop(claim);
        assert_eq!(Claim::take(&path).unwrap().1, LastEnd::Clean);
    }

    #[test]
    fn two_processes_can_not_hold_one_claim() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shard-0.claim");
        let held = Claim::take(&path).unwrap();
        let error = Claim::take(&path).unwrap_err();
        assert!(matches!(error, ClaimError::Taken { .. }), "{error}");
        drop(held);
    }
}
