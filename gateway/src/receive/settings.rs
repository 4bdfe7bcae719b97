//! What may be set about receiving, with the reason for each default.
//!
//! Everything that HTTP/2 leaves to implementations is said here: their own defaults differ by a factor of 80 and change
//! between versions.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use shardset_tls::Acceptor;
use thiserror::Error;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// How requests are received.
#[derive(Clone, Debug)]
pub struct ReceiveSettings {
    /// Where OTLP/gRPC is served. Port 0 takes any free one.
    pub grpc: SocketAddr,
    /// Where OTLP/HTTP is served. Port 0 takes any free one.
    pub http: SocketAddr,
    /// The largest request, in bytes, before and after decompression each. OTLP 1.11 demands a limit and recommends 64 MiB.
    pub message_bytes_max: usize,
    /// The most bytes that all requests together may take, at least [`BUDGET_PER_MESSAGE`] times `message_bytes_max`.
    pub in_flight_bytes_max: u64,
    /// How long a body may take from its first byte to its last. Clients give up after 10 s, relays after 30 s.
    pub body_timeout: Duration,
    /// When a client that finds no room is asked to come back. JS SDKs give up where this exceeds what is left of their 10 s.
    pub retry_after: Duration,
    /// How connections are kept.
    pub connections: ConnectionSettings,
    /// Whether connections have TLS, on both ports.
    pub tls: Acceptor,
}

/// How connections are kept, of each port.
///
/// What a connection holds outside of the byte budget is one read buffer and one frame, so at most
/// `connections_max` x 2 x 64 KiB = 1.25 GiB a port if 10,000 clients leave off in the middle of a frame, and next to
/// nothing when they do not.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// Connections at a time; further ones are closed at once, so that a client behind a balancer finds another gateway.
    pub connections_max: usize,
    /// How long a connection may exist before its first request's headers are in.
    pub first_request_timeout: Duration,
    /// How long an HTTP/1.1 connection may wait for the next request's headers to be in. Above the 60 s between exports,
    /// or every export would open a connection; above the balancer's idle timeout, so that it is never us who close
    /// just when a request is on its way.
    pub idle_timeout: Duration,
    /// The age at which a connection is asked to go, spread by a tenth either way, so that long-lived gRPC connections
    /// find gateways that were added behind a balancer, and do not all do so at once.
    pub age_max: Duration,
    /// How long requests of such a connection, or of a stopping server, may take to end. Above the delivery deadline.
    pub grace: Duration,
    /// HTTP/2 bytes under way per stream. A window caps throughput at window / round trip: 2 MiB at 20 ms is 100 MB/s.
    pub stream_window: u32,
    /// HTTP/2 bytes under way per connection. Eight streams' worth, or one big request would stall its neighbours.
    pub connection_window: u32,
    /// HTTP/2 requests at a time per connection: enough for a relay that bundles many senders, and far from harmful, since
    /// bytes are bounded on their own.
    pub streams_max: u32,
    /// The largest HTTP/2 frame, and HTTP/1.1's read buffer. A request of 380 KB is 6 frames, not 24, and a half-sent
    /// frame, which is outside of the budget, holds no more than this.
    pub frame_bytes: u32,
    /// The largest list of headers. OTLP's are below 1 KiB; bearer tokens and tracing take a few more.
    pub header_bytes: u32,
    /// How often a silent HTTP/2 peer is asked whether it is there: finds those that vanished behind NAT or a balancer.
    pub keepalive_interval: Duration,
    /// How long it may take to say so.
    pub keepalive_timeout: Duration,
}

/// How many times the largest request the budget must hold, or a request could be told to come back for ever: its
/// compressed and its decompressed bytes, and of JSON twice its protobuf while fields are put in order.
pub const BUDGET_PER_MESSAGE: u64 = 4;

/// Settings under which the largest request would never find room.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error(
    "in-flight bytes of {in_flight_bytes_max} are below {BUDGET_PER_MESSAGE} times the largest request of {message_bytes_max}"
)]
pub struct BudgetTooSmall {
    in_flight_bytes_max: u64,
    message_bytes_max: usize,
}

impl ReceiveSettings {
    pub(super) fn check(&self) -> Result<(), BudgetTooSmall> {
        let Self { in_flight_bytes_max, message_bytes_max, .. } = *self;
        let needed = (message_bytes_max as u64).saturating_mul(BUDGET_PER_MESSAGE);
        if in_flight_bytes_max < needed {
            return Err(BudgetTooSmall { in_flight_bytes_max, message_bytes_max });
        }
        Ok(())
    }
}

impl Default for ReceiveSettings {
    fn default() -> Self {
        Self {
            grpc: SocketAddr::from((Ipv4Addr::LOCALHOST, 4317)),
            http: SocketAddr::from((Ipv4Addr::LOCALHOST, 4318)),
            message_bytes_max: 64 * MIB,
            in_flight_bytes_max: 512 * MIB as u64,
            body_timeout: Duration::from_secs(30),
            retry_after: Duration::from_secs(1),
            connections: ConnectionSettings::default(),
            tls: Acceptor::default(),
        }
    }
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            first_request_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            age_max: Duration::from_secs(30 * 60),
            grace: Duration::from_secs(12),
            stream_window: 2 << 20,
            connection_window: 16 << 20,
            streams_max: 256,
            frame_bytes: 64 << 10,
            header_bytes: 32 << 10,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ReceiveSettings;

    #[test]
    fn a_budget_that_the_largest_request_never_fits_is_refused() {
        let settings = ReceiveSettings { in_flight_bytes_max: 255 << 20, ..ReceiveSettings::default() };
        assert!(settings.check().is_err());
        assert_eq!(ReceiveSettings::default().check(), Ok(()));
    }
}
