//! The API server: what is published, what the user wants, and how many workers run.

use std::collections::{BTreeMap, BTreeSet};

use shardset_handoff::Wish;
use shardset_model::{Epoch, Incarnation, Membership, Phase, RoutingKey, ShardCount, ShardIndex};

/// The objects in it.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) is_away: bool,
    pub(crate) published: Option<Membership>,
    /// Grows with each write of what is published.
    pub(crate) version: u64,
    /// Everything that was ever published, for backups.
    pub(crate) history: Vec<Membership>,
    /// How many workers are to run.
    pub(crate) replicas: u32,
    pub(crate) wish: Wish,
    pub(crate) given_up: BTreeSet<ShardIndex>,
}

/// What a coordinator saw when it decided.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sighting {
    pub(crate) incarnations: BTreeMap<ShardIndex, Incarnation>,
    pub(crate) given_up: BTreeSet<ShardIndex>,
}

impl Api {
    pub(crate) fn new(shards: ShardCount) -> Self {
        Self {
            is_away: false,
            published: None,
            version: 0,
            history: Vec::new(),
            replicas: shards.get(),
            wish: Wish { shards, routing: RoutingKey::StreamId },
            given_up: BTreeSet::new(),
        }
    }

    /// Whether the end of this epoch's move was ever published.
    pub(crate) fn has_ended(&self, epoch: Epoch) -> bool {
        self.history.iter().any(|published| published.epoch() == epoch && published.phase() == Phase::Stable)
    }

    /// Whether it has gone back, and nobody has noticed.
    pub(crate) fn is_behind(&self) -> bool {
        let standing = |m: &Membership| (m.epoch(), m.phase() == Phase::Stable);
        self.history.iter().map(standing).max() > self.published.as_ref().map(standing)
    }

    pub(crate) fn publish(&mut self, membership: &Membership) {
        self.published = Some(membership.clone());
        self.version += 1;
        self.history.push(membership.clone());
        if membership.phase() == Phase::Stable {
            self.given_up.clear();
        }
    }
}
