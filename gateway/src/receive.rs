//! Receives OTLP metrics: over gRPC and over HTTP, as protobuf and as JSON, plain and compressed.
//!
//! Decision: one loop accepts connections for both ports and keeps them by one set of rules ([`ConnectionSettings`]); the two
//! protocols differ only in how a request is read and how an answer is written. Whatever comes in leaves as plain
//! protobuf bytes together with the memory it takes ([`Request`]), bounded from the first byte that is read ([`Budget`]).
//!
//! What is temporary is answered so that OTLP clients come back (`UNAVAILABLE` with `RetryInfo`, 503 with `Retry-After`),
//! everything else so that they do not. Nothing is queued, and nothing outlives the client that sent it.
//!
//! Boundary: the bytes are not looked into; whether they are metrics is the next stage's affair ([`Intake`]).

mod buffer;
mod decompress;
mod grpc;
mod http;
mod intake;
mod listen;
mod meter;
mod metrics;
mod settings;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use shardset_process::admin;
use shardset_wire::MetricsServer;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

pub use buffer::{Buffer, Full};
pub use decompress::{DecompressError, Encoding, decompress};
pub use intake::{Answer, Intake, Protocol, Request};
pub use metrics::{Outcome, ReceiveMetrics};
pub use settings::{BUDGET_PER_MESSAGE, BudgetTooSmall, ConnectionSettings, ReceiveSettings};
pub use shardset_process::budget::{Budget, OverBudget, Reservation};

use self::grpc::Grpc;
use self::http::Http;
use self::listen::{Port, Versions};
use self::meter::Metered;

/// Both ports, bound and not serving yet.
pub struct Receiver<I> {
    grpc: Port<Grpc<I>>,
    http: Port<Http<I>>,
    health: HealthReporter,
    addresses: Addresses,
}

/// Where the receiver listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Addresses {
    /// OTLP/gRPC.
    pub grpc: SocketAddr,
    /// OTLP/HTTP.
    pub http: SocketAddr,
}

/// Why the receiver can not start.
#[derive(Debug, Error)]
pub enum BindError {
    /// The settings contradict each other.
    #[error(transparent)]
    Settings(#[from] BudgetTooSmall),
    /// A port can not be had.
    #[error(transparent)]
    Listen(#[from] io::Error),
}

impl<I: Intake> Receiver<I> {
    /// Takes both ports. Connections wait in the system's queue until [`Self::serve`].
    ///
    /// # Errors
    ///
    /// Where the settings contradict each other or a port can not be had.
    pub async fn bind(settings: ReceiveSettings, intake: I, metrics: ReceiveMetrics) -> Result<Self, BindError> {
        settings.check()?;
        let grpc = admin::listen(settings.grpc, "--otlp-grpc").await?;
        let http = admin::listen(settings.http, "--otlp-http").await?;
        let addresses = Addresses { grpc: grpc.local_addr()?, http: http.local_addr()? };
        let health = HealthReporter::new();
        let health_service = HealthServer::new(HealthService::from_health_reporter(health.clone()));
        let shared = Shared::new(settings, intake, metrics);
        Ok(Self {
            grpc: shared.port(grpc, Versions::Http2Only, Grpc::new(shared.clone(), health_service)),
            http: shared.port(http, Versions::Both, Http::new(shared.clone())),
            health,
            addresses,
        })
    }

    /// Where it listens: the settings' addresses, with the ports that were taken where they said 0.
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `stop`, then lets requests under way end for as long as the settings' grace.
    pub async fn serve(self, stop: CancellationToken) {
        say(&self.health, ServingStatus::Serving).await;
        let stopping = async {
            stop.cancelled().await;
            say(&self.health, ServingStatus::NotServing).await;
        };
        tokio::join!(self.grpc.serve(stop.clone()), self.http.serve(stop.clone()), stopping);
    }
}

/// To those who ask for the whole server (the empty name) and to those who ask for the one service.
async fn say(health: &HealthReporter, status: ServingStatus) {
    for service in ["", MetricsServer::<()>::NAME] {
        health.set_service_status(service, status).await;
    }
}

/// What every request needs, on both ports.
#[derive(Clone)]
struct Shared<I> {
    intake: I,
    settings: Arc<ReceiveSettings>,
    budget: Budget,
    metrics: ReceiveMetrics,
}

impl<I> Shared<I> {
    fn new(settings: ReceiveSettings, intake: I, metrics: ReceiveMetrics) -> Self {
        let budget = Budget::shown_by(metrics.in_flight(), settings.in_flight_bytes_max);
        Self { intake, settings: Arc::new(settings), budget, metrics }
    }

    fn port<S>(&self, listener: TcpListener, versions: Versions, service: S) -> Port<S> {
        let (settings, tls) = (self.settings.connections.clone(), self.settings.tls.clone());
        Port { listener, tls, service, versions, settings, metrics: self.metrics.clone() }
    }

    /// `body`, to be read under the settings' rules and at the expense of `reservation`.
    fn metered(&self, body: Incoming, reservation: Reservation, limit: usize, of: Protocol) -> Metered<Incoming> {
        Metered::new(body, reservation, limit, self.settings.body_timeout, self.metrics.received(of))
    }
}
