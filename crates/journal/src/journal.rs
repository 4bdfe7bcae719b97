//! The open log: commits.
//!
//! The rule that everything here follows: a segment that a write or a sync failed on is dropped, and the next commit begins a
//! new one, whose header says how far the old one is to be believed. So trying again is the same as going on, and the
//! first commit after a start takes the same way: what the last life left is never appended to.
//!
//! A new segment holds, before it becomes part of the log: what was written but is not durable, again, and the frame it was
//! begun for. It becomes part of the log by the manifest that names it. Until that is sure, no byte is written to any other
//! segment, and none that could be part of the log is removed; so whichever manifest a crash leaves, it is a good one.

use std::sync::Arc;
use std::time::Duration;

use shardset_model::{Incarnation, Receipt};

use crate::error::{CommitError, FileError, OpenError};
use crate::format::{Kind, Manifest};
use crate::manifest;
use crate::name;
use crate::opening::Opening;
use crate::segment::{Content, Link, Segment};
use crate::settings::{Durability, Settings};
use crate::statistics::Statistics;
use crate::storage::Storage;

/// The largest payload: 1 GiB, far above what a worker takes in at once, and a length that 32 bits hold.
const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// The log of one shard, open for commits. Holds the lock of its directory.
#[derive(Debug)]
pub struct Journal<S: Storage> {
    pub(crate) storage: S,
    pub(crate) manifest: Manifest,
    /// The segments of the log as far as they are durable, in order.
    pub(crate) chain: Vec<Link>,
    /// The segment with which the checkpoint that is being written began.
    pub(crate) checkpoint: Option<u64>,
    pub(crate) checkpoint_bytes: u64,
    pub(crate) statistics: Statistics,
    pub(crate) settings: Settings,
    /// The segment that takes frames; `None` where the next one begins a new segment.
    current: Option<Segment<S::File>>,
    /// Frames behind the end of the chain: committed, or found at the start, and not known to be durable.
    unsynced: Vec<u8>,
    /// When the first of them was committed.
    unsynced_since: Option<Duration>,
    /// The number of the next segment. None is used twice.
    next: u64,
    /// Segments that are no part of the log and are to be removed.
    strays: Vec<u64>,
    _lock: Arc<S::Lock>,
}

impl<S: Storage> Journal<S> {
    /// Finds the log in a directory. An empty directory becomes that of the incarnation `if_empty`, durably.
    ///
    /// # Errors
    ///
    /// Another process works with the directory, or what is in it is not what was made durable.
    pub fn open(storage: S, settings: Settings, if_empty: Incarnation) -> Result<Opening<S>, OpenError> {
        Opening::find(storage, settings, if_empty)
    }

    pub(crate) fn new(opening: Opening<S>, unsynced: Vec<u8>, checkpoint_bytes: u64) -> Self {
        let newest = opening.strays.iter().copied().fold(opening.manifest.last, u64::max);
        Self {
            storage: opening.storage,
            manifest: opening.manifest,
            chain: opening.chain,
            checkpoint: None,
            checkpoint_bytes,
            statistics: Statistics::default(),
            settings: opening.settings,
            current: None,
            // What an earlier life left has waited long enough.
            unsynced_since: (!unsynced.is_empty()).then_some(Duration::ZERO),
            unsynced,
            next: newest + 1,
            strays: opening.strays,
            _lock: opening.lock,
        }
    }

    /// The life of this disk.
    pub fn incarnation(&self) -> Incarnation {
        self.manifest.owner.incarnation
    }

    /// Commits `payload`; `now` is a time that never steps back. With [`Durability::Fsync`] it is on the disk when this
    /// returns, and so is all that was replayed, even where `payload` is empty.
    ///
    /// # Errors
    ///
    /// Nothing of it was committed; see [`CommitError::is_retryable`]. After a crash it may be found committed all the same.
    pub fn commit(&mut self, payload: &[u8], now: Duration) -> Result<Receipt, CommitError> {
        self.commit_parts(&[payload], now)
    }

    /// Commits what `parts` are when joined, as [`Journal::commit`] does. They are not copied, except where they wait to be
    /// synced.
    ///
    /// # Errors
    ///
    /// As [`Journal::commit`].
    pub fn commit_parts(&mut self, parts: &[&[u8]], now: Duration) -> Result<Receipt, CommitError> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        if bytes == 0 {
            self.sync_if_due(now)?;
        } else if bytes > PAYLOAD_BYTES_MAX {
            return Err(CommitError::TooLarge { bytes, limit: PAYLOAD_BYTES_MAX });
        } else {
            let since = if self.must_sync(now, bytes as u64) { None } else { Some(now) };
            self.put((Kind::Changes, parts), since)?;
        }
        Ok(Receipt::of_commit())
    }

    /// Makes durable what has waited for its interval.
    ///
    /// # Errors
    ///
    /// It can not. What was committed still is, in memory, and the next commit or sync writes it again.
    pub fn sync_if_due(&mut self, now: Duration) -> Result<(), CommitError> {
        if self.must_sync(now, 0) { self.sync().map(drop) } else { Ok(()) }
    }

    /// Makes durable what is not, whatever the settings say.
    ///
    /// # Errors
    ///
    /// As [`Journal::sync_if_due`].
    pub fn sync(&mut self) -> Result<Receipt, CommitError> {
        if self.unsynced.is_empty() {
            return Ok(Receipt::of_commit());
        }
        match self.current.take() {
            Some(segment) => self.sync_segment(segment)?,
            None => self.begin_segment(None)?,
        }
        Ok(Receipt::of_commit())
    }

    /// Ends well: everything is durable, and says so, so that the last commit too is told from a torn write at the next start.
    ///
    /// # Errors
    ///
    /// It can not. What was committed is as durable as before.
    pub fn close(mut self) -> Result<(), CommitError> {
        self.sync()?;
        if self.current.is_some() {
            self.put((Kind::Changes, &[]), None)?;
        }
        Ok(())
    }

    /// What was written, and what is kept.
    pub fn statistics(&self) -> Statistics {
        let (segments, disk_bytes) = (self.chain.len() as u64, self.live_bytes());
        Statistics { segments, disk_bytes, ..self.statistics }
    }

    pub(crate) const fn unsynced_bytes(&self) -> u64 {
        self.unsynced.len() as u64
    }

    /// Writes one frame, and syncs it if it is not one that may wait since now.
    pub(crate) fn put(&mut self, content: Content<'_>, waits_since: Option<Duration>) -> Result<(), FileError> {
        self.rotate()?;
        // Taken, and put back only where all goes well.
        let Some(mut segment) = self.current.take() else { return self.begin_segment(Some(content)) };
        let before = segment.length();
        let head = segment.append(&self.storage, content)?;
        self.statistics.frames += 1;
        self.statistics.bytes += segment.length() - before;
        let Some(now) = waits_since else { return self.sync_segment(segment) };
        self.unsynced.extend_from_slice(&head);
        content.1.iter().for_each(|part| self.unsynced.extend_from_slice(part));
        self.unsynced_since.get_or_insert(now);
        self.current = Some(segment);
        Ok(())
    }

    /// Ends the segment that is full. What waits in it is synced first, or it would be written twice.
    fn rotate(&mut self) -> Result<(), FileError> {
        let Some(segment) = self.current.take_if(|current| current.length() >= self.settings.segment_bytes) else {
            return Ok(());
        };
        if !self.unsynced.is_empty() {
            self.sync_segment(segment)?;
        }
        self.current = None;
        Ok(())
    }

    fn sync_segment(&mut self, mut segment: Segment<S::File>) -> Result<(), FileError> {
        segment.sync(&self.storage)?;
        self.statistics.syncs += 1;
        *self.chain.last_mut().expect("the open segment is the last of the chain") = segment.link();
        self.settled();
        self.current = Some(segment);
        Ok(())
    }

    /// Begins the next segment, with `content` if there is any. All that was committed is durable afterwards.
    pub(crate) fn begin_segment(&mut self, content: Option<Content<'_>>) -> Result<(), FileError> {
        // From here on the old segment must take no frame: the new one may become part of the log though this fails.
        self.current = None;
        let number = self.next;
        self.next += 1;
        let (segment, manifest) = match self.prepare_segment(number, content) {
            Ok(prepared) => prepared,
            Err(error) => {
                self.discard(number);
                return Err(error);
            }
        };
        // Where this fails, the manifest may name the segment, so it stays until another manifest is sure.
        manifest::publish(&self.storage).inspect_err(|_| self.strays.push(number))?;
        self.manifest = manifest;
        self.chain.push(segment.link());
        self.statistics.bytes += segment.length();
        self.statistics.frames += u64::from(content.is_some());
        self.statistics.syncs += 1;
        self.settled();
        self.current = Some(segment);
        self.sweep();
        Ok(())
    }

    fn prepare_segment(
        &self,
        number: u64,
        content: Option<Content<'_>>,
    ) -> Result<(Segment<S::File>, Manifest), FileError> {
        let previous = self.chain.last().copied().unwrap_or_default();
        let owner = self.manifest.owner;
        let segment = Segment::create(&self.storage, owner, number, previous, &self.unsynced, content)?;
        let first = if self.chain.is_empty() { number } else { self.manifest.first };
        let manifest = Manifest { first, last: number, ..self.manifest };
        manifest::prepare(&self.storage, &manifest)?;
        Ok((segment, manifest))
    }

    fn must_sync(&self, now: Duration, more: u64) -> bool {
        let Durability::Interval(interval) = self.settings.durability else { return true };
        let waited = now.saturating_sub(self.unsynced_since.unwrap_or(now));
        waited >= interval || self.unsynced.len() as u64 + more > self.settings.unsynced_bytes
    }

    fn settled(&mut self) {
        self.unsynced.clear();
        self.unsynced_since = None;
    }

    /// Removes what is no part of the log. To be called where the manifest is sure.
    pub(crate) fn sweep(&mut self) {
        for number in std::mem::take(&mut self.strays) {
            self.discard(number);
        }
    }

    /// Removes a segment that no manifest names; later where it can not be removed now.
    pub(crate) fn discard(&mut self, number: u64) {
        let removed = self.storage.remove(&name::segment(number));
        if removed.is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound) {
            self.strays.push(number);
        }
    }
}
