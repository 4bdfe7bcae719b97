//! What goes over the network.

use std::fmt;

use shardset_handoff::{Adopt, Fenced, Message, Progress, Reply, Report};
use shardset_model::{Incarnation, Membership, Refusal, ShardIndex, UnixMillis, UnixNanos};

use crate::catalog::{Delta, Points};

/// One message.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// Client to gateway: count these.
    Batch { batch: u64, points: Vec<Delta> },
    /// Gateway to client: all of them are counted, but for those that are refused for good; or try again.
    Answered { batch: u64, accepted: Option<Vec<Delta>> },
    /// Gateway to worker: count these, which were routed by this membership.
    Export { request: u64, membership: Membership, points: Vec<Delta> },
    /// Worker to gateway.
    Exported { request: u64, answer: Answer },
    /// Worker to worker.
    Handoff(Box<Message>),
    /// Worker to worker, back.
    Arrived(Box<Reply>),
    /// Coordinator to worker.
    Adopt(Box<Adopt>),
    /// Coordinator, or a gateway without a membership, to worker: how do things stand?
    Ask { round: u64 },
    /// Worker, back.
    Report { round: u64, report: Box<Report> },
    /// To gateways: this is published.
    Watch(Membership),
    /// Worker to backend.
    Samples { pass: u64, samples: Vec<Sample> },
    /// Backend to worker: they are stored, or never will be.
    Stored { pass: u64 },
}

/// A worker's answer to a gateway.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Durable, but for these.
    Done { refused: Vec<(Delta, Refusal)> },
    /// Not for this worker as it is.
    Fenced(Fenced),
    /// No room, or no disk, for now.
    Busy,
}

/// One sample of one series, with what only the simulation knows of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) stream: usize,
    pub(crate) time: UnixMillis,
    pub(crate) total: Points,
    pub(crate) start: UnixNanos,
    /// Which life of the series: it begins again with the loss of a disk.
    pub(crate) life: u32,
    /// Whether it was told by a worker that was given up and does not know it.
    pub(crate) given_up: bool,
    /// The worker that told it, and which of its disks it had then.
    pub(crate) teller: (ShardIndex, Incarnation),
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch { batch, points } => write!(f, "batch {batch}: {}", listed(points)),
            Self::Answered { batch, accepted: Some(points) } => write!(f, "batch {batch} accepted: {}", listed(points)),
            Self::Answered { batch, accepted: None } => write!(f, "batch {batch}: try again"),
            Self::Export { request, membership, points } => {
                write!(f, "export {request} at {}: {}", membership.epoch(), listed(points))
            }
            Self::Exported { request, answer: Answer::Done { refused } } => {
                write!(f, "export {request} done")?;
                refused.iter().try_for_each(|(point, why)| write!(f, ", but {}: {why}", listed(&[*point])))
            }
            Self::Exported { request, answer: Answer::Fenced(fenced) } => {
                write!(f, "export {request} refused: {fenced}")
            }
            Self::Exported { request, answer: Answer::Busy } => write!(f, "export {request}: busy"),
            Self::Handoff(message) => write!(f, "{} {}", message.membership.epoch(), progress(&message.progress)),
            Self::Arrived(reply) => {
                let epoch = reply.membership.as_ref().map_or("no epoch".to_owned(), |m| m.epoch().to_string());
                write!(f, "{epoch} has {} completed {}", reply.through, reply.completed)
            }
            Self::Adopt(adopt) => write!(f, "adopt {}", told(&adopt.membership)),
            Self::Ask { round } => write!(f, "ask {round}"),
            Self::Report { round, report } => {
                let membership = report.membership.as_ref().map_or("no epoch".to_owned(), told);
                write!(f, "report {round}: {membership}, {} streams, parked {}", report.streams, report.parked_points)
            }
            Self::Watch(membership) => write!(f, "published {}", told(membership)),
            Self::Samples { pass, samples } => write!(f, "pass {pass}: {} samples", samples.len()),
            Self::Stored { pass } => write!(f, "pass {pass} stored"),
        }
    }
}

fn progress(progress: &Progress) -> String {
    match progress {
        Progress::Ask => "how far?".to_owned(),
        Progress::Chunk { position, next, items } => format!("chunk {position}..{next}, {} bytes", items.len()),
        Progress::Complete { position } => format!("complete at {position}"),
    }
}

/// Points as they are shown: stream and ordinal.
pub(crate) fn listed(points: &[Delta]) -> String {
    points.iter().map(|point| format!("s{}.{}", point.stream, point.ordinal)).collect::<Vec<_>>().join(" ")
}

/// A membership as it is shown.
pub(crate) fn told(m: &Membership) -> String {
    let key = if m.routing() == m.previous_routing() { String::new() } else { format!(" by {}", m.routing()) };
    format!("{} {}<-{} {:?}{key}", m.epoch(), m.shards(), m.previous(), m.phase())
}
