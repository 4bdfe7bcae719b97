//! Whoever owns the membership: asks the workers, plans, acts, and begins again.
//!
//! The plan is [`shardset_handoff::plan`], a pure function. Here is the round around it, the same for one machine
//! (`shardset local`), for a membership in a file (`shardset scale`) and for a cluster: what differs is where the membership is
//! published and how workers come and go ([`Cluster`]).
//!
//! Nothing is remembered between rounds, so a coordinator may die at any point, and another one goes on.
//!
//! Boundary: sends no points and no streams.

mod cluster;
mod file;
mod round;
mod workers;

pub use cluster::{Cluster, ClusterError};
pub use file::FileCluster;
pub use round::{Coordinator, Round};
pub use workers::{Answers, Workers};
