//! Faults that are planted on purpose: each takes something out that keeps an invariant, and a checker must notice.

use std::fmt;

use shardset_handoff::Rule;

/// What is taken out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mutation {
    /// A rule of the protocol.
    Without(Rule),
    /// A worker answers before it commits.
    SendBeforePersist,
    /// A worker commits without waiting for its disk.
    AckWithoutSync,
}

impl Mutation {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        RULES.into_iter().map(Self::Without).chain([Self::SendBeforePersist, Self::AckWithoutSync])
    }
}

/// All rules of the protocol.
const RULES: [Rule; 13] = [
    Rule::Fence,
    Rule::Park,
    Rule::MemoryMoves,
    Rule::InstallOnce,
    Rule::CompleteIsLast,
    Rule::StableIsLast,
    Rule::AwayIsSilent,
    Rule::FirstEpochIsTold,
    Rule::LateWorkerDrops,
    Rule::CheckpointHoldsParked,
    Rule::NewIncarnationStartsAgain,
    Rule::LostDiskMayHaveTold,
    Rule::ParkedFirst,
];

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Without(rule) => f.pad(&format!("without {rule:?}")),
            Self::SendBeforePersist => f.pad("send before persist"),
            Self::AckWithoutSync => f.pad("ack without sync"),
        }
    }
}
