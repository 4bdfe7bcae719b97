//! Persist: what must be durable before anybody is told.
//!
//! The shard's thread appends changes and commits them, a group of requests at a time. Only a commit gives a [`Receipt`], and only
//! with a receipt can an answer be made ([`Answered`]) or a handoff's reply be opened: durable before told is a type here,
//! not a habit.
//!
//! A disk that is full, read-only or broken does not stop the worker. What is counted and not durable stays in memory, nobody
//! is told of it, nothing more is counted, and the same bytes are committed again until that works: then senders that come back
//! find their points counted. So memory runs ahead of the disk by one group at most.
//!
//! Boundary: what changes mean is `shardset_handoff`'s and `shardset_accumulate`'s; how they lie on the disk is
//! `shardset_journal`'s.

mod idle;

use std::time::Duration;

use bytes::Bytes;
use shardset_journal::{CommitError, Journal, Storage};
use shardset_model::Receipt;
use shardset_process::logging::chain;
use shardset_wire::ExportAnswer;
use tokio::time::Instant;

pub(crate) use self::idle::IdleStore;
use crate::metrics::JournalMetrics;

/// How long a journal that failed is left alone. Every try makes a new segment, and a disk does not get room in a moment.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// How long a checkpoint that could not be begun or ended is left alone: the log goes on without it.
const CHECKPOINT_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// An answer of success, of points that are durable.
#[derive(Debug)]
pub(crate) struct Answered(ExportAnswer);

impl Answered {
    /// What `answer` says is covered by the commit of `_receipt`.
    pub(crate) fn new(_receipt: &Receipt, answer: ExportAnswer) -> Self {
        Self(answer)
    }

    /// As it goes on the wire.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.0.encode()
    }
}

/// The journal of one shard, and what waits to be committed.
pub(crate) struct Persist<S: Storage> {
    journal: Journal<S>,
    changes: Vec<u8>,
    /// Commits are timed from here.
    begun: Instant,
    /// When the journal last failed, where it has not succeeded since.
    failed: Option<Instant>,
    /// When a checkpoint last could not be begun or ended.
    checkpoint_failed: Option<Instant>,
    metrics: JournalMetrics,
}

impl<S: Storage> Persist<S> {
    /// Commits to this journal.
    pub(crate) fn new(journal: Journal<S>, metrics: JournalMetrics) -> Self {
        Self { journal, changes: Vec::new(), begun: Instant::now(), failed: None, checkpoint_failed: None, metrics }
    }

    /// Where changes are appended, in the order in which they are made.
    pub(crate) fn changes(&mut self) -> &mut Vec<u8> {
        &mut self.changes
    }

    /// Whether everything that was changed is durable, or may be by the next commit. Tries again where it is time.
    pub(crate) fn is_able(&mut self) -> bool {
        match self.failed {
            None => true,
            Some(failed) if failed.elapsed() < RETRY_AFTER => false,
            Some(_) => self.commit().is_some(),
        }
    }

    /// Makes every change appended so far durable; none where the journal can not now.
    pub(crate) fn commit(&mut self) -> Option<Receipt> {
        let began = Instant::now();
        let committed = self.journal.commit(&self.changes, began.duration_since(self.begun));
        match committed {
            Ok(receipt) => {
                self.metrics.committed(self.changes.len(), began.elapsed());
                self.recovered();
                self.changes.clear();
                Some(receipt)
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    /// Makes everything committed so far durable, whatever the settings say; none where the journal can not now.
    pub(crate) fn sync(&mut self) -> Option<Receipt> {
        self.commit()?;
        let synced = self.journal.sync();
        synced.inspect_err(|error| self.failed(error)).ok()
    }

    /// Whether it is time to begin a checkpoint.
    pub(crate) fn checkpoint_is_due(&self) -> bool {
        if self.checkpoint_failed.is_some_and(|failed| failed.elapsed() < CHECKPOINT_AGAIN_AFTER) {
            return false;
        }
        self.journal.is_checkpoint_due()
    }

    /// Begins a checkpoint; none where the journal can not now.
    pub(crate) fn begin_checkpoint(&mut self) -> Option<()> {
        // Changes that wait belong before it.
        self.commit()?;
        let begun = self.journal.begin_checkpoint();
        self.of_checkpoint(begun)
    }

    /// Ends the checkpoint: what is older goes.
    pub(crate) fn end_checkpoint(&mut self) -> Option<()> {
        self.commit()?;
        let ended = self.journal.end_checkpoint();
        self.of_checkpoint(ended)?;
        self.metrics.checkpoints.inc();
        Some(())
    }

    /// Syncs what waits for its interval, and shows how long the log is.
    pub(crate) fn tick(&mut self) {
        if self.failed.is_none() {
            let synced = self.journal.sync_if_due(self.begun.elapsed());
            synced.unwrap_or_else(|error| self.failed(&error));
        }
        self.metrics.show(self.journal.statistics());
    }

    /// Ends well.
    ///
    /// # Errors
    ///
    /// What was changed last is not durable; nobody was told of it.
    pub(crate) fn close(mut self) -> Result<(), CommitError> {
        self.journal.commit(&self.changes, self.begun.elapsed())?;
        self.journal.close()
    }

    fn of_checkpoint(&mut self, outcome: Result<(), CommitError>) -> Option<()> {
        if let Err(error) = outcome {
            tracing::warn!(error = chain(&error), "a checkpoint can not be written now: the log grows until one can");
            self.checkpoint_failed = Some(Instant::now());
            return None;
        }
        self.checkpoint_failed = None;
        Some(())
    }

    /// # Panics
    ///
    /// Where trying again is in vain: our bug.
    fn failed(&mut self, error: &CommitError) {
        assert!(error.is_retryable(), "the journal refuses what the worker commits: {error}");
        if self.failed.is_none() {
            tracing::error!(
                error = chain(error),
                "the journal can not be written: points are refused until it can; check the disk"
            );
        }
        self.failed = Some(Instant::now());
        self.metrics.failed();
    }

    fn recovered(&mut self) {
        if self.failed.take().is_some() {
            tracing::info!("the journal can be written again");
            self.metrics.able();
        }
    }
}
