//! `shardset gateway`: a gateway in a process of its own, which follows a membership file, or a set in its cluster.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use axum::routing::get;
use axum::{Json, Router};
use clap::Args;
use prometheus_client::registry::Registry;
use serde::Serialize;
use shardset_gateway::deliver::DeliverSettings;
use shardset_gateway::pipeline::{Gateway, Metrics, Routing, Setup};
use shardset_membership::{Published, Refusals, Trouble, watch};
use shardset_model::SetName;
use shardset_process::{Admin, Readiness, Tasks, admin, signals};
use shardset_slice::{Seed, Source, WorkerNames};
use shardset_tls::{Metrics as TlsMetrics, PeerTls};

use crate::args::{Configured, PeerTlsArgs, ProcessArgs, ReceiveArgs};
use crate::status::MembershipView;

/// Run one gateway.
///
/// It takes OTLP metrics and brings every point to the worker that owns its stream. It is ready when a membership is published.
#[derive(Clone, Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct GatewayArgs {
    #[command(flatten)]
    receive: ReceiveArgs,

    #[command(flatten)]
    membership: MembershipArgs,

    #[command(flatten)]
    peers: PeerTlsArgs,

    /// Where /metrics, /healthz and /readyz of this process are served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9465")]
    admin: SocketAddr,

    #[command(flatten)]
    pub(crate) process: ProcessArgs,
}

/// Where the membership is published.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
struct MembershipArgs {
    /// The membership file; see `shardset scale`. It is watched.
    #[arg(long, value_name = "FILE", conflicts_with = "shard_set")]
    membership: Option<PathBuf>,

    /// The MetricsShardSet whose membership is followed, in the cluster that this gateway runs in or that KUBECONFIG names.
    #[arg(long, value_name = "NAME", requires = "namespace")]
    shard_set: Option<String>,

    /// The namespace of the MetricsShardSet.
    #[arg(long, value_name = "NAMESPACE", env = "SHARDSET_NAMESPACE")]
    namespace: Option<String>,

    /// Where the last membership is kept, with --shard-set, for a restart while the API server is away.
    #[arg(long, value_name = "FILE", requires = "shard_set")]
    membership_snapshot: Option<PathBuf>,

    /// By which names workers are asked for the membership, with --shard-set, where the API server is away at the start and there
    /// is none from before: a host and a port, in which {} stands for the worker's number.
    #[arg(long, value_name = "HOST:PORT", requires = "shard_set")]
    worker_names: Option<WorkerNames>,
}

impl MembershipArgs {
    /// Whose workers parts are for, where a cluster has more sets than one.
    fn set(&self) -> anyhow::Result<Option<SetName>> {
        let named = self.shard_set.as_ref().zip(self.namespace.as_ref());
        let parsed = named.map(|(set, namespace)| format!("{namespace}/{set}").parse()).transpose();
        parsed.context("--namespace and --shard-set")
    }

    async fn follow(self, tls: PeerTls, refusals: &Refusals, tasks: &Tasks) -> anyhow::Result<Published> {
        match (self.membership, self.shard_set, self.namespace) {
            (Some(path), ..) => Ok(watch(&path, refusals, tasks)),
            (None, Some(set), Some(namespace)) => {
                let name: SetName = format!("{namespace}/{set}").parse()?;
                let workers = self.worker_names.map(|names| Seed { names, set: name, tls });
                let snapshot = self.membership_snapshot;
                let source = Source { namespace, set, snapshot, workers };
                Ok(shardset_slice::watch(shardset_slice::client().await?, source, refusals, tasks))
            }
            _ => anyhow::bail!("give --membership, or --shard-set and --namespace"),
        }
    }
}

impl Configured for GatewayArgs {
    fn process(&self) -> &ProcessArgs {
        &self.process
    }
}

/// What this gateway says of itself.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct GatewayView {
    #[serde(flatten)]
    membership: MembershipView,
    /// How the membership came.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

/// What this gateway routes by: `/status` of the admin server, where the operator looks whether all have taken a membership.
fn status(routing: Routing, trouble: Trouble) -> Router {
    let view = move || {
        let view = match routing.held() {
            Some((membership, origin)) => {
                GatewayView { membership: MembershipView::of(&membership), origin: Some(origin.name()), trouble: None }
            }
            None => GatewayView { trouble: trouble.now(), ..GatewayView::default() },
        };
        std::future::ready(Json(view))
    };
    Router::new().route("/status", get(view))
}

/// Runs until a signal or a failure.
pub(crate) async fn run(args: GatewayArgs) -> anyhow::Result<()> {
    let stop_asked = signals::stop_asked().context("can not wait for signals")?;
    let admin_listener = admin::listen(args.admin, "--admin").await?;
    let mut registry = Registry::default();
    let (metrics, of_tls) = (Metrics::register(&mut registry), TlsMetrics::register(&mut registry));
    let (street, side, readiness) = (Tasks::default(), Tasks::default(), Readiness::default());
    let tls = args.peers.peers(&side, of_tls.clone())?;
    let deliver = DeliverSettings { set: args.membership.set()?, tls: tls.clone(), ..DeliverSettings::default() };
    let membership = args.membership.follow(tls, metrics.membership_refusals(), &street).await?;
    let trouble = membership.trouble.clone();
    let setup = Setup { receive: args.receive.settings(&side, of_tls)?, deliver, membership };
    let gateway = Gateway::start(setup, &metrics, &street, &readiness).await?;
    let router = Admin::new(registry, readiness).router().merge(status(gateway.routing(), trouble));
    side.spawn("admin", admin::serve(router, admin_listener, side.stop()));
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
