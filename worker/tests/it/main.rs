//! A worker from socket to sample: a real gRPC client on one side, a scripted backend on the other.
//!
//! Ticks are tens of milliseconds apart and every wait is for a condition, so nothing depends on how fast the machine is.
#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod adoption;
mod backend;
mod checkpoints;
mod cluster;
mod crash;
mod export;
mod failure;
mod fencing;
mod handoff;
mod handoff_faults;
mod harness;
mod otlp;
mod parking;
mod requests;
mod scrape;
mod sender;
mod stop;
