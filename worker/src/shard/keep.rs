//! Keeping the state short: checkpoints, written bit by bit between requests.
//!
//! A piece goes out with the commit of a group of requests, or by itself while nothing else waits, and the next one some ms later. So a
//! checkpoint costs next to no sync of its own under load, never keeps an answer waiting for longer than a piece takes to write, and
//! takes a small part of what the disk and the thread can do instead of all of it: one that was written as fast as possible kept
//! requests waiting for hundreds of ms on a machine that had much to do.

use std::time::Duration;

use shardset_accumulate::Replay;
use shardset_handoff::Checkpoint;
use shardset_journal::Storage;
use tokio::time::Instant;

use super::Shard;
use crate::persist::Step;

/// A piece of a checkpoint: some hundred streams.
const PIECE_BYTES: usize = 256 << 10;
/// From one piece to the next: 64 MiB/s, which is a million streams in 13 s.
const PIECE_EVERY: Duration = Duration::from_millis(4);
/// Streams of a move that is over which are dropped, or decided on, at a time: a ms or so.
const SETTLED_AT_ONCE: usize = 2_000;
/// And with a group of requests, or a worker that is never without some would keep them for ever.
const SETTLED_WITH_A_GROUP: usize = 500;

/// How far the checkpoint under way has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    at: Option<Checkpoint>,
    /// When the next piece is due; at once where there was none.
    due: Option<Instant>,
    /// Whether a move may have left something to drop, or points to decide on.
    pub(super) unsettled: bool,
}

impl Keep {
    /// No checkpoint; but a move may have been over when the last life ended.
    pub(super) const fn after_a_start() -> Self {
        Self { at: None, due: None, unsettled: true }
    }

    /// When to look whether there is something to do, if nothing else happens.
    pub(super) fn again(&self) -> Option<Duration> {
        self.at.and(Some(PIECE_EVERY))
    }

    fn is_due(&self) -> bool {
        self.at.is_some() && self.due.is_none_or(|due| due <= Instant::now())
    }
}

/// How a frame of the journal is replayed.
pub(super) fn how(in_checkpoint: bool) -> Replay {
    if in_checkpoint { Replay::WithinCheckpoint } else { Replay::Whole }
}

impl<S: Storage> Shard<S> {
    /// Appends a piece of the checkpoint that is under way, if one is due; the next commit makes it durable.
    pub(super) fn keep_a_piece(&mut self) {
        if self.persist.has_not_begun() {
            // It is begun again when it is due.
            self.keep.at = None;
        }
        let is_to_go_on = self.keep.is_due() && !self.persist.is_to_step();
        let Some(at) = self.keep.at.filter(|_| is_to_go_on) else { return };
        self.keep.due = Some(Instant::now() + PIECE_EVERY);
        self.keep.at = Some(self.core.write_checkpoint(at, PIECE_BYTES, self.persist.changes()));
        if self.keep.at == Some(Checkpoint::Complete) {
            self.keep.at = None;
            self.persist.follow_with(Step::End);
        }
    }

    /// Does a bit of what is to be done whenever there is time, and begins to commit it. Whether there may be more.
    pub(super) fn keep_on(&mut self) -> bool {
        let has_something_to_do = self.keep.unsettled || self.keep.is_due() || self.persist.is_to_step();
        if !has_something_to_do || !self.persist.is_able() {
            return false;
        }
        self.settle(SETTLED_AT_ONCE);
        self.keep_a_piece();
        self.persist.commit_aside(self.keep.again(), |_| {});
        true
    }

    /// Begins a checkpoint where one is due.
    pub(super) fn begin_checkpoint(&mut self) {
        if self.keep.at.is_none() && self.persist.checkpoint_is_due() && self.persist.is_able() {
            self.keep.at = Some(Checkpoint::Begin);
            self.persist.follow_with(Step::Begin);
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
