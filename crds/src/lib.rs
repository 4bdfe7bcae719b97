//! The resource `MetricsShardSet`, group `shardset.dev`, version `v1alpha1`, as Rust types, and the manifest made from them.
//!
//! Everything that a user may write is checked by the API server: limits, enums and defaults stand in the schema, what concerns
//! several fields in CEL rules whose messages say what must hold. So there is no webhook, and what the operator reads is
//! valid. `crds/metricsshardsets.yaml` is [`manifest()`]; a test fails where they differ.
//!
//! Only what the workers and gateways of this version can do has a field. More comes by addition.
//!
//! Boundary: types and their schema, no client. Decides nothing about what is done for a resource.
#![expect(unreachable_pub, reason = "the derive of schemas repeats each type inside of a function")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod export;
mod gateway;
mod manifest;
mod network;
mod pod;
mod resource;
mod schema;
mod status;
mod tls;
mod workers;

pub use export::{
    Backend, BackendTls, BasicAuth, Compression, Export, ExternalLabel, Header, Otlp, OtlpProtocol, Prometheus,
    RemoteWrite, SecretKey, SigV4,
};
pub use gateway::{Gateway, GatewayService, ServiceType};
pub use manifest::manifest;
pub use network::NetworkPolicy;
pub use pod::{Pod, PullPolicy};
pub use resource::{
    MetricsShardSet, MetricsShardSetSpec, OnTimeout, Rebalance, RebalanceMode, Routing, RoutingKeyKind,
};
pub use status::{Condition, GatewayStatus, MetricsShardSetStatus, RebalanceState, RebalanceStatus};
pub use tls::{PeersTls, PeersTlsMode, ReceiveTls, Tls};
pub use workers::{
    Autoscaling, Durability, Ephemeral, IpFamily, Retain, Retention, Storage, Streams, Workers, Writers,
};

/// The resource's group.
pub const GROUP: &str = "shardset.dev";
