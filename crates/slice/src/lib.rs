//! The published membership on Kubernetes: one EndpointSlice, which the operator writes and gateways watch.
//!
//! One object, so one write publishes one whole membership ([`mod@format`]). Beside it gateways look at the slices that Kubernetes
//! keeps for the workers' headless Service: while the operator is down, those know where a worker that restarted is
//! (`places`). A gateway that starts while the API server is away asks the workers ([`seed`]). What comes out is a record like any
//! other; whoever routes by it does not know where it is from ([`watch()`]).
//!
//! Boundary: decides nothing about a membership, and writes nothing to a cluster.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod client;
pub mod format;
pub mod names;
mod places;
pub mod seed;
mod snapshot;
mod watch;

pub use client::{ClientError, client, watch_seconds};
pub use places::with_newer_places;
pub use seed::{Seed, WorkerNames};
pub use watch::{Source, watch};
