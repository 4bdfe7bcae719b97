//! `shardset gateway`: a gateway in a process of its own, which follows a membership file.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use prometheus_client::registry::Registry;
use shardset_gateway::pipeline::{Gateway, Metrics, Setup};
use shardset_membership::watch;
use shardset_process::{Admin, Readiness, Tasks, admin, signals};

use crate::args::{Configured, ProcessArgs, ReceiveArgs};

/// Run one gateway.
///
/// It takes OTLP metrics and brings every point to the worker that owns its stream. It is ready when a membership is published.
#[derive(Clone, Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct GatewayArgs {
    #[command(flatten)]
    receive: ReceiveArgs,

    /// The membership file; see `shardset scale`. It is watched.
    #[arg(long, value_name = "FILE")]
    membership: PathBuf,

    /// Where /metrics, /healthz and /readyz of this process are served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9465")]
    admin: SocketAddr,

    #[command(flatten)]
    pub(crate) process: ProcessArgs,
}

impl Configured for GatewayArgs {
    fn process(&self) -> &ProcessArgs {
        &self.process
    }
}

/// Runs until a signal or a failure.
pub(crate) async fn run(args: GatewayArgs) -> anyhow::Result<()> {
    let stop_asked = signals::stop_asked().context("can not wait for signals")?;
    let admin_listener = admin::listen(args.admin, "--admin").await?;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let (street, side, readiness) = (Tasks::default(), Tasks::default(), Readiness::default());
    let membership = watch(&args.membership, metrics.membership_refusals(), &street);
    let setup = Setup { receive: args.receive.settings(), deliver: Default::default(), membership };
    let gateway = Gateway::start(setup, &metrics, &street, &readiness).await?;
    side.spawn("admin", Admin::new(registry, readiness).serve(admin_listener, side.stop()));
    let addresses = gateway.addresses();
    tracing::info!(grpc = %addresses.grpc, http = %addresses.http, "gateway takes requests");

    tokio::select! {
        signal = stop_asked => tracing::info!(signal, "stopping"),
        () = street.stop().cancelled_owned() => {}
        () = side.stop().cancelled_owned() => {}
    }
    gateway.stop().await;
    street.stop().cancel();
    let failed = street.finished().await;
    side.stop().cancel();
    side.finished().await?;
    Ok(failed?)
}
