//! The gateway: receive -> identify, route -> deliver.
//!
//! Stateless. It walks a request's bytes, frames every point again for the shard that owns it, and answers when every owner
//! has made its part durable. It builds no structs of points and keeps nothing behind an acknowledgement.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod deliver;
mod follow;
pub mod membership;
pub mod metrics;
pub mod pipeline;
pub mod receive;
pub mod route;
