//! The one way to a shard's thread: a bounded queue of a closed set of events.
//!
//! Everything that a shard can be asked is listed here. No event takes longer than a few milliseconds: what is larger (a
//! pass, a scrape, a sweep) is asked for piece by piece, so that requests are never behind more than one piece of each asker.

use prometheus_client::metrics::gauge::Gauge;
use shardset_export::{Batch, Exposition, Protocol};
use shardset_handoff::{Adopt, Message, Reply, Report};
use shardset_journal::CommitError;
use shardset_model::{ShardIndex, UnixMillis};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::catalog::FamilyKey;
use super::unserved::Unserved;
use crate::admit::Admitted;

/// What a shard can be asked.
#[derive(Debug)]
pub(crate) enum Event {
    /// Count these points.
    Request(Admitted),
    /// Begin a pass for a destination. It must have none open.
    OpenPass {
        /// Whose.
        destination: usize,
        /// When it is stamped.
        stamp: PassStamp,
        /// Answered when it is open.
        reply: oneshot::Sender<()>,
    },
    /// Make the next piece of a destination's pass.
    NextChunk {
        /// Whose.
        destination: usize,
        /// The piece.
        reply: oneshot::Sender<Chunk>,
    },
    /// A piece is delivered.
    Delivered {
        /// To whom.
        destination: usize,
        /// What the piece told.
        told: Vec<Telling>,
        /// What of the piece was refused and may not be now: to be told again, as it is now.
        again: Vec<Telling>,
    },
    /// All pieces of a destination's pass are delivered.
    ClosePass {
        /// Whose.
        destination: usize,
        /// Whether that was all; otherwise there are more pieces.
        reply: oneshot::Sender<bool>,
    },
    /// List some families in their order.
    Families {
        /// Those after this one.
        after: Option<FamilyKey>,
        /// No family means that there are no more.
        reply: oneshot::Sender<Vec<FamilyKey>>,
    },
    /// Write some streams of a family as text.
    Text {
        /// Which family.
        family: FamilyKey,
        /// From which member on.
        from: u32,
        /// What to append to.
        exposition: Exposition,
        /// The text, and where to go on.
        reply: oneshot::Sender<TextPart>,
    },
    /// Look for streams whose time is over.
    Sweep,
    /// Take the membership that the coordinator tells.
    Adopt {
        /// It.
        adopt: Adopt,
        /// How things stand then.
        reply: oneshot::Sender<Result<Report, Unserved>>,
    },
    /// Have no more than so many streams; those that are there stay.
    Limit {
        /// How many.
        streams_max: u32,
    },
    /// Say how things stand.
    Report {
        /// How.
        reply: oneshot::Sender<Result<Report, Unserved>>,
    },
    /// Take what another worker says.
    Receive {
        /// What it says.
        message: Message,
        /// How things stand then.
        reply: oneshot::Sender<Result<Reply, Unserved>>,
    },
    /// List the workers that are to be sent something.
    Unfinished {
        /// Them.
        reply: oneshot::Sender<Vec<ShardIndex>>,
    },
    /// Say what to send to a worker next.
    NextMessage {
        /// To whom.
        to: ShardIndex,
        /// What; none where it has everything, or nothing can be said now.
        reply: oneshot::Sender<Option<Message>>,
    },
    /// Learn how things stand at a worker that was sent something.
    Replied {
        /// Who replied.
        to: ShardIndex,
        /// What.
        reply: Reply,
    },
    /// A commit has ended. It says nothing that the shard's thread does not see by itself, and only wakes it.
    Committed,
    /// Keep everything and end.
    Stop {
        /// Whether it is kept.
        reply: oneshot::Sender<Result<(), CommitError>>,
    },
}

/// When a pass is stamped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PassStamp {
    /// With the newest tick.
    Tick,
    /// With the time as it is: the last pass of this process.
    Now,
}

/// A stream in a piece, and the newest time that the piece tells of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Telling {
    /// The stream's slot.
    pub(crate) slot: u32,
    /// The time.
    pub(crate) time: UnixMillis,
    /// The first of its entries in the piece's batch; they end where the next stream's begin.
    pub(crate) entry: usize,
    /// Whether it is only the zero that the stream's total began with.
    pub(crate) is_zero: bool,
    /// Whether the pass has told this before, and it was refused.
    pub(crate) is_again: bool,
}

/// A piece of a pass.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// What to deliver; may be empty.
    pub(crate) batch: Batch,
    /// What it tells of which stream; to be handed back when it is delivered.
    pub(crate) told: Vec<Telling>,
    /// Whether it is the last one.
    pub(crate) last: bool,
    /// Nothing can be told now, because it is not durable: ask again in a while.
    pub(crate) wait: bool,
}

impl Chunk {
    /// A piece that tells nothing yet.
    pub(crate) fn empty(protocol: Protocol) -> Self {
        Self { batch: protocol.batch(), told: Vec::new(), last: false, wait: false }
    }
}

/// A piece of a family's text.
#[derive(Debug)]
pub(crate) struct TextPart {
    /// What was handed in, with the text appended.
    pub(crate) exposition: Exposition,
    /// Where to go on; `None` at the end of the family.
    pub(crate) next: Option<u32>,
}

/// The shard's thread has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the shard has stopped")]
pub(crate) struct Gone;

/// Sends to the shard's thread.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    sender: mpsc::Sender<Event>,
    depth: Gauge,
}

impl Mailbox {
    /// A mailbox of at most `events_max` events, whose depth is shown.
    pub(crate) fn new(events_max: usize, depth: Gauge) -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(events_max);
        (Self { sender, depth }, receiver)
    }

    /// Wakes the shard's thread when a commit has ended. A full mailbox keeps it awake as it is; and that commits end keeps nothing alive.
    pub(crate) fn waker(&self) -> impl Fn() + Send + 'static {
        let sender = self.sender.downgrade();
        move || {
            if let Some(sender) = sender.upgrade() {
                let _full = sender.try_send(Event::Committed);
            }
        }
    }

    /// Puts an event in, waiting for room.
    pub(crate) async fn send(&self, event: Event) -> Result<(), Gone> {
        let sent = self.sender.send(event).await.map_err(|_| Gone);
        let depth = self.sender.max_capacity() - self.sender.capacity();
        self.depth.set(i64::try_from(depth).unwrap_or(i64::MAX));
        sent
    }

    /// Puts a question in and waits for its answer.
    pub(crate) async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Event) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.send(question(reply)).await?;
        answer.await.map_err(|_| Gone)
    }
}
