//! What a worker has of a stream: what the checkers ask.

use shardset_handoff::{Shard, owner};
use shardset_model::Membership;

use super::Worker;
use crate::catalog::{Delta, Points, points_of};
use crate::scene::Scene;

/// What one worker has of one stream.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Held {
    /// In a total that it counts for.
    pub(crate) counted: Option<Points>,
    /// In a total that it keeps for its new owner.
    pub(crate) away: Points,
    /// In points that wait.
    pub(crate) waiting: Points,
}

impl Held {
    /// All points of it.
    pub(crate) fn all(self) -> Points {
        self.counted.unwrap_or(0) | self.away | self.waiting
    }
}

impl Worker {
    /// What it has of a stream: in memory, or on its disk while it is down. An error where a point is in it twice.
    pub(crate) fn held(&self, stream: usize, scene: &Scene) -> Result<Held, String> {
        let mut held = Held { waiting: self.waiting.memory[stream], ..Held::default() };
        let Some((total, is_away)) = self.shard().and_then(|shard| self.total(shard, stream, scene)) else {
            return Ok(held);
        };
        let Some(points) = total else {
            return Err(format!("w{} has points of s{stream} twice", self.index));
        };
        if is_away {
            held.away = points;
        } else {
            held.counted = Some(points);
        }
        Ok(held)
    }

    /// Whether a point is on its disk, in whatever form.
    pub(super) fn has_durably(&self, delta: &Delta, scene: &Scene) -> bool {
        let total = self.durable.as_ref().and_then(|shard| self.total(shard, delta.stream, scene));
        let counted = total.and_then(|(points, _)| points).unwrap_or(0);
        (counted | self.waiting.durable[delta.stream]) & delta.bit() != 0
    }

    /// Which points of a stream wait, on its disk.
    pub(crate) fn waits_durably(&self, stream: usize) -> Points {
        self.waiting.durable[stream]
    }

    /// The user gave it up: others took over, under `membership`, what it did not send.
    pub(crate) fn give_up(&mut self, membership: &Membership) {
        self.given_up = Some(membership.clone());
        self.forget_given_up();
    }

    /// It knows of the membership under which it was given up, on its disk: it is a worker like all others.
    pub(super) fn forget_given_up(&mut self) {
        let known = self.durable.as_ref().and_then(Shard::membership).map(Membership::epoch);
        if self.given_up.as_ref().is_some_and(|given_up| known.is_none_or(|known| known >= given_up.epoch())) {
            self.given_up = None;
        }
    }

    /// Whether what it has of a stream is nobody's any more, because it was given up and does not know.
    pub(crate) fn is_nobodys(&self, stream: usize, scene: &Scene) -> bool {
        let series = scene.catalog.get(stream);
        self.given_up.as_ref().is_some_and(|under| owner(under, series.id, &series.identity).0 != self.index)
    }
}

impl Worker {
    /// A stream's total as a set of points, none of which is there twice; and whether it is away.
    pub(crate) fn total(&self, shard: &Shard, stream: usize, scene: &Scene) -> Option<(Option<Points>, bool)> {
        let id = scene.catalog.get(stream).id;
        if let Some(place) = shard.streams().place_of(id) {
            return Some((self.kept.get(&place).copied(), shard.is_idle_away(id)));
        }
        let stream = shard.streams().get(shard.streams().find(id)?)?;
        Some((points_of(&stream.value()), stream.is_away()))
    }
}
