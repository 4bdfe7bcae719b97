//! A cluster of the real parts in one thread, under a seed: the protocol (`shardset-handoff`), the streams
//! (`shardset-accumulate`) and the log on disk (`shardset-journal`, over a disk that fails), with everything that can go
//! wrong between them, and checkers that ask after every step whether the invariants of the protocol hold.
//!
//! ```text
//! clients ──▶ gateways ──▶ workers ──▶ backend        one queue by time, one source of chance,
//!                 ▲           ▲│▲                      so a seed is a run, byte for byte
//!              API server ◀─ coordinators
//! ```
//!
//! A seed that fails is a test: it is kept in `seeds.txt`. That the checkers would notice is tested as well, by taking one
//! rule after another out of the protocol ([`Mutation`]).
//!
//! The shells are small stand-ins: gateways, workers and coordinators of the product have sockets, tasks and caches that are
//! not here, and are tested where they are. What is here is the order of events, which those tests can not vary.
//!
//! For development only; nothing of the product depends on it.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
mod backend;
mod catalog;
mod check;
mod client;
mod coordinator;
pub mod explore;
mod gateway;
mod ledger;
mod log;
mod loss;
mod message;
mod mutation;
mod network;
mod node;
mod queue;
mod random;
mod scene;
mod violation;
mod weather;
mod worker;
mod world;

pub use ledger::Counts;
pub use mutation::Mutation;
pub use violation::{Invariant, Violation};
pub use world::Outcome;

/// Runs a seed.
pub fn run(seed: u64) -> Outcome {
    run_with(seed, None, false)
}

/// Runs a seed and keeps its event log.
pub fn run_logged(seed: u64) -> Outcome {
    run_with(seed, None, true)
}

/// Runs a seed with a fault in the code.
pub fn run_mutated(seed: u64, mutation: Mutation, log: bool) -> Outcome {
    match mutation {
        Mutation::Without(rule) => shardset_handoff::without(rule, || run_with(seed, Some(mutation), log)),
        Mutation::SendBeforePersist | Mutation::AckWithoutSync => run_with(seed, Some(mutation), log),
    }
}

fn run_with(seed: u64, mutation: Option<Mutation>, log: bool) -> Outcome {
    world::World::new(seed, mutation, log).run()
}
