//! The nouns of Shardset: streams, shards, epochs, times, metrics and points.
//!
//! Every other crate speaks in these types, so they carry no behaviour beyond the rule each of them keeps, and they
//! depend on nothing. They are not serialisable: the formats on the wire and on disk have twins of their own, so that
//! a rename here can never change a format there.
//!
//! Pure: no IO, no clock, no randomness.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod durable;
mod epoch;
mod identity;
mod incarnation;
mod membership;
mod metric;
mod point;
mod refusal;
mod routing;
mod set_name;
mod shard;
mod stream;
mod time;

pub use durable::{Receipt, Sealed};
pub use epoch::Epoch;
pub use identity::{Context, Identity};
pub use incarnation::Incarnation;
pub use membership::{InvalidMembership, Membership, Phase};
pub use metric::{MetricKind, Temporality};
pub use point::{Buckets, Exemplar, ExponentialPoint, HistogramPoint, Point, Quantile, SummaryPoint, Value};
pub use refusal::{InvalidReason, Refusal};
pub use routing::{InvalidRoutingKey, RoutingAttributes, RoutingKey};
pub use set_name::{InvalidSetName, SetName};
pub use shard::{ShardCount, ShardIndex};
pub use stream::StreamId;
pub use time::{UnixMillis, UnixNanos};
