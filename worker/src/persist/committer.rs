//! The thread that commits while the shard's thread counts on.
//!
//! A sync may take a hundred times as long as usual, for reasons of the disk's. A shard that waited for it would have
//! everything before it that came meanwhile, and would be behind for some times as long as the disk was. So the journal is lent to a thread of its own
//! for one commit, together with those who are answered by it, and the shard's thread counts what comes meanwhile as the next
//! group. One commit is under way at most, so memory runs ahead of the disk by two groups.
//!
//! The journal comes back with its outcome. Whoever needs it before waits for it, so whatever is told from memory is durable as before.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use shardset_journal::{CommitError, Journal, Storage};
use shardset_model::Receipt;
use tokio::time::Instant;

/// Who is told of the end of a commit, with a receipt where it is one.
type Then = Box<dyn FnOnce(Option<&Receipt>) + Send>;

/// A commit.
struct Order<S: Storage> {
    journal: Journal<S>,
    changes: Vec<u8>,
    now: Duration,
    then: Then,
}

/// What came of it.
pub(super) struct Outcome<S: Storage> {
    pub(super) journal: Journal<S>,
    pub(super) changes: Vec<u8>,
    pub(super) took: Duration,
    pub(super) committed: Result<(), CommitError>,
}

/// The way to the thread and back.
pub(crate) struct Committer<S: Storage> {
    orders: SyncSender<Order<S>>,
    outcomes: Receiver<Outcome<S>>,
}

impl<S: Storage + 'static> Committer<S> {
    /// A committer, and what its thread has to do: it ends with the committer. `wake` is called whenever a commit has ended.
    pub(crate) fn new(wake: impl Fn() + Send + 'static) -> (Self, impl FnOnce() + Send + 'static) {
        // There is one journal, so neither is ever full.
        let (orders, received) = sync_channel(1);
        let (ended, outcomes) = sync_channel(1);
        let work = move || {
            for order in received {
                // Nobody takes it back any more where the shard's thread has ended.
                let _gone = ended.send(commit(order));
                wake();
            }
        };
        (Self { orders, outcomes }, work)
    }
}

impl<S: Storage> Committer<S> {
    /// Begins a commit of `changes`. None may be under way.
    pub(super) fn begin(&self, journal: Journal<S>, changes: Vec<u8>, now: Duration, then: Then) {
        let sent = self.orders.send(Order { journal, changes, now, then });
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

const ENDED: &str = "the thread that commits ends after the shard's";

fn commit<S: Storage>(order: Order<S>) -> Outcome<S> {
    let Order { mut journal, changes, now, then } = order;
    let began = Instant::now();
    let receipt = journal.commit(&changes, now);
    let took = began.elapsed();
    then(receipt.as_ref().ok());
    Outcome { journal, changes, took, committed: receipt.map(drop) }
}
