//! Who owns which streams, at one epoch.

use thiserror::Error;

use crate::{Epoch, RoutingKey, ShardCount};

/// Whether streams are on their way between shards.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    /// Every stream is at its owner.
    Stable,
    /// Streams move from their owner under [`Membership::previous`] to their owner under [`Membership::shards`].
    Moving,
}

/// The set of shards at one epoch, and what decides a stream's shard. By default that is the stream's id.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Membership {
    epoch: Epoch,
    shards: ShardCount,
    previous: ShardCount,
    phase: Phase,
    routing: RoutingKey,
    previous_routing: RoutingKey,
}

impl Membership {
    /// A membership in which nothing moves.
    pub const fn stable(epoch: Epoch, shards: ShardCount) -> Self {
        let (routing, previous_routing) = (RoutingKey::StreamId, RoutingKey::StreamId);
        Self { epoch, shards, previous: shards, phase: Phase::Stable, routing, previous_routing }
    }

    /// A membership as it was told, checked.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks.
    pub fn new(epoch: u64, shards: u32, previous: u32, phase: Phase) -> Result<Self, InvalidMembership> {
        Ok(Self {
            epoch: Epoch::new(epoch).ok_or(InvalidMembership::Epoch)?,
            shards: ShardCount::new(shards).ok_or(InvalidMembership::Shards(shards))?,
            previous: ShardCount::new(previous).ok_or(InvalidMembership::Shards(previous))?,
            phase,
            routing: RoutingKey::StreamId,
            previous_routing: RoutingKey::StreamId,
        })
    }

    /// The same membership, when every stream is at its owner.
    #[must_use]
    pub fn settled(self) -> Self {
        Self { phase: Phase::Stable, ..self }
    }

    /// The same membership, where streams are routed by `routing`, and by `previous` before.
    #[must_use]
    pub fn routed_by(self, routing: RoutingKey, previous: RoutingKey) -> Self {
        Self { routing, previous_routing: previous, ..self }
    }

    /// The membership's version.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How many shards there are.
    pub const fn shards(&self) -> ShardCount {
        self.shards
    }

    /// How many there were before.
    pub const fn previous(&self) -> ShardCount {
        self.previous
    }

    /// Whether streams move.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// What decides a stream's shard.
    pub const fn routing(&self) -> &RoutingKey {
        &self.routing
    }

    /// What decided it before.
    pub const fn previous_routing(&self) -> &RoutingKey {
        &self.previous_routing
    }
}

/// Why something that was told is no membership.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum InvalidMembership {
    /// Epoch 0 stands for "no epoch".
    #[error("the epoch must be at least 1")]
    Epoch,
    /// The number of shards is out of range.
    #[error("{0} is no number of shards: it must be from 1 to {max}", max = ShardCount::MAX)]
    Shards(u32),
}

#[cfg(test)]
mod tests {
    use super::{InvalidMembership, Membership, Phase};

    #[test]
    fn a_membership_is_checked_when_it_is_made() {
        assert_eq!(Membership::new(0, 3, 3, Phase::Stable), Err(InvalidMembership::Epoch));
        assert_eq!(Membership::new(1, 0, 3, Phase::Stable), Err(InvalidMembership::Shards(0)));
        assert_eq!(Membership::new(1, 3, 1001, Phase::Stable), Err(InvalidMembership::Shards(1001)));
        let moving = Membership::new(7, 5, 3, Phase::Moving).expect("a valid membership");
        assert_eq!((moving.epoch().get(), moving.shards().get(), moving.previous().get()), (7, 5, 3));
    }
}
