//! What waits is done together, with one commit: requests, and streams that other workers send.
//!
//! A sync takes longer than counting what waits for it. So all that waits is done, one commit makes it durable, then all of it is
//! answered. Streams that arrive take part, or each of their chunks would keep the requests behind it for a sync of its own.

use shardset_handoff::{Message, Progress, Reply, Source, Verdict};
use shardset_journal::Storage;
use shardset_model::{Membership, Receipt, Sealed, UnixNanos};
use shardset_process::budget::Reservation;
use shardset_process::clock;
use shardset_wire::ExportAnswer;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::{Event, Shard, Unserved};
use crate::admit::Admitted;
use crate::persist::Answered;

/// What is done before a commit, at most: everything in a group waits for the last of it, and this much takes some ms. What is
/// larger is a group of its own.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// What is done and not answered yet.
enum Done {
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

impl<S: Storage> Shard<S> {
    /// Does what waits, commits, answers. Gives back the event that ended the group.
    pub(super) fn together(&mut self, first: Event, events: &mut mpsc::Receiver<Event>) -> Option<Event> {
        let (now, begun) = (clock::now(), Instant::now());
        let able = self.persist.is_able();
        let (mut done, mut bytes, mut next) = (Vec::new(), 0, Some(first));
        while let Some(event) = next {
            let (length, outcome) = match event {
                Event::Request(request) => (request.bytes.len(), self.request(request, able, now)),
                Event::Receive { message, reply } => (length(&message), Some(self.message(&message, able, reply))),
                other => {
                    next = Some(other);
                    break;
                }
            };
            bytes += length;
            done.extend(outcome);
            next = if bytes < GROUP_BYTES_MAX { events.try_recv().ok() } else { None };
        }
        if able {
            self.keep_a_piece();
            self.settle_some();
        }
        let receipt = if able { self.persist.commit() } else { None };
        done.into_iter().for_each(|done| done.answer(receipt.as_ref()));
        self.metrics.apply.observe(begun.elapsed().as_secs_f64());
        self.end_checkpoint();
        next
    }

    /// Counts one request, if it may be.
    fn request(&mut self, request: Admitted, able: bool, now: UnixNanos) -> Option<Done> {
        let Admitted { bytes, theirs, reply, reservation } = request;
        let admitted = if able { self.pass_the_fence(theirs.as_ref()) } else { Err(Unserved::Unwritable) };
        if let Err(unserved) = admitted {
            let _sender_gone = reply.send(Err(unserved));
            return None;
        }
        Some(Done::Request { reply, answer: self.count(&bytes, now), reservation })
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
    fn message(&mut self, message: &Message, able: bool, reply: oneshot::Sender<Result<Reply, Unserved>>) -> Done {
        let answer = if able { self.receive(message) } else { Err(Unserved::Unwritable) };
        Done::Message { reply, answer }
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
