//! Sending: what stands next for each receiver.
//!
//! A sender keeps nothing durable of how far it has come: receivers say it. After a restart it asks. It keeps which life of a
//! receiver's disk it sent to first: what that one told of streams before it was lost, nobody knows.

use std::collections::btree_map::Entry;

use shardset_accumulate::{Place, Streams};
use shardset_model::{Incarnation, RoutingKey, ShardIndex, StreamId};

use super::Shard;
use crate::message::{Message, Progress, Reply, Sending};
use crate::record::{Item, Record};
use crate::rule::{Rule, holds};

/// What goes to one receiver, and how far it has come.
#[derive(Clone, Default, Debug)]
pub(super) struct Outgoing {
    /// Slots of streams, ascending.
    pub(super) slots: Vec<u32>,
    /// Streams that are not in memory, ascending.
    pub(super) idle: Vec<StreamId>,
    receiver: Option<Incarnation>,
    through: u64,
    completed: bool,
}

/// The position of the first stream.
const STREAMS: u64 = 1;
/// The position of the first stream that is not in memory.
const IDLE: u64 = 1 << 32;

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

    /// The first of the streams not in memory that the receiver has not.
    fn next_idle(&self) -> usize {
        usize::try_from(self.through.saturating_sub(IDLE)).unwrap_or(usize::MAX).min(self.idle.len())
    }

    /// How many streams there are to send.
    pub(super) fn total(&self) -> u64 {
        (self.slots.len() + self.idle.len()) as u64
    }

    pub(super) fn sending(&self, to: ShardIndex) -> Sending {
        Sending {
            to,
            receiver: self.receiver,
            sent: (self.next_slot() + self.next_idle()) as u64,
            total: self.total(),
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
    /// durable. May be asked again: it is the same until [`Shard::replied`] says that it has arrived. `read` reads a stream that is
    /// not in memory; where it can not, there is nothing to send until it can.
    pub fn next_message(&self, to: ShardIndex, read: impl FnMut(Place) -> Option<Vec<u8>>) -> Option<Message> {
        let outgoing = self.outgoing.get(&to).filter(|outgoing| !outgoing.completed)?;
        let progress = match outgoing.receiver {
            None => Progress::Ask,
            Some(_) if !holds(Rule::CompleteIsLast) => Progress::Complete { position: outgoing.through },
            Some(_) if outgoing.through < STREAMS => {
                Progress::Chunk { position: outgoing.through, next: STREAMS, items: self.remains(to) }
            }
            Some(_) if outgoing.next_slot() < outgoing.slots.len() => self.chunk(to, outgoing),
            Some(_) if outgoing.next_idle() < outgoing.idle.len() => self.idle_chunk(outgoing, read)?,
            Some(_) => Progress::Complete { position: outgoing.through },
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

    /// How things stand at a receiver. To be durable before the [next](Shard::next_message) is sent.
    pub fn replied(&mut self, to: ShardIndex, reply: &Reply, changes: &mut Vec<u8>) {
        let epoch = self.membership.as_ref().map(|membership| membership.epoch());
        if reply.sender != self.incarnation || reply.membership.as_ref().map(|theirs| theirs.epoch()) != epoch {
            return;
        }
        self.receiver_is_at(to, reply.receiver, changes);
        let Some(outgoing) = self.outgoing.get_mut(&to) else { return };
        if outgoing.receiver == Some(reply.receiver) {
            (outgoing.through, outgoing.completed) = (reply.through, reply.completed);
        }
    }

    /// The disk of a receiver is in this life.
    pub(super) fn receiver_is_at(&mut self, to: ShardIndex, receiver: Incarnation, changes: &mut Vec<u8>) {
        let Some(outgoing) = self.outgoing.get_mut(&to) else { return };
        if let Entry::Vacant(first) = self.sent_first.entry(to) {
            first.insert(receiver);
            Record::Sends { to, receiver }.write(changes);
        }
        outgoing.receiver.get_or_insert(receiver);
        outgoing.is_at(receiver);
    }

    fn chunk(&self, to: ShardIndex, outgoing: &Outgoing) -> Progress {
        // A disk that is lost may have told any of them. Where that is not so, a first value has no zero before it; where it is
        // and a zero followed, the whole total would count twice.
        let may_be_told = self.sent_first.get(&to) != outgoing.receiver.as_ref() && holds(Rule::LostDiskMayHaveTold);
        let mut items = Vec::with_capacity(self.limits.chunk_bytes + self.limits.chunk_bytes / 8);
        let (mut next, mut encoded) = (outgoing.through, Vec::new());
        for &slot in &outgoing.slots[outgoing.next_slot()..] {
            encoded.clear();
            let is_there = if may_be_told {
                self.streams.encode_as_told(slot, self.latest, &mut encoded)
            } else {
                self.streams.encode_stream(slot, &mut encoded)
            };
            if is_there {
                Item::Stream(&encoded).write(&mut items);
            }
            next = STREAMS + u64::from(slot) + 1;
            if items.len() >= self.limits.chunk_bytes {
                break;
            }
        }
        Progress::Chunk { position: outgoing.through, next, items }
    }

    fn idle_chunk(&self, outgoing: &Outgoing, mut read: impl FnMut(Place) -> Option<Vec<u8>>) -> Option<Progress> {
        let (mut items, first) = (Vec::new(), outgoing.next_idle());
        let mut next = IDLE + first as u64;
        for &stream in &outgoing.idle[first..] {
            if let Some(place) = self.streams.place_of(stream) {
                Item::Stream(&read(place)?).write(&mut items);
            }
            next += 1;
            if items.len() >= self.limits.chunk_bytes {
                break;
            }
        }
        Some(Progress::Chunk { position: outgoing.through, next, items })
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
