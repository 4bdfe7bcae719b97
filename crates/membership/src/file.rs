//! The record in a file: read whole, replaced at once.
//!
//! A new record is written beside the file, made durable, and renamed over it, so a reader finds the old one or the new one and
//! a crash leaves one of them. Whoever publishes says what it takes the file to hold; that is compared under a lock, so of
//! two coordinators that both saw the same membership one wins and the other is told. The lock is `flock` on a file beside
//! it (`NAME.lock`), which the kernel lets go when its holder dies; on a network file system it is as good as that one's locks.
//!
//! All of it blocks, for as long as the disk takes; callers on a runtime hand it to a blocking thread.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use shardset_model::{Epoch, Phase};
use thiserror::Error;

use crate::{BadText, Record, Refused, admit, from_json, to_json};

/// Why there is no record to be had from a file.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The system says no.
    #[error("can not read the membership file {path}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What it holds is no record.
    #[error("the membership file {path} is wrong", path = .path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// Why.
        source: BadText,
    },
}

impl ReadError {
    /// The value of the label `reason` in metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => "missing",
            Self::Io { .. } => "unreadable",
            Self::Text { source: BadText::Format(_), .. } => "unknown_format",
            Self::Text { .. } => "malformed",
        }
    }
}

/// What a publisher takes the file to hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// Whatever it is, a broken record included. For one that publishes alone.
    Anything,
    /// There is no file yet.
    Nothing,
    /// A membership of this epoch, in this phase.
    At(Epoch, Phase),
}

/// Why a record was not published. The file holds what it held.
#[derive(Debug, Error)]
pub enum PublishError {
    /// Somebody else was faster: read again, and decide again.
    #[error("the membership file holds {found:?} and not {expected:?}")]
    Changed {
        /// What the publisher took it to hold.
        expected: Expect,
        /// What it holds: [`Expect::Nothing`] or [`Expect::At`].
        found: Expect,
    },
    /// Its readers would not take it after the one that the file holds.
    #[error("the readers of the membership file would refuse the new record")]
    Refused(#[source] Refused),
    /// The file is there and holds no record, which only [`Expect::Anything`] replaces.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The system says no.
    #[error("can not {step} {path}", path = .path.display())]
    Io {
        /// What failed.
        step: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The record in the file at `path`.
///
/// # Errors
///
/// There is none, or it can not be read.
pub fn read(path: &Path) -> Result<Record, ReadError> {
    parse(path, fs::read(path))
}

/// What was read of the file at `path`, as a record.
pub(crate) fn parse(path: &Path, text: io::Result<Vec<u8>>) -> Result<Record, ReadError> {
    let text = text.map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    from_json(&text).map_err(|source| ReadError::Text { path: path.to_owned(), source })
}

/// Replaces the file at `path`, if it holds what is expected and its readers may take `record` after that.
///
/// # Errors
///
/// The file was not replaced, and why.
pub fn publish(path: &Path, expected: Expect, record: &Record) -> Result<(), PublishError> {
    let _locked = lock(&beside(path, "lock"))?;
    if let Some(held) = held(path, expected)? {
        admit(Some(&held), record.clone()).map_err(PublishError::Refused)?;
    }
    replace(path, &to_json(record))
}

/// What the file holds, if that is what is expected.
fn held(path: &Path, expected: Expect) -> Result<Option<Record>, PublishError> {
    let held = match read(path) {
        Ok(record) => Some(record),
        Err(error) if error.reason() == "missing" || expected == Expect::Anything => None,
        Err(error) => return Err(error.into()),
    };
    let found = match &held {
        Some(record) => Expect::At(record.membership().epoch(), record.membership().phase()),
        None => Expect::Nothing,
    };
    if expected == Expect::Anything || expected == found {
        return Ok(held);
    }
    Err(PublishError::Changed { expected, found })
}

/// Waits for the lock; held until the file is dropped. The file stays: to remove it would let two holders lock two files.
fn lock(path: &Path) -> Result<File, PublishError> {
    let lock = || {
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        file.lock()?;
        Ok(file)
    };
    lock().map_err(|source| PublishError::Io { step: "lock", path: path.to_owned(), source })
}

fn replace(path: &Path, text: &str) -> Result<(), PublishError> {
    let new = beside(path, "new");
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| PublishError::Io { step: "write", path: new.clone(), source })?;
    let rename = || {
        fs::rename(&new, path)?;
        // The name is durable when its directory is.
        File::open(directory(path))?.sync_all()
    };
    rename().map_err(|source| PublishError::Io { step: "replace", path: path.to_owned(), source })
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Where the file's name stands.
pub(crate) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
