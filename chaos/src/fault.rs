//! What can happen to a cluster, and to what of it.

use std::fmt;

/// Workers that there are processes for, members or not.
pub(crate) const WORKERS: u32 = 6;
/// Gateways, behind one address.
pub(crate) const GATEWAYS: u32 = 2;
/// The worker whose disk is small. It is a member at every number of shards.
pub(crate) const SMALL_DISK: u32 = 0;

/// A process that faults befall.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Node {
    /// A worker, by its ordinal.
    Worker(u32),
    /// A gateway.
    Gateway(u32),
    /// Whoever owns the membership.
    Coordinator,
}

/// A way between two parts, which goes through the test.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Way {
    /// From clients to the gateways.
    Front,
    /// From workers to the backend.
    Backend,
    /// From gateways, other workers and whoever coordinates to a worker.
    Worker(u32),
}

/// What a way does with what goes over it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Mode {
    /// Everything arrives.
    Open,
    /// Everything arrives, late.
    Slow,
    /// Requests arrive; no answer does, and then the connection breaks.
    LosesAnswers,
    /// Requests are answered with 503 and go nowhere.
    Refuses,
    /// Nothing arrives and nothing is said.
    Silent,
    /// Connections break at once.
    Down,
}

/// Something that happens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Event {
    /// SIGKILL.
    Kill(Node),
    /// SIGTERM.
    Terminate(Node),
    /// SIGSTOP.
    Pause(Node),
    /// SIGCONT.
    Resume(Node),
    /// A process is started in the place of one that was killed or asked to stop.
    Start(Node),
    /// Another number of shards is wished; with `overlap` the coordinator of the last wish runs on for a while.
    Scale {
        /// How many.
        shards: u32,
        /// Whether two coordinate.
        overlap: bool,
    },
    /// The coordinator of the last wish is killed.
    Retire,
    /// A way becomes so. Connections over it break.
    Turn(Way, Mode),
    /// The small disk is full.
    FillDisk,
    /// It has room again.
    FreeDisk,
    /// A worker that was killed loses its disk.
    LoseDisk(u32),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(number) => write!(f, "worker-{number}"),
            Self::Gateway(number) => write!(f, "gateway-{number}"),
            Self::Coordinator => f.write_str("coordinator"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(node) => write!(f, "kill {node}"),
            Self::Terminate(node) => write!(f, "terminate {node}"),
            Self::Pause(node) => write!(f, "pause {node}"),
            Self::Resume(node) => write!(f, "resume {node}"),
            Self::Start(node) => write!(f, "start {node}"),
            Self::Scale { shards, overlap: false } => write!(f, "scale to {shards}"),
            Self::Scale { shards, overlap: true } => write!(f, "scale to {shards}, two coordinate"),
            Self::Retire => f.write_str("one coordinates"),
            Self::Turn(Way::Front, mode) => write!(f, "way to gateways {mode:?}"),
            Self::Turn(Way::Backend, mode) => write!(f, "way to the backend {mode:?}"),
            Self::Turn(Way::Worker(number), mode) => write!(f, "way to worker-{number} {mode:?}"),
            Self::FillDisk => write!(f, "fill the disk of worker-{SMALL_DISK}"),
            Self::FreeDisk => write!(f, "free the disk of worker-{SMALL_DISK}"),
            Self::LoseDisk(number) => write!(f, "worker-{number} loses its disk"),
        }
    }
}
