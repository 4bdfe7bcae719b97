//! A gateway whose membership changes, over real gRPC: with workers that fence as the protocol says, every point arrives
//! exactly once, and at the worker that owns it.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod changes;
mod gateway;
mod points;
mod refusals;
mod workers;
