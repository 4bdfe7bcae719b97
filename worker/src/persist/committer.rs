//! The thread that commits while the shard's thread counts on.
//!
//! A sync may take a hundred times as long as usual, for reasons of the disk's. A shard that waited for it would then have to
//! count all that came meanwhile, and be late for some times as long as the disk was. So the journal is lent to a thread of its
//! own for one commit, together with those who are answered by it, and the shard's thread counts what comes meanwhile as the next
//! group. One commit is under way at most, so memory runs ahead of the disk by two groups.
//!
//! The journal comes back with its outcome. Whoever needs it before waits for it, so whatever is told from memory is durable as before.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use shardset_journal::{CommitError, Journal, Storage};
use shardset_model::Receipt;
use tokio::time::Instant;

use crate::metrics::JournalMetrics;

/// Who is told of the end of a commit, with a receipt where it is one.
type Then = Box<dyn FnOnce(Option<&Receipt>) + Send>;

/// A commit.
pub(super) struct Order<S: Storage> {
    pub(super) journal: Journal<S>,
    pub(super) changes: Vec<u8>,
    pub(super) now: Duration,
    /// To wake the shard's thread once more after so long, unless something is to be committed before.
    pub(super) again: Option<Duration>,
    /// What is done after it, where it succeeds and is answered.
    pub(super) step: Option<Step>,
    pub(super) then: Then,
}

/// A step of a checkpoint: some ms, in which files are made and removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Begin,
    End,
}

/// What came of it.
pub(super) struct Outcome<S: Storage> {
    pub(super) journal: Journal<S>,
    pub(super) changes: Vec<u8>,
    pub(super) committed: Result<(), CommitError>,
    pub(super) step: Option<Step>,
    /// Of the step, where the commit succeeded.
    pub(super) stepped: Result<(), CommitError>,
}

/// The way to the thread and back.
pub(crate) struct Committer<S: Storage> {
    orders: SyncSender<Order<S>>,
    outcomes: Receiver<Outcome<S>>,
}

impl<S: Storage + 'static> Committer<S> {
    /// A committer, and what its thread has to do: it ends with the committer. `wake` is called whenever a commit has ended.
    pub(crate) fn new(
        metrics: JournalMetrics,
        wake: impl Fn() + Send + 'static,
    ) -> (Self, impl FnOnce() + Send + 'static) {
        // There is one journal, so neither is ever full.
        let (orders, received) = sync_channel(1);
        let (ended, outcomes) = sync_channel(1);
        let work = move || {
            let mut again = None;
            loop {
                match next(&received, again.take()) {
                    Ok(order) => {
                        again = order.again;
                        // Nobody takes it back any more where the shard's thread has ended.
                        let _gone = ended.send(commit(order, &metrics));
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                wake();
            }
        };
        (Self { orders, outcomes }, work)
    }
}

impl<S: Storage> Committer<S> {
    /// Begins a commit. None may be under way.
    pub(super) fn begin(&self, order: Order<S>) {
        let sent = self.orders.send(order);
        assert!(sent.is_ok(), "{ENDED}");
    }

    /// What came of the commit that is under way; none where it still is.
    pub(super) fn ended(&self) -> Option<Outcome<S>> {
        match self.outcomes.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => panic!("{ENDED}"),
        }
    }

    /// Waits for the commit that is under way.
    pub(super) fn wait(&self) -> Outcome<S> {
        self.outcomes.recv().expect(ENDED)
    }
}

impl Step {
    fn take<S: Storage>(self, journal: &mut Journal<S>) -> Result<(), CommitError> {
        match self {
            Self::Begin => journal.begin_checkpoint(),
            Self::End => journal.end_checkpoint(),
        }
    }
}

const ENDED: &str = "the thread that commits ends after the shard's";

fn next<S: Storage>(orders: &Receiver<Order<S>>, within: Option<Duration>) -> Result<Order<S>, RecvTimeoutError> {
    match within {
        Some(within) => orders.recv_timeout(within),
        None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

fn commit<S: Storage>(order: Order<S>, metrics: &JournalMetrics) -> Outcome<S> {
    let Order { mut journal, changes, now, step, then, .. } = order;
    let began = Instant::now();
    let receipt = journal.commit(&changes, now);
    // Before anybody is told.
    match &receipt {
        Ok(_) => metrics.committed(changes.len(), began.elapsed()),
        Err(_) => metrics.failed(),
    }
    then(receipt.as_ref().ok());
    let stepped = step.filter(|_| receipt.is_ok()).map_or(Ok(()), |step| step.take(&mut journal));
    Outcome { journal, changes, committed: receipt.map(drop), step, stepped }
}
