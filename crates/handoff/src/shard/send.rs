//! Sending: what stands next for each receiver.
//!
//! A sender keeps nothing durable of how far it has come: receivers say it. After a restart it asks.

use shardset_accumulate::Streams;
use shardset_model::{Incarnation, RoutingKey, ShardIndex};

use super::Shard;
use crate::message::{Message, Progress, Reply, Sending};
use crate::record::Item;
use crate::rule::{Rule, holds};

/// What goes to one receiver, and how far it has come.
#[derive(Clone, Default, Debug)]
pub(super) struct Outgoing {
    /// Slots of streams, ascending.
    pub(super) slots: Vec<u32>,
    receiver: Option<Incarnation>,
    through: u64,
    completed: bool,
}

/// The position of the first stream.
const STREAMS: u64 = 1;

impl Outgoing {
    /// The receiver's disk is in this life. A new one has nothing.
    pub(super) fn is_at(&mut self, receiver: Incarnation) {
        if self.receiver != Some(receiver) && holds(Rule::NewIncarnationStartsAgain) {
            (self.receiver, self.through, self.completed) = (Some(receiver), 0, false);
        }
    }

    /// The first of the slots that the receiver has not.
    fn next_slot(&self) -> usize {
        self.slots.partition_point(|&slot| STREAMS + u64::from(slot) < self.through)
    }

    pub(super) fn sending(&self, to: ShardIndex) -> Sending {
        Sending {
            to,
            receiver: self.receiver,
            sent: self.next_slot() as u64,
            total: self.slots.len() as u64,
            completed: self.completed,
        }
    }
}

impl Shard {
    /// The receivers that are not done.
    pub fn unfinished(&self) -> impl Iterator<Item = ShardIndex> {
        self.outgoing.iter().filter(|(_, outgoing)| !outgoing.completed).map(|(to, _)| *to)
    }

    /// What to send to a receiver next; none where it has everything. To be asked, and sent, only while all changes so far are
    /// durable. May be asked again: it is the same until [`Shard::replied`] says that it has arrived.
    pub fn next_message(&self, to: ShardIndex) -> Option<Message> {
        let outgoing = self.outgoing.get(&to).filter(|outgoing| !outgoing.completed)?;
        let progress = match outgoing.receiver {
            None => Progress::Ask,
            Some(_) if !holds(Rule::CompleteIsLast) => Progress::Complete { position: outgoing.through },
            Some(_) if outgoing.through < STREAMS => {
                Progress::Chunk { position: outgoing.through, next: STREAMS, items: self.remains(to) }
            }
            Some(_) if outgoing.next_slot() == outgoing.slots.len() => {
                Progress::Complete { position: outgoing.through }
            }
            Some(_) => self.chunk(outgoing),
        };
        Some(Message {
            from: self.index,
            sender: self.incarnation,
            to,
            receiver: outgoing.receiver,
            membership: self.membership.clone()?,
            progress,
        })
    }

    /// How things stand at a receiver.
    pub fn replied(&mut self, to: ShardIndex, reply: &Reply) {
        let epoch = self.membership.as_ref().map(|membership| membership.epoch());
        let Some(outgoing) = self.outgoing.get_mut(&to) else { return };
        if reply.sender != self.incarnation || reply.membership.as_ref().map(|theirs| theirs.epoch()) != epoch {
            return;
        }
        if outgoing.receiver.is_none() {
            outgoing.receiver = Some(reply.receiver);
        }
        outgoing.is_at(reply.receiver);
        if outgoing.receiver == Some(reply.receiver) {
            (outgoing.through, outgoing.completed) = (reply.through, reply.completed);
        }
    }

    fn chunk(&self, outgoing: &Outgoing) -> Progress {
        let mut items = Vec::with_capacity(self.limits.chunk_bytes + self.limits.chunk_bytes / 8);
        let (mut next, mut encoded) = (outgoing.through, Vec::new());
        for &slot in &outgoing.slots[outgoing.next_slot()..] {
            encoded.clear();
            if self.streams.encode_stream(slot, &mut encoded) {
                Item::Stream(&encoded).write(&mut items);
            }
            next = STREAMS + u64::from(slot) + 1;
            if items.len() >= self.limits.chunk_bytes {
                break;
            }
        }
        Progress::Chunk { position: outgoing.through, next, items }
    }

    /// What is left of forgotten streams, as far as it may be of use to a receiver. Their identity is gone, so where that decides
    /// the shard every receiver gets them all.
    fn remains(&self, to: ShardIndex) -> Vec<u8> {
        let mut items = Vec::new();
        let Some(membership) = &self.membership else { return items };
        let by_id = *membership.routing() == RoutingKey::StreamId;
        for (stream, floor, since) in Streams::buried(&self.streams) {
            if !by_id || shardset_placement::owner(stream.low64(), membership.shards()) == to {
                Item::Remains { stream, floor, since }.write(&mut items);
            }
        }
        items
    }
}
