//! Why state can not be made durable, or found again.
//!
//! A failure of the file layer is *failed*: a commit may be tried again. Damage is *violated*: it is never worked around,
//! because a log with a hole gives wrong totals, and a wrong total is worse than a shard that does not start. The
//! operator decides, so each message names the file, the place, and what can be done.

use std::io;
use std::path::PathBuf;

use shardset_model::Incarnation;
use thiserror::Error;

use crate::storage::Storage;

/// The file layer's answer to something that was tried.
#[derive(Debug, Error)]
#[error("can not {what} {path}")]
pub struct FileError {
    /// What was tried.
    pub what: &'static str,
    /// With which file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl FileError {
    /// The error of `what`, tried with the file `name`.
    pub(crate) fn at<'a, S: Storage>(
        storage: &'a S,
        what: &'static str,
        name: &'a str,
    ) -> impl FnOnce(io::Error) -> Self + use<'a, S> {
        move |source| Self { what, path: storage.path(name), source }
    }
}

/// A file that says something else than what was made durable.
#[derive(PartialEq, Eq, Debug, Error)]
#[error(
    "{path} is damaged at offset {offset}: {what}. Restore the disk from a backup, or move the directory away to start this \
     shard as a new incarnation with empty totals, which backends see as a counter reset"
)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where in it the damaged part begins, in bytes.
    pub offset: u64,
    /// What is wrong.
    pub what: &'static str,
}

/// Why the state of a shard can not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process works with it.
    #[error("{path} is locked: another worker uses this directory; stop it, or give this one a directory of its own")]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// The file layer.
    #[error(transparent)]
    File(#[from] FileError),
    /// What was durable is not there as it was.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// A file that holds a part of the state is gone.
    #[error(
        "{path} is missing, and {named_by} needs it. Restore the disk from a backup, or move the directory away to start this \
         shard as a new incarnation with empty totals, which backends see as a counter reset"
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// The file that names it, or `the log`.
        named_by: String,
    },
    /// A file has a version that this program does not know.
    #[error("{path} has format version {version}, this program knows 1: run the version of shardset that wrote it")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The state is another shard's.
    #[error("{path} is of shard {found}, not of {expected}: a disk was attached to the wrong worker")]
    OtherShard {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: u32,
        /// Whose it should be.
        expected: u32,
    },
    /// A file is of another life of the disk.
    #[error("{path} is of incarnation {found}, not of {expected}: files of two disks were mixed")]
    OtherIncarnation {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: Incarnation,
        /// Whose it should be.
        expected: Incarnation,
    },
}

/// Why a log can not be replayed.
#[derive(Debug, Error)]
pub enum ReplayError<E> {
    /// The log itself.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The one who replays can not make anything of a frame.
    #[error("the frame at offset {offset} of {path} can not be replayed")]
    Frame {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// Why.
        source: E,
    },
}

/// Why a commit, or a step of a checkpoint, was not made.
#[derive(Debug, Error)]
pub enum CommitError {
    /// The file layer. Nothing of the commit counts; it may be tried again, as it is or otherwise, as often as one likes.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is larger than a frame may be. The caller's bounds are wrong.
    #[error("a commit of {bytes} bytes is larger than the {limit} bytes that a frame may have")]
    TooLarge {
        /// How large.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A checkpoint was ended that was not begun.
    #[error("no checkpoint was begun")]
    NoCheckpoint,
}

impl CommitError {
    /// Whether the same call may succeed later, when the disk has recovered or has room.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

/// Why a blob of the cold store can not be written or read.
#[derive(Debug, Error)]
pub enum ColdError {
    /// The file layer. What was appended since the last sync does not count, and is to be appended again.
    #[error(transparent)]
    File(#[from] FileError),
    /// The blob is not what was appended, or was never there.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// It is larger than a blob may be. The caller's bounds are wrong.
    #[error("a blob of {bytes} bytes is larger than the {limit} bytes that one may have")]
    TooLarge {
        /// How large.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
}
