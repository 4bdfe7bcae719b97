//! What receiving counts.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::intake::Protocol;
use shardset_process::budget::BytesGauge;

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// Success for every point.
    Accepted,
    /// Success, with points refused for good or a warning.
    Partial,
    /// Not what it should be.
    Malformed,
    /// Above the limit, before or after decompression.
    TooLarge,
    /// Another signal, path, method, content type or encoding than what is served.
    NotServed,
    /// Asked to come back.
    Unavailable,
    /// The client went away before the answer.
    Gone,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Requests {
    protocol: ProtocolLabel,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Port {
    protocol: ProtocolLabel,
}

/// The protocol as far as it is known: a request to a wrong path may be of none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum ProtocolLabel {
    Grpc,
    HttpProtobuf,
    HttpJson,
    Http,
}

impl From<Protocol> for ProtocolLabel {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Grpc => Self::Grpc,
            Protocol::HttpProtobuf => Self::HttpProtobuf,
            Protocol::HttpJson => Self::HttpJson,
        }
    }
}

impl EncodeLabelValue for ProtocolLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let name = match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http_protobuf",
            Self::HttpJson => "http_json",
            Self::Http => "http",
        };
        name.encode(encoder)
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let name = match self {
            Self::Accepted => "accepted",
            Self::Partial => "partial",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::NotServed => "not_served",
            Self::Unavailable => "unavailable",
            Self::Gone => "gone",
        };
        name.encode(encoder)
    }
}

/// Counters of the stage. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct ReceiveMetrics {
    requests: Family<Requests, Counter>,
    received: Family<Port, Counter>,
    taken: Family<Port, Counter>,
    connections: Family<Port, Gauge>,
    connections_refused: Family<Port, Counter>,
    handshakes_failed: Family<Port, Counter>,
    in_flight: BytesGauge,
}

impl ReceiveMetrics {
    /// Registers the counters.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Requests, by protocol and how they ended";
        registry.register("shardset_gateway_requests", help, metrics.requests.clone());
        let mut add =
            |name: &str, help: &str, metric: &Family<Port, Counter>| registry.register(name, help, metric.clone());
        add("shardset_gateway_received_bytes", "Bytes of request bodies as they came in", &metrics.received);
        add("shardset_gateway_taken_bytes", "Bytes of complete requests as plain protobuf", &metrics.taken);
        let help = "Connections closed at once because there were too many";
        add("shardset_gateway_connections_refused", help, &metrics.connections_refused);
        let help = "Connections let go because their TLS handshake failed";
        add("shardset_gateway_handshakes_failed", help, &metrics.handshakes_failed);
        registry.register("shardset_gateway_connections", "Open connections", metrics.connections.clone());
        let help = "Bytes that requests in flight take of the budget";
        registry.register("shardset_gateway_in_flight_bytes", help, metrics.in_flight.clone());
        metrics
    }

    pub(super) fn in_flight(&self) -> BytesGauge {
        self.in_flight.clone()
    }

    /// A request begins. It counts as [`Outcome::Gone`] unless it is said to have ended otherwise.
    pub(super) fn begin(&self, protocol: impl Into<ProtocolLabel>) -> Attended {
        Attended { metrics: self.clone(), protocol: protocol.into(), outcome: Outcome::Gone }
    }

    /// Where bytes are counted as they come in.
    pub(super) fn received(&self, protocol: Protocol) -> Counter {
        self.received.get_or_create_owned(&Port { protocol: protocol.into() })
    }

    /// A complete request of this many bytes goes on.
    pub(super) fn taken(&self, protocol: Protocol, bytes: usize) {
        self.taken.get_or_create(&Port { protocol: protocol.into() }).inc_by(bytes as u64);
    }

    pub(super) fn handshake_failed(&self, protocol: ProtocolLabel) {
        self.handshakes_failed.get_or_create(&Port { protocol }).inc();
    }

    pub(super) fn connection_refused(&self, protocol: ProtocolLabel) {
        self.connections_refused.get_or_create(&Port { protocol }).inc();
    }

    /// Open connections of a port, `Http` for all of HTTP.
    pub(super) fn connections(&self, protocol: ProtocolLabel) -> Gauge {
        self.connections.get_or_create_owned(&Port { protocol })
    }

    /// Bytes that requests in flight take of the budget.
    pub fn in_flight_bytes(&self) -> u64 {
        self.in_flight.get()
    }

    /// Requests of this protocol that ended so.
    pub fn requests(&self, protocol: Protocol, outcome: Outcome) -> u64 {
        self.requests.get_or_create(&Requests { protocol: protocol.into(), outcome }).get()
    }
}

/// A request under way. Counts when dropped, since that is the one thing that happens to every request.
#[derive(Debug)]
pub(super) struct Attended {
    metrics: ReceiveMetrics,
    protocol: ProtocolLabel,
    outcome: Outcome,
}

impl Attended {
    pub(super) fn is_of(&mut self, protocol: Protocol) {
        self.protocol = protocol.into();
    }

    pub(super) fn ended(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        let labels = Requests { protocol: self.protocol, outcome: self.outcome };
        self.metrics.requests.get_or_create(&labels).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, ReceiveMetrics};
    use crate::receive::Protocol;

    #[test]
    fn a_request_that_nobody_ended_has_gone() {
        let metrics = ReceiveMetrics::default();
        drop(metrics.begin(Protocol::Grpc));
        metrics.begin(Protocol::Grpc).ended(Outcome::Accepted);
        assert_eq!(metrics.requests(Protocol::Grpc, Outcome::Gone), 1);
        assert_eq!(metrics.requests(Protocol::Grpc, Outcome::Accepted), 1);
    }
}
