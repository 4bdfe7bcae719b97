//! What a run can find: which invariant does not hold, and how that shows.

use std::fmt;

/// An invariant of the protocol, by the name it has there, or of what it stands on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Invariant {
    /// A stream's total is the sum of all deltas that were acknowledged, each counted once.
    Conservation,
    /// Exported values do not fall, and exported start times do not change.
    NoGoingBack,
    /// No two workers hold countable state of one stream.
    OneOwner,
    /// A change moves those streams alone whose owner changes.
    LeastMovement,
    /// Points that wait are decided on before newer ones of their stream.
    Order,
    /// When faults stop, what is wished becomes true, and everything acknowledged is exported.
    Progress,
    /// What waits in a move, and what is sent at a time, has a limit.
    Bounded,
    /// What was acknowledged is on the disk.
    Durable,
    /// A worker that starts again is as it was.
    Replay,
    /// What passes the fence belongs to the shard, and one epoch is one membership.
    Fence,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Conservation => "conservation",
            Self::NoGoingBack => "no going back",
            Self::OneOwner => "one owner",
            Self::LeastMovement => "least movement",
            Self::Order => "order",
            Self::Progress => "progress",
            Self::Bounded => "bounded",
            Self::Durable => "acknowledged is durable",
            Self::Replay => "replay equals live",
            Self::Fence => "fence",
        })
    }
}

/// An invariant that did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// How that showed.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}
