//! What waits is done together, with one commit: requests, and streams that other workers send.
//!
//! A sync takes longer than counting what waits for it. So all that waits is done, one commit makes it durable, then all of it is
//! answered. Streams that arrive take part, or each of their chunks would keep the requests behind it for a sync of its own. What comes during a
//! commit is the next group.

use std::mem;

use shardset_handoff::{Message, Progress, Reply, Source, Verdict};
use shardset_journal::Storage;
use shardset_model::{Membership, Receipt, Sealed, UnixNanos};
use shardset_process::budget::Reservation;
use shardset_process::clock;
use shardset_wire::ExportAnswer;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Shard, Unserved};
use crate::admit::Admitted;
use crate::persist::Answered;

/// What is done before a commit, at most: everything in a group waits for the last of it, and this much takes some ms. What is
/// larger is a group of its own.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// What is done and not committed yet.
#[derive(Default)]
pub(super) struct Together {
    done: Vec<Done>,
    /// Of what came.
    bytes: usize,
    /// When the first of it was taken.
    begun: Option<Instant>,
}

/// What is done and not answered yet.
pub(super) enum Done {
    Request {
        reply: oneshot::Sender<Result<Answered, Unserved>>,
        answer: Result<ExportAnswer, Unserved>,
        reservation: Reservation,
    },
    Message {
        reply: oneshot::Sender<Result<Reply, Unserved>>,
        answer: Result<Sealed<Reply>, Unserved>,
    },
}

impl Together {
    pub(super) fn is_empty(&self) -> bool {
        self.done.is_empty()
    }

    /// Whether it has as much as it may.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= GROUP_BYTES_MAX
    }
}

impl<S: Storage> Shard<S> {
    /// Does something as part of the group.
    pub(super) fn join(&mut self, does: impl FnOnce(&mut Self, UnixNanos) -> Option<(usize, Done)>) {
        let (now, begun) = (clock::now(), Instant::now());
        let Some((bytes, done)) = does(self, now) else { return };
        self.together.begun.get_or_insert(begun);
        self.together.bytes += bytes;
        self.together.done.push(done);
    }

    /// Has the group committed, with some of whatever else there is to do; all in it are answered when it is durable. Waits for the
    /// group before.
    pub(super) fn commit_group(&mut self) {
        self.persist.await_journal();
        let Together { done, begun, .. } = mem::take(&mut self.together);
        if self.persist.is_able() {
            self.keep_a_piece();
            self.settle_some();
        }
        let apply = self.metrics.apply.clone();
        self.persist.commit_aside(self.keep.again(), move |receipt| {
            done.into_iter().for_each(|done| done.answer(receipt));
            begun.into_iter().for_each(|begun| apply.observe(begun.elapsed().as_secs_f64()));
        });
    }

    /// Waits until all that was counted is committed, or can not be.
    pub(super) fn finish_group(&mut self) {
        if !self.together.is_empty() {
            self.commit_group();
        }
        self.persist.await_journal();
    }

    /// Counts one request, if it may be.
    pub(super) fn request(&mut self, request: Admitted, now: UnixNanos) -> Option<(usize, Done)> {
        let Admitted { bytes, theirs, reply, reservation } = request;
        let admitted =
            if self.persist.is_able() { self.pass_the_fence(theirs.as_ref()) } else { Err(Unserved::Unwritable) };
        if let Err(unserved) = admitted {
            let _sender_gone = reply.send(Err(unserved));
            return None;
        }
        Some((bytes.len(), Done::Request { reply, answer: self.count(&bytes, now), reservation }))
    }

    fn pass_the_fence(&mut self, theirs: Option<&Membership>) -> Result<(), Unserved> {
        match self.core.fence(theirs) {
            Verdict::Go => {}
            Verdict::Adopt(newer) => self.hear(&newer, Source::Peer)?,
            Verdict::Refuse(fenced) => return Err(Unserved::Fenced(Box::new(fenced))),
        }
        if self.core.has_room_to_park() { Ok(()) } else { Err(Unserved::NoRoomToPark) }
    }

    /// Takes what another worker says, if that may be.
    pub(super) fn message(
        &mut self,
        message: &Message,
        reply: oneshot::Sender<Result<Reply, Unserved>>,
    ) -> Option<(usize, Done)> {
        let answer = if self.persist.is_able() { self.receive(message) } else { Err(Unserved::Unwritable) };
        Some((length(message), Done::Message { reply, answer }))
    }
}

impl Done {
    /// Answers, where there is a receipt of what was done.
    fn answer(self, receipt: Option<&Receipt>) {
        let receipt = receipt.ok_or(Unserved::Unwritable);
        match self {
            Self::Request { reply, answer, reservation } => {
                drop(reservation);
                let _sender_gone = reply.send(receipt.and_then(|receipt| Ok(Answered::new(receipt, answer?))));
            }
            Self::Message { reply, answer } => {
                let _sender_gone = reply.send(receipt.and_then(|receipt| Ok(answer?.open(receipt))));
            }
        }
    }
}

fn length(message: &Message) -> usize {
    match &message.progress {
        Progress::Chunk { items, .. } => items.len(),
        Progress::Ask | Progress::Complete { .. } => 0,
    }
}
