//! Whether a request may be counted: the fence of the protocol.
//!
//! Decided in the shard's thread before anything of the request is applied, because what decides (the worker's membership)
//! changes there and nowhere else. A request is let through or refused as a whole. Under one membership gateway and worker
//! mean the same owners, so the fence is also what keeps points from a wrong shard.

use std::cmp::Ordering;

use shardset_model::{Membership, Phase, ShardCount};
use thiserror::Error;

use crate::rule::{Rule, holds};

/// What to do with a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
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
    NoMembership,
    /// The worker's disk is new: it serves when it is told the membership. Retryable.
    #[error("this worker has an empty disk and waits to be told the membership; send again")]
    NoEpoch,
    /// The sender's membership is out of date.
    #[error("the request was routed by membership {theirs}, and this worker is at {mine}", theirs = .theirs.epoch(), mine = .mine.epoch())]
    Stale {
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
pub(crate) fn fence(mine: Option<&Membership>, theirs: Option<&Membership>) -> Verdict {
    let Some(mine) = mine else {
        return match theirs {
            Some(theirs) if !holds(Rule::FirstEpochIsTold) => Verdict::Adopt(theirs.clone()),
            _ => Verdict::Refuse(Fenced::NoEpoch),
        };
    };
    let Some(theirs) = theirs else {
        let alone = mine.shards() == ShardCount::ONE && mine.phase() == Phase::Stable;
        return if alone { Verdict::Go } else { Verdict::Refuse(Fenced::NoMembership) };
    };
    let (mine_, theirs_) = (mine.clone(), theirs.clone());
    match theirs.epoch().cmp(&mine.epoch()) {
        Ordering::Less if !holds(Rule::Fence) => Verdict::Go,
        Ordering::Less => Verdict::Refuse(Fenced::Stale { mine: mine_, theirs: theirs_ }),
        Ordering::Greater => Verdict::Adopt(theirs_),
        Ordering::Equal if !same_change(mine, theirs) => {
            Verdict::Refuse(Fenced::Conflict { mine: mine_, theirs: theirs_ })
        }
        // That the streams have arrived makes a membership no other; one that comes late is no news.
        Ordering::Equal if mine.phase() == Phase::Moving && theirs.phase() == Phase::Stable => Verdict::Adopt(theirs_),
        Ordering::Equal => Verdict::Go,
    }
}

/// Whether two memberships of one epoch are the same but for their phase.
pub(crate) fn same_change(a: &Membership, b: &Membership) -> bool {
    let of = |m: &Membership| (m.shards(), m.previous(), m.routing().clone(), m.previous_routing().clone());
    of(a) == of(b)
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
        let refuse = Verdict::Refuse;
        let mine = at(5, 3, 3);
        let stale = |theirs: Membership| refuse(Fenced::Stale { mine: at(5, 3, 3), theirs });
        let conflict = |theirs: Membership| refuse(Fenced::Conflict { mine: at(5, 3, 3), theirs });
        let table = [
            ("the same epoch", Some(&mine), Some(at(5, 3, 3)), Verdict::Go),
            ("an older one", Some(&mine), Some(at(4, 3, 3)), stale(at(4, 3, 3))),
            ("a newer one", Some(&mine), Some(at(6, 4, 3)), Verdict::Adopt(at(6, 4, 3))),
            ("one epoch, two counts", Some(&mine), Some(at(5, 4, 4)), conflict(at(5, 4, 4))),
            ("no epoch, several shards", Some(&mine), None, refuse(Fenced::NoMembership)),
            ("no epoch, one shard", Some(&at(1, 1, 1)), None, Verdict::Go),
            ("no epoch, one shard that takes over from two", Some(&at(2, 1, 2)), None, refuse(Fenced::NoMembership)),
            ("an empty disk", None, Some(at(5, 3, 3)), refuse(Fenced::NoEpoch)),
            ("an empty disk and a stock client", None, None, refuse(Fenced::NoEpoch)),
        ];
        for (what, mine, theirs, verdict) in table {
            assert_eq!(fence(mine, theirs.as_ref()), verdict, "{what}");
        }
    }

    #[test]
    fn the_end_of_a_move_is_news_and_its_beginning_is_not() {
        let moving = at(6, 4, 3);
        let stable = Membership::new(6, 4, 3, Phase::Stable).unwrap();
        assert_eq!(fence(Some(&moving), Some(&stable)), Verdict::Adopt(stable.clone()));
        assert_eq!(fence(Some(&stable), Some(&moving)), Verdict::Go);
    }

    #[test]
    fn a_refusal_names_both_epochs() {
        let fenced = Fenced::Stale { mine: at(5, 3, 3), theirs: at(4, 3, 3) };
        assert_eq!(fenced.to_string(), "the request was routed by membership e4, and this worker is at e5");
    }
}
