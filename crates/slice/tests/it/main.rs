//! The watch of a membership against a scripted API server, and workers that are asked over real gRPC.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod api;
mod cold_start;
mod workers;
