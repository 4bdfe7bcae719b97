//! Taking a membership.

use shardset_model::{Membership, Phase, RoutingKey, StreamId};

use super::{Outgoing, Shard};
use crate::fence::same_change;
use crate::message::Adopt;
use crate::peers::{owner, receivers};
use crate::record::Record;
use crate::rule::{Rule, holds};

/// Who tells a membership.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The coordinator, to this life of this disk.
    Coordinator,
    /// A gateway or another worker: it may be late, so it can not tell a first one.
    Peer,
}

/// What became of a membership that was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Adopted {
    /// It is this worker's now.
    Taken,
    /// It was already.
    Known,
    /// It is older than this worker's.
    Older,
    /// It is another one of the same epoch: a bug of ours, or two sets mixed up.
    Conflict,
    /// The worker's disk is empty, or another than the one it was told to.
    NotForUs,
}

impl Shard {
    /// The coordinator tells the membership.
    pub fn adopt(&mut self, adopt: &Adopt, changes: &mut Vec<u8>) -> Adopted {
        if adopt.incarnation != self.incarnation {
            return Adopted::NotForUs;
        }
        let adopted = self.hear(&adopt.membership, Source::Coordinator, changes);
        for (shard, incarnation) in &adopt.incarnations {
            self.receiver_is_at(*shard, *incarnation, changes);
        }
        adopted
    }

    /// Somebody tells a membership.
    pub fn hear(&mut self, told: &Membership, source: Source, changes: &mut Vec<u8>) -> Adopted {
        let follows = match &self.membership {
            None if source == Source::Peer && holds(Rule::FirstEpochIsTold) => return Adopted::NotForUs,
            None => true,
            Some(mine) if told.epoch() < mine.epoch() => return Adopted::Older,
            Some(mine) if told.epoch() > mine.epoch() => follows(mine, told),
            Some(mine) if !same_change(mine, told) => return Adopted::Conflict,
            Some(mine) if mine.phase() == Phase::Stable || told.phase() == Phase::Moving => return Adopted::Known,
            Some(_) => true,
        };
        if self.membership.as_ref().is_some_and(|mine| mine.epoch() != told.epoch()) {
            self.finish(changes);
        }
        if !follows && holds(Rule::LateWorkerDrops) {
            self.drop_everything(changes);
        }
        Record::Adopted { membership: told.clone() }.write(changes);
        self.take(told.clone());
        Adopted::Taken
    }

    /// Makes a membership this worker's own: from here on it counts what it owns under it, and nothing else.
    pub(super) fn take(&mut self, new: Membership) {
        let old = self.membership.replace(new.clone());
        self.release();
        if old.is_some_and(|old| old.epoch() == new.epoch()) {
            return;
        }
        if new.phase() == Phase::Moving {
            self.outgoing = receivers(&new, self.index).map(|to| (to, Outgoing::default())).collect();
        }
        for slot in 0..self.streams.slots() {
            let Some(stream) = self.streams.get(slot).filter(|stream| !stream.is_away()) else { continue };
            let (now, _) = owner(&new, stream.id(), stream.identity());
            if now != self.index {
                self.streams.set_away(slot, self.latest);
                self.sort_away(slot);
            }
        }
        self.sort_idle();
    }

    /// The next stream after one that is not in memory and must be [woken](Shard::wake) before the membership may be taken: by another key than
    /// their ids, the owners of streams are known in memory alone. What is another's already is not woken: it was sent, and is dropped.
    pub fn to_wake_for(&self, told: &Membership, after: Option<StreamId>) -> Option<StreamId> {
        if *told.routing() == RoutingKey::StreamId {
            return None;
        }
        let mut next = self.streams.next_idle(after);
        while let Some((stream, _)) = next.filter(|(stream, _)| self.is_idle_away(*stream)) {
            next = self.streams.next_idle(Some(stream));
        }
        next.map(|(stream, _)| stream)
    }

    /// A later change implies that the one before is over: nobody is waited for, and what was sent is dropped.
    fn finish(&mut self, changes: &mut Vec<u8>) {
        self.membership = self.membership.take().map(Membership::settled);
        self.release();
        while self.settle(usize::MAX, changes) {}
    }

    /// Whoever missed a whole change has missed that its streams were given up, or that it was no member any more: what it
    /// still has is nobody's.
    fn drop_everything(&mut self, changes: &mut Vec<u8>) {
        self.leftovers.extend((0..self.streams.slots()).filter(|slot| self.streams.get(*slot).is_some()));
        let mut next = self.streams.next_idle(None);
        while let Some((stream, _)) = next {
            self.idle_leftovers.push(stream);
            next = self.streams.next_idle(Some(stream));
        }
        while self.settle(usize::MAX, changes) {}
    }

    /// Puts a stream that is away where it belongs: among those to be sent, or among those to be dropped.
    pub(super) fn sort_away(&mut self, slot: u32) {
        let to = self.streams.get(slot).and_then(|stream| {
            let membership = self.membership.as_ref()?;
            Some(owner(membership, stream.id(), stream.identity()).0)
        });
        match to.and_then(|to| self.outgoing.get_mut(&to)) {
            Some(outgoing) => outgoing.slots.push(slot),
            None => self.leftovers.push(slot),
        }
    }

    /// Puts the streams that are not in memory, and that another shard owns now, where they belong.
    pub(super) fn sort_idle(&mut self) {
        let Some(shards) = self.membership.as_ref().map(Membership::shards) else { return };
        let mut next = self.streams.next_idle(None);
        while let Some((stream, _)) = next {
            let owner = shardset_placement::owner(stream.low64(), shards);
            if owner != self.index {
                match self.outgoing.get_mut(&owner) {
                    Some(outgoing) => outgoing.idle.push(stream),
                    None => self.idle_leftovers.push(stream),
                }
            }
            next = self.streams.next_idle(Some(stream));
        }
    }

    /// The move is over: nobody is waited for any more, and what was sent is dropped bit by bit.
    pub(super) fn release(&mut self) {
        self.received.clear();
        self.sent_first.clear();
        for (_, outgoing) in std::mem::take(&mut self.outgoing) {
            self.leftovers.extend(outgoing.slots);
            self.idle_leftovers.extend(outgoing.idle);
        }
    }
}

/// Whether `new` is the very next change.
fn follows(old: &Membership, new: &Membership) -> bool {
    old.epoch().next() == Some(new.epoch()) && old.shards() == new.previous() && old.routing() == new.previous_routing()
}
