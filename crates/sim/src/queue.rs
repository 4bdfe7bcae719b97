//! What is to happen, by time. Of two things at one time the one that was put in first happens first.

use std::collections::BTreeMap;

use shardset_model::ShardIndex;

use crate::message::Payload;
use crate::node::{Node, Time};
use crate::weather::Fault;

/// Something that is to happen. What a process had planned dies with its `life`.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A message arrives.
    Deliver { from: Node, to: Node, payload: Box<Payload> },
    /// A worker starts.
    Start { worker: ShardIndex },
    /// A worker commits what it has changed.
    Commit { worker: ShardIndex, life: u64 },
    /// A worker looks after what is left to do.
    Background { worker: ShardIndex, life: u64 },
    /// A worker exports.
    Tick { worker: ShardIndex, life: u64 },
    /// A worker's disk is as it should be again.
    DiskHeals { worker: ShardIndex },
    /// A gateway waits no longer for an answer.
    Unanswered { gateway: usize, life: u64, request: u64 },
    /// A gateway looks at what is published, unasked.
    Relist { gateway: usize, life: u64 },
    /// A client makes a batch.
    Make { client: usize },
    /// A client sends a batch again if it is not accepted.
    Retry { client: usize, batch: u64, attempt: u32 },
    /// A coordinator begins a round.
    Observe { coordinator: usize, life: u64 },
    /// A coordinator does the next thing of its round.
    Act { coordinator: usize, life: u64 },
    /// A coordinator starts, or ends.
    Coordinator { coordinator: usize, runs: bool },
    /// The nodes that were cut off are reached again.
    Rejoin { partition: u64 },
    /// A node is as fast as before.
    Quicken { node: Node },
    /// The API server is reached again.
    ApiBack,
    /// A fault.
    Fault(Fault, Time),
    /// Faults end.
    Calm,
}

/// Events to come.
#[derive(Clone, Default, Debug)]
pub(crate) struct Queue {
    events: BTreeMap<(Time, u64), Event>,
    serial: u64,
}

impl Queue {
    pub(crate) fn put(&mut self, at: Time, event: Event) {
        self.events.insert((at, self.serial), event);
        self.serial += 1;
    }

    pub(crate) fn next(&mut self) -> Option<(Time, Event)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}
