//! Persist: what must be durable before anybody is told.
//!
//! The shard's thread appends changes and has them committed, a group of requests at a time. Only a commit gives a [`Receipt`], and only
//! with a receipt can an answer be made ([`Answered`]) or a handoff's reply be opened: durable before told is a type here,
//! not a habit. A group's commit runs aside ([`Committer`]); whatever else needs the journal waits until it is back.
//!
//! A disk that is full, read-only or broken does not stop the worker. What is counted and not durable stays in memory, nobody
//! is told of it, nothing more is counted, and the same bytes are committed again until that works: then senders that come back
//! find their points counted. So memory runs ahead of the disk by two groups at most.
//!
//! Boundary: what changes mean is `shardset_handoff`'s and `shardset_accumulate`'s; how they lie on the disk is
//! `shardset_journal`'s.

mod committer;
mod idle;
#[cfg(test)]
mod tests;

use std::mem;
use std::time::Duration;

use bytes::Bytes;
use shardset_journal::{CommitError, Journal, Storage};
use shardset_model::Receipt;
use shardset_process::logging::chain;
use shardset_wire::ExportAnswer;
use tokio::time::Instant;

pub(crate) use self::committer::{Committer, Step};
use self::committer::{Order, Outcome};
pub(crate) use self::idle::IdleStore;
use crate::metrics::JournalMetrics;

/// How long a journal that failed is left alone. Every try makes a new segment, and a disk does not get room in a moment.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// How long a checkpoint that could not be begun or ended is left alone: the log goes on without it.
const CHECKPOINT_AGAIN_AFTER: Duration = Duration::from_secs(5);

const HERE: &str = "it was waited for";

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
    /// None while it is lent to the committer.
    journal: Option<Journal<S>>,
    committer: Committer<S>,
    changes: Vec<u8>,
    /// The buffer of the last commit, to be used again.
    spare: Vec<u8>,
    /// Commits are timed from here.
    begun: Instant,
    /// When the journal last failed, where it has not succeeded since.
    failed: Option<Instant>,
    /// When a checkpoint last could not be begun or ended.
    checkpoint_failed: Option<Instant>,
    /// What follows the next commit aside.
    step: Option<Step>,
    not_begun: bool,
    metrics: JournalMetrics,
}

impl<S: Storage> Persist<S> {
    /// Commits to this journal.
    pub(crate) fn new(journal: Journal<S>, committer: Committer<S>, metrics: JournalMetrics) -> Self {
        Self {
            journal: Some(journal),
            committer,
            changes: Vec::new(),
            spare: Vec::new(),
            begun: Instant::now(),
            failed: None,
            checkpoint_failed: None,
            step: None,
            not_begun: false,
            metrics,
        }
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

    /// Begins to make every change appended so far durable, and calls `then` when it is, with a receipt, or when it can not be, without
    /// one. Changes that are appended from now on belong to the next commit. Waits for the one before. The shard's thread is woken at the end,
    /// and once more after `again` where nothing is committed until then.
    pub(crate) fn commit_aside(
        &mut self,
        again: Option<Duration>,
        then: impl FnOnce(Option<&Receipt>) + Send + 'static,
    ) {
        self.await_journal();
        match self.journal.take_if(|_| self.failed.is_none()) {
            None => then(None),
            Some(journal) => {
                let changes = mem::replace(&mut self.changes, mem::take(&mut self.spare));
                let (now, step) = (self.begun.elapsed(), self.step.take());
                self.committer.begin(Order { journal, changes, now, again, step, then: Box::new(then) });
            }
        }
    }

    /// Whether no commit is under way.
    pub(crate) fn is_idle(&mut self) -> bool {
        if self.journal.is_none()
            && let Some(outcome) = self.committer.ended()
        {
            self.take_back(outcome);
        }
        self.journal.is_some()
    }

    /// Waits until no commit is under way.
    pub(crate) fn await_journal(&mut self) {
        if self.journal.is_none() {
            let outcome = self.committer.wait();
            self.take_back(outcome);
        }
    }

    /// Makes every change appended so far durable; none where the journal can not now.
    pub(crate) fn commit(&mut self) -> Option<Receipt> {
        self.await_journal();
        let (began, now) = (Instant::now(), self.begun.elapsed());
        let changes = mem::take(&mut self.changes);
        let committed = self.journal().commit(&changes, now);
        self.changes = changes;
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
        let synced = self.journal().sync();
        synced.inspect_err(|error| self.failed(error)).ok()
    }

    /// Whether it is time to begin a checkpoint.
    pub(crate) fn checkpoint_is_due(&mut self) -> bool {
        if self.checkpoint_failed.is_some_and(|failed| failed.elapsed() < CHECKPOINT_AGAIN_AFTER) {
            return false;
        }
        self.journal().is_checkpoint_due()
    }

    /// The next commit aside is followed by a step of a checkpoint.
    pub(crate) fn follow_with(&mut self, step: Step) {
        self.step = Some(step);
    }

    /// Whether a step of a checkpoint has yet to be taken.
    pub(crate) fn is_to_step(&self) -> bool {
        self.step.is_some()
    }

    /// Whether a checkpoint that was to be begun was not; said once.
    pub(crate) fn has_not_begun(&mut self) -> bool {
        mem::take(&mut self.not_begun)
    }

    /// Syncs what waits for its interval, and shows how long the log is.
    pub(crate) fn tick(&mut self) {
        if self.failed.is_none() {
            let now = self.begun.elapsed();
            let synced = self.journal().sync_if_due(now);
            synced.unwrap_or_else(|error| self.failed(&error));
        }
        let statistics = self.journal().statistics();
        self.metrics.show(statistics);
    }

    /// Ends well.
    ///
    /// # Errors
    ///
    /// What was changed last is not durable; nobody was told of it.
    pub(crate) fn close(mut self) -> Result<(), CommitError> {
        self.await_journal();
        let mut journal = self.journal.take().expect(HERE);
        journal.commit(&self.changes, self.begun.elapsed())?;
        journal.close()
    }

    fn journal(&mut self) -> &mut Journal<S> {
        self.await_journal();
        self.journal.as_mut().expect(HERE)
    }

    fn take_back(&mut self, outcome: Outcome<S>) {
        let Outcome { journal, mut changes, committed, step, stepped } = outcome;
        self.journal = Some(journal);
        match committed {
            Ok(()) => {
                changes.clear();
                self.spare = changes;
                step.into_iter().for_each(|step| self.stepped(step, &stepped));
            }
            Err(error) => {
                // In the order in which they were made.
                changes.append(&mut self.changes);
                self.changes = changes;
                self.not_begun |= step == Some(Step::Begin);
                self.has_failed(&error);
            }
        }
    }

    fn stepped(&mut self, step: Step, outcome: &Result<(), CommitError>) {
        match outcome {
            Ok(()) => {
                self.checkpoint_failed = None;
                self.metrics.checkpoints.inc_by(u64::from(step == Step::End));
            }
            Err(error) => {
                tracing::warn!(
                    error = chain(error),
                    "a checkpoint can not be written now: the log grows until one can"
                );
                self.checkpoint_failed = Some(Instant::now());
                self.not_begun |= step == Step::Begin;
            }
        }
    }

    fn failed(&mut self, error: &CommitError) {
        self.metrics.failed();
        self.has_failed(error);
    }

    /// # Panics
    ///
    /// Where trying again is in vain: our bug.
    fn has_failed(&mut self, error: &CommitError) {
        assert!(error.is_retryable(), "the journal refuses what the worker commits: {error}");
        if self.failed.is_none() {
            tracing::error!(
                error = chain(error),
                "the journal can not be written: points are refused until it can; check the disk"
            );
        }
        self.failed = Some(Instant::now());
    }

    fn recovered(&mut self) {
        if self.failed.take().is_some() {
            tracing::info!("the journal can be written again");
            self.metrics.able();
        }
    }
}
