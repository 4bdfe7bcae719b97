//! Keeping the state short: checkpoints, written bit by bit between requests.
//!
//! A piece goes out with the commit of each group of requests, and by itself while nothing else waits. So a checkpoint costs no
//! sync of its own under load, and never keeps an answer waiting for longer than a piece takes to write, a ms or so.

use shardset_accumulate::Replay;
use shardset_handoff::Checkpoint;
use shardset_journal::Storage;

use super::Shard;

/// A piece of a checkpoint: some hundred streams.
const PIECE_BYTES: usize = 256 << 10;
/// Streams of a move that is over which are dropped, or decided on, at a time: a ms or so.
const SETTLED_AT_ONCE: usize = 2_000;
/// And with a group of requests, or a worker that is never without some would keep them for ever.
const SETTLED_WITH_A_GROUP: usize = 500;

/// How far the checkpoint under way has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    at: Option<Checkpoint>,
    /// Whether a move may have left something to drop, or points to decide on.
    pub(super) unsettled: bool,
}

impl Keep {
    /// No checkpoint; but a move may have been over when the last life ended.
    pub(super) const fn after_a_start() -> Self {
        Self { at: None, unsettled: true }
    }
}

/// How a frame of the journal is replayed.
pub(super) fn how(in_checkpoint: bool) -> Replay {
    if in_checkpoint { Replay::WithinCheckpoint } else { Replay::Whole }
}

impl<S: Storage> Shard<S> {
    /// Appends a piece of the checkpoint that is under way; the next commit makes it durable.
    pub(super) fn keep_a_piece(&mut self) {
        if let Some(at) = self.keep.at.filter(|at| *at != Checkpoint::Complete) {
            self.keep.at = Some(self.core.write_checkpoint(at, PIECE_BYTES, self.persist.changes()));
        }
    }

    /// Does a bit of what is to be done whenever there is time, and begins to commit it. Whether there may be more.
    pub(super) fn keep_on(&mut self) -> bool {
        self.end_checkpoint();
        if !self.has_more_to_do() || !self.persist.is_able() {
            return false;
        }
        self.settle(SETTLED_AT_ONCE);
        self.keep_a_piece();
        self.persist.commit_aside(|_| {});
        true
    }

    fn has_more_to_do(&self) -> bool {
        self.keep.at.is_some() || self.keep.unsettled
    }

    /// Begins a checkpoint where one is due.
    pub(super) fn begin_checkpoint(&mut self) {
        if self.keep.at.is_none() && self.persist.checkpoint_is_due() && self.persist.is_able() {
            self.keep.at = self.persist.begin_checkpoint().map(|()| Checkpoint::Begin);
        }
    }

    /// Ends the checkpoint where all of it is committed.
    pub(super) fn end_checkpoint(&mut self) {
        if self.keep.at == Some(Checkpoint::Complete) {
            // Where it can not be ended now it is begun again when it is due.
            self.keep.at = None;
            let _ended = self.persist.end_checkpoint();
        }
    }

    /// Settles a bit with a group.
    pub(super) fn settle_some(&mut self) {
        self.settle(SETTLED_WITH_A_GROUP);
    }

    /// Drops and decides on some of what a move has left.
    fn settle(&mut self, at_once: usize) {
        if self.keep.unsettled {
            self.keep.unsettled = self.core.settle(at_once, self.persist.changes());
            self.follow_slots();
        }
    }
}
