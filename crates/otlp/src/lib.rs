//! OTLP metrics as bytes: check them, walk them, name their streams, split them by shard, read their points.
//!
//! A gateway never builds structs of a request: [`split`] walks its protobuf bytes and frames every point again for the
//! shard that owns it. A worker borrows points from the bytes ([`read`]). Both stand on one walk, so they see a request
//! the same way, and a malformed one is refused with what is wrong and where ([`Malformed`]).
//!
//! Well-formed is what any protobuf decoder takes, with these exceptions, none of which an encoder of OTLP emits: groups
//! and wire types that OTLP does not use, singular messages that stand twice, a metric with two kinds of data, and what is
//! beyond [`MAX_NESTING`], [`MAX_REPEATED`] or [`MAX_REQUEST`]. Strings must be UTF-8. Unknown fields are kept.
//!
//! Pure: no IO, no clock, no randomness.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod attributes;
mod check;
pub mod identity;
pub mod json;
mod malformed;
#[cfg(test)]
mod oracle;
pub mod read;
pub mod route;
mod scan;
mod schema;
pub mod split;
mod walk;
mod wire;

pub use check::{MAX_NESTING, MAX_REPEATED};
pub use malformed::Malformed;
pub use walk::MAX_REQUEST;
pub use wire::Fault;
