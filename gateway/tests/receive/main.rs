//! The receiver over real sockets, with the stages behind it scripted: every protocol, encoding and outcome, and
//! everything that a client can do wrong.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod answers;
mod bodies;
mod connections;
mod http_client;
mod limits;
mod refusals;
mod scripted;
