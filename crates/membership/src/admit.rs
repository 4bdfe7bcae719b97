//! Whether a membership may take the place of the one that is held.
//!
//! A reader never goes back: the workers are at least where it is, and an older membership would only be fenced. Under one
//! epoch there is one answer to "who owns this stream"; two that differ are a bug or two sets mixed up, and neither may
//! replace the other. Places are no part of that: a worker that restarts elsewhere keeps its shard.

use std::error::Error;

use shardset_model::{Epoch, Membership, Phase};
use thiserror::Error as ThisError;

use crate::{ReadError, Record};

/// Why what was published is not taken. What was held before stays.
#[derive(Debug, ThisError)]
pub enum Refused {
    /// There is none, or it can not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Where it comes from, which is no file, there is none, or it can not be read.
    #[error("it can not be read")]
    Elsewhere {
        /// The value of the label `reason` in metrics.
        reason: &'static str,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A restored backup, or a message that came late.
    #[error("it is at {new}, and {held} is held: epochs never go back")]
    OlderEpoch {
        /// The one that is held.
        held: Epoch,
        /// The one that is refused.
        new: Epoch,
    },
    /// The move is known to be over.
    #[error("it says that streams move at {0}, and that move is known to be over")]
    OlderPhase(Epoch),
    /// Other owners under the same epoch.
    #[error(
        "it names other shards or another routing key than the one that is held, both at {0}: give it the next epoch"
    )]
    Contradiction(Epoch),
}

impl Refused {
    /// The value of the label `reason` in metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Read(error) => error.reason(),
            Self::Elsewhere { reason, .. } => reason,
            Self::OlderEpoch { .. } => "older_epoch",
            Self::OlderPhase(_) => "older_phase",
            Self::Contradiction(_) => "contradiction",
        }
    }
}

/// `new`, if a reader that holds `held` may take it.
///
/// # Errors
///
/// Why it may not.
pub fn admit(held: Option<&Record>, new: Record) -> Result<Record, Refused> {
    match held {
        Some(held) => follows(held.membership(), new.membership()).map(|()| new),
        None => Ok(new),
    }
}

/// Whether `new` may take the place of `held`.
///
/// # Errors
///
/// Why it may not.
pub fn follows(held: &Membership, new: &Membership) -> Result<(), Refused> {
    let epoch = held.epoch();
    match new.epoch().cmp(&epoch) {
        std::cmp::Ordering::Less => Err(Refused::OlderEpoch { held: epoch, new: new.epoch() }),
        std::cmp::Ordering::Greater => Ok(()),
        std::cmp::Ordering::Equal if !same_owners(held, new) => Err(Refused::Contradiction(epoch)),
        std::cmp::Ordering::Equal => match (held.phase(), new.phase()) {
            (Phase::Stable, Phase::Moving) => Err(Refused::OlderPhase(epoch)),
            (Phase::Stable, Phase::Stable) | (Phase::Moving, _) => Ok(()),
        },
    }
}

/// Who owned a stream before is a question only while it moves.
fn same_owners(held: &Membership, new: &Membership) -> bool {
    let owners = |m: &Membership| (m.shards(), m.routing().clone());
    let before = |m: &Membership| (m.previous(), m.previous_routing().clone());
    let both_move = held.phase() == Phase::Moving && new.phase() == Phase::Moving;
    owners(held) == owners(new) && (!both_move || before(held) == before(new))
}

#[cfg(test)]
mod tests {
    use shardset_model::{Membership, Phase, RoutingKey};

    use super::{Refused, admit, follows};
    use crate::{Record, WorkerAt};

    fn at(epoch: u64, shards: u32, previous: u32, phase: Phase) -> Membership {
        Membership::new(epoch, shards, previous, phase).unwrap()
    }

    fn record(membership: Membership, port: u16) -> Record {
        let at = |shard| WorkerAt { shard, address: format!("w{shard}:{port}").parse().unwrap(), uid: None };
        Record::new(membership, (0..9).map(at).collect()).unwrap()
    }

    #[test]
    fn a_membership_goes_forward_only() {
        let (stable, moving) = (Phase::Stable, Phase::Moving);
        let by_resource = |m: Membership| m.routed_by(RoutingKey::Resource, RoutingKey::StreamId);
        let from_resource = |m: Membership| m.routed_by(RoutingKey::StreamId, RoutingKey::Resource);
        let held_stable = || at(7, 5, 3, stable);
        let held_moving = || at(7, 5, 3, moving);
        let table = [
            ("the same", held_stable(), held_stable(), None),
            ("the same, moving", held_moving(), held_moving(), None),
            ("the next", held_stable(), at(8, 4, 5, moving), None),
            ("one that skips some", held_moving(), at(12, 2, 9, stable), None),
            ("the move is over", held_moving(), held_stable(), None),
            ("the move is over, told as if nothing had been before", held_moving(), at(7, 5, 5, stable), None),
            ("the move that is over", held_stable(), held_moving(), Some("older_phase")),
            ("an older one", held_stable(), at(6, 5, 5, stable), Some("older_epoch")),
            ("another count", held_stable(), at(7, 4, 3, stable), Some("contradiction")),
            ("another count before", held_moving(), at(7, 5, 4, moving), Some("contradiction")),
            ("another key", held_stable(), by_resource(held_stable()), Some("contradiction")),
            ("another key before", held_moving(), from_resource(held_moving()), Some("contradiction")),
        ];
        for (what, held, new, expected) in table {
            let refused = follows(&held, &new).err();
            assert_eq!(refused.as_ref().map(Refused::reason), expected, "{what}");
        }
    }

    #[test]
    fn an_admitted_record_is_the_new_one_with_its_places() {
        let held = record(at(7, 3, 3, Phase::Stable), 1);
        let moved = record(at(7, 3, 3, Phase::Stable), 2);
        assert_eq!(admit(Some(&held), moved.clone()).unwrap(), moved);
        assert_eq!(admit(None, held.clone()).unwrap(), held);
        let older = record(at(6, 3, 3, Phase::Stable), 2);
        let refused = admit(Some(&held), older).unwrap_err();
        assert_eq!(refused.to_string(), "it is at e6, and e7 is held: epochs never go back");
    }
}
