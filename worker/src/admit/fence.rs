//! Whether a request may be counted here: the fence of the protocol (design/protocol.md, "Fencing").
//!
//! Decided in the shard's thread before anything of the request is applied, because what decides (the worker's membership)
//! changes there and nowhere else. A request is let through or refused as a whole.
//!
//! The fence is also what keeps points from a wrong shard: under one membership, gateway and worker mean the same owners.
//! A worker does not compute a point's owner again, since that takes the routing key, which no membership tells.
//!
//! A newer membership is adopted where nothing has to move for it: the shard count stays. Any other is answered as
//! retryable, since streams would have to be handed over first.

use shardset_model::{Membership, Phase, ShardCount};
use thiserror::Error;

/// What to do with a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Count it.
    Go,
    /// Take this membership for one's own, then count it.
    Adopt(Membership),
    /// Refuse it whole.
    Refuse(Fenced),
}

/// Why a request is not for this worker as it is now.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Fenced {
    /// The sender knows of no membership, so it can not know the owners of what it sends.
    #[error("this worker serves one shard of several and takes points from gateways only; send to the gateway")]
    NoEpoch,
    /// The sender's membership is out of date.
    #[error("the request was routed by membership {theirs}, and this worker is at {mine}", theirs = .theirs.epoch(), mine = .mine.epoch())]
    Stale {
        /// This worker's.
        mine: Membership,
        /// The sender's.
        theirs: Membership,
    },
    /// The sender knows of a membership that this worker can not take yet.
    #[error("the request was routed by membership {theirs}, which this worker at {mine} has not taken yet", theirs = .theirs.epoch(), mine = .mine.epoch())]
    Ahead {
        /// This worker's.
        mine: Membership,
        /// The sender's.
        theirs: Membership,
    },
    /// Two memberships with one epoch: a bug of ours or two sets mixed up, never a matter of waiting.
    #[error("the request and this worker mean different memberships by {epoch}: {theirs} and {mine} shards", epoch = .mine.epoch(), theirs = .theirs.shards(), mine = .mine.shards())]
    Conflict {
        /// This worker's.
        mine: Membership,
        /// The sender's.
        theirs: Membership,
    },
}

/// What a worker at `mine` does with a request that was routed by `theirs`.
pub(crate) fn fence(mine: &Membership, theirs: Option<Membership>) -> Verdict {
    let mine = mine.clone();
    let Some(theirs) = theirs else {
        let alone = mine.shards() == ShardCount::ONE && mine.phase() == Phase::Stable;
        return if alone { Verdict::Go } else { Verdict::Refuse(Fenced::NoEpoch) };
    };
    match theirs.epoch().cmp(&mine.epoch()) {
        std::cmp::Ordering::Less => Verdict::Refuse(Fenced::Stale { mine, theirs }),
        std::cmp::Ordering::Greater if moves_nothing(&mine, &theirs) => Verdict::Adopt(theirs),
        std::cmp::Ordering::Greater => Verdict::Refuse(Fenced::Ahead { mine, theirs }),
        // The phase may differ: a gateway can learn of Stable before this worker does.
        std::cmp::Ordering::Equal if theirs.shards() == mine.shards() => Verdict::Go,
        std::cmp::Ordering::Equal => Verdict::Refuse(Fenced::Conflict { mine, theirs }),
    }
}

fn moves_nothing(mine: &Membership, theirs: &Membership) -> bool {
    mine.phase() == Phase::Stable && theirs.shards() == mine.shards() && theirs.previous() == mine.shards()
}

#[cfg(test)]
mod tests {
    use shardset_model::{Membership, Phase};

    use super::{Fenced, Verdict, fence};

    fn at(epoch: u64, shards: u32, previous: u32) -> Membership {
        let phase = if shards == previous { Phase::Stable } else { Phase::Moving };
        Membership::new(epoch, shards, previous, phase).unwrap()
    }

    #[test]
    fn the_fence_of_the_protocol() {
        let mine = || at(5, 3, 3);
        let refuse = Verdict::Refuse;
        let table = [
            ("the same epoch", mine(), Some(at(5, 3, 3)), Verdict::Go),
            ("an older one", mine(), Some(at(4, 3, 3)), refuse(Fenced::Stale { mine: mine(), theirs: at(4, 3, 3) })),
            ("a newer one of as many shards", mine(), Some(at(6, 3, 3)), Verdict::Adopt(at(6, 3, 3))),
            (
                "a newer one of more shards",
                mine(),
                Some(at(6, 4, 3)),
                refuse(Fenced::Ahead { mine: mine(), theirs: at(6, 4, 3) }),
            ),
            (
                "a newer one that came from more shards",
                mine(),
                Some(at(7, 3, 4)),
                refuse(Fenced::Ahead { mine: mine(), theirs: at(7, 3, 4) }),
            ),
            (
                "one epoch, two counts",
                mine(),
                Some(at(5, 4, 4)),
                refuse(Fenced::Conflict { mine: mine(), theirs: at(5, 4, 4) }),
            ),
            ("no epoch, several shards", mine(), None, refuse(Fenced::NoEpoch)),
            ("no epoch, one shard", at(1, 1, 1), None, Verdict::Go),
            ("no epoch, one shard that takes over from two", at(2, 1, 2), None, refuse(Fenced::NoEpoch)),
        ];
        for (what, mine, theirs, verdict) in table {
            assert_eq!(fence(&mine, theirs), verdict, "{what}");
        }
    }

    #[test]
    fn a_refusal_names_both_epochs() {
        let fenced = Fenced::Stale { mine: at(5, 3, 3), theirs: at(4, 3, 3) };
        assert_eq!(fenced.to_string(), "the request was routed by membership e4, and this worker is at e5");
    }
}
