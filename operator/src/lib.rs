//! The operator: turns a `MetricsShardSet` into running tiers and a published membership, and drives every change of its shards.
//!
//! Observe, plan, act, for each set by a task of its own. What is seen comes from watches and from the workers (`observe`); what
//! to do is a function of it ([`plan()`]); what is done is done by name and version, so that it may be done twice (`act`). The
//! change of a membership itself is the coordinator's, the same that runs on one machine.
//!
//! One of several operators acts, by a lease ([`lease`]); that two might, for a moment, is harmless: a membership is written over
//! the version that was seen, and everything else is the same whoever writes it.
//!
//! Boundary: sends no points. Workers know nothing of Kubernetes.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod act;
mod cluster;
mod gateways;
mod keep;
pub mod lease;
mod metrics;
mod objects;
mod observe;
mod operator;
mod plan;
mod wish;

pub use metrics::Metrics;
pub use objects::{Blueprint, Kind, Object, Tier, objects, selector_text};
pub use operator::{Settings, run};
pub use plan::{Enlarge, Notice, Observed, Plan, Remove, Replace, notices, plan};
pub use wish::{APPROVE, GIVE_UP, Held, Wanted, wanted};

/// Who the operator is to the API server, where it applies.
pub const FIELD_MANAGER: &str = "shardset-operator";
