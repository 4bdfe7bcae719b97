//! Checkpoints: the whole state, written into the log among the changes that go on.
//!
//! A checkpoint begins with a segment of its own. The caller then commits its state in pieces, whenever it likes, mixed with
//! the changes it makes meanwhile; the end is a frame that says so. When that is durable, the manifest names the
//! checkpoint's segment as the first of the log, and what is older is removed. Nothing stops, nothing is written twice,
//! and a replay reads one log in one order: state and changes can not come apart.
//!
//! A checkpoint whose end never came is nothing special: its frames are frames of the log.
//!
//! Bounded disk: let a checkpoint take C bytes and the changes that are committed while it is written W. If the caller begins
//! the next one when T bytes came after the last, the log is longest just before that one ends: C + W + T + C + W. With
//! T = 192 MiB, a log of 1 M streams of 850 bytes under 16 MB/s of changes, whose checkpoint is written within 30 s, stays below
//! 2 * 850 MB + 2 * 480 MB + 200 MB. Right after a checkpoint it is C + W.

use crate::error::CommitError;
use crate::format::{Kind, Manifest};
use crate::journal::Journal;
use crate::manifest;
use crate::settings::Settings;
use crate::storage::Storage;

impl<S: Storage> Journal<S> {
    /// Begins a checkpoint: what is committed from here on, replayed onto nothing, will be the state once the caller has
    /// committed all of it and called [`Journal::end_checkpoint`]. One that was begun before is given up.
    ///
    /// # Errors
    ///
    /// No checkpoint was begun; it may be tried again.
    pub fn begin_checkpoint(&mut self) -> Result<(), CommitError> {
        // What is not durable yet belongs into the log before.
        self.sync()?;
        self.checkpoint = None;
        self.begin_segment(None)?;
        self.checkpoint = Some(self.manifest.last);
        Ok(())
    }

    /// Ends the checkpoint: the log begins with it from now on, and what is older is removed.
    ///
    /// # Errors
    ///
    /// The log is as it was. The checkpoint is still open, and ending it may be tried again.
    pub fn end_checkpoint(&mut self) -> Result<(), CommitError> {
        let first = self.checkpoint.ok_or(CommitError::NoCheckpoint)?;
        self.put((Kind::CheckpointEnd, &[&first.to_le_bytes()]), None)?;
        let manifest = Manifest { first, checkpoint: true, ..self.manifest };
        manifest::prepare(&self.storage, &manifest)?;
        manifest::publish(&self.storage)?;
        self.manifest = manifest;
        self.checkpoint = None;
        let begin = self.chain.partition_point(|link| link.number < first);
        let older: Vec<u64> = self.chain.drain(..begin).map(|link| link.number).collect();
        older.into_iter().for_each(|number| self.discard(number));
        self.checkpoint_bytes = self.live_bytes();
        Ok(())
    }

    /// Whether a checkpoint was begun and not ended.
    pub const fn is_in_checkpoint(&self) -> bool {
        self.checkpoint.is_some()
    }

    /// The length of the log, in bytes: what a start has to read.
    pub fn live_bytes(&self) -> u64 {
        self.chain.iter().map(|link| link.end).sum::<u64>() + self.unsynced_bytes()
    }

    /// How much of the log is the last checkpoint, with the changes that were mixed in; 0 where there was none yet.
    pub const fn checkpoint_bytes(&self) -> u64 {
        self.checkpoint_bytes
    }

    /// How much of the log came after the last checkpoint.
    pub fn bytes_since_checkpoint(&self) -> u64 {
        self.live_bytes() - self.checkpoint_bytes
    }

    /// Whether it is time to begin a checkpoint.
    pub fn is_checkpoint_due(&self) -> bool {
        let Settings { log_bytes_min, log_bytes_max, .. } = self.settings;
        self.bytes_since_checkpoint() >= self.checkpoint_bytes.min(log_bytes_max).max(log_bytes_min)
    }
}
