//! How points are received.

use std::net::SocketAddr;

use clap::Args;
use shardset_gateway::receive::ReceiveSettings;
use shardset_process::Tasks;
use shardset_tls::Metrics as TlsMetrics;

use super::tls::ReceiveTlsArgs;
use super::value::size;

/// How points are received.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReceiveArgs {
    /// Where OTLP/gRPC is received.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4317")]
    pub(crate) otlp_grpc: SocketAddr,

    /// Where OTLP/HTTP is received (path /v1/metrics, protobuf or JSON).
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4318")]
    pub(crate) otlp_http: SocketAddr,

    #[command(flatten)]
    pub(crate) limits: RequestLimits,

    #[command(flatten)]
    tls: ReceiveTlsArgs,
}

/// How much is taken at a time.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct RequestLimits {
    /// The largest request taken, before and after decompression.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub(crate) max_request_size: usize,

    /// How many bytes of unanswered requests may be held; above it clients are told to come back.
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = size)]
    pub(crate) max_in_flight: usize,
}

impl ReceiveArgs {
    /// Settings of the receiver, whose certificates `tasks` reads again.
    pub(crate) fn settings(&self, tasks: &Tasks, metrics: TlsMetrics) -> anyhow::Result<ReceiveSettings> {
        Ok(ReceiveSettings {
            grpc: self.otlp_grpc,
            http: self.otlp_http,
            message_bytes_max: self.limits.max_request_size,
            in_flight_bytes_max: self.limits.max_in_flight as u64,
            tls: self.tls.acceptor(tasks, metrics)?,
            ..ReceiveSettings::default()
        })
    }
}
