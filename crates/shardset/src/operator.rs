//! `shardset operator`: looks after the MetricsShardSets of a cluster.

use std::net::SocketAddr;

use anyhow::Context;
use clap::Args;
use prometheus_client::registry::Registry;
use shardset_operator::{Metrics, Settings};
use shardset_process::{Admin, Readiness, Tasks, admin, signals};
use shardset_tls::Metrics as TlsMetrics;

use crate::args::{Configured, PeerCertificateArgs, ProcessArgs};

/// Look after the MetricsShardSets of a cluster.
///
/// It runs workers and gateways for each of them, publishes their membership and drives every change of it. Several may run; one of
/// them acts. The cluster is the one that it runs in, or that KUBECONFIG names.
#[derive(Clone, Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct OperatorArgs {
    /// The image of workers and gateways whose set names none: the operator's own one, usually.
    #[arg(long, value_name = "IMAGE", env = "SHARDSET_IMAGE")]
    image: String,

    /// The namespace whose sets are looked after; all namespaces where it is not given.
    #[arg(long, value_name = "NAMESPACE")]
    watch_namespace: Option<String>,

    /// The operator's own namespace, where its lease is.
    #[arg(long, value_name = "NAMESPACE", env = "SHARDSET_NAMESPACE")]
    namespace: String,

    /// The name of the lease. Of operators with one lease one acts, so operators of other sets have another one.
    #[arg(long, value_name = "NAME", default_value = "shardset-operator")]
    lease: String,

    /// Who this operator is among others: the name of its pod, usually.
    #[arg(long, value_name = "NAME", env = "SHARDSET_POD")]
    identity: String,

    /// Where /metrics, /healthz and /readyz of this process are served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9465")]
    admin: SocketAddr,

    #[command(flatten)]
    peers: PeerCertificateArgs,

    #[command(flatten)]
    pub(crate) process: ProcessArgs,
}

impl Configured for OperatorArgs {
    fn process(&self) -> &ProcessArgs {
        &self.process
    }
}

/// Runs until a signal or a failure.
pub(crate) async fn run(args: OperatorArgs) -> anyhow::Result<()> {
    let stop_asked = signals::stop_asked().context("can not wait for signals")?;
    let admin_listener = admin::listen(args.admin, "--admin").await?;
    let mut registry = Registry::default();
    let (metrics, tls) = (Metrics::register(&mut registry), TlsMetrics::register(&mut registry));
    let client = shardset_slice::client().await?;
    let (work, side, readiness) = (Tasks::default(), Tasks::default(), Readiness::default());
    let settings = Settings {
        watch: args.watch_namespace,
        namespace: args.namespace,
        lease: args.lease,
        identity: args.identity,
        image: args.image,
        tls: args.peers.identity(&side, tls)?,
    };
    shardset_operator::run(client, settings, metrics, &readiness, &work)?;
    side.spawn("admin", Admin::new(registry, readiness).serve(admin_listener, side.stop()));
    tokio::select! {
        signal = stop_asked => tracing::info!(signal, "stopping"),
        () = work.stop().cancelled_owned() => {}
        () = side.stop().cancelled_owned() => {}
    }
    work.stop().cancel();
    let failed = work.finished().await;
    side.stop().cancel();
    side.finished().await?;
    Ok(failed?)
}
