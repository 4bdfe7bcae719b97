//! `shardset worker`: one worker in a process of its own. It learns the membership from gateways and from whoever coordinates.

use std::net::SocketAddr;

use anyhow::Context;
use clap::Args;
use prometheus_client::registry::Registry;
use shardset_model::{SetName, ShardCount, ShardIndex};
use shardset_process::{Admin, Readiness, Tasks, admin, signals};
use shardset_tls::{Metrics as TlsMetrics, PeerTls};
use shardset_worker::scrape::{self, Sources};
use shardset_worker::{ExportTo, Metrics, Process, Setup, Worker};

use crate::args::{Configured, CountArgs, PeerTlsArgs, ProcessArgs, RequestLimits};
use crate::destinations;
use crate::state;

/// Run one worker.
///
/// It serves one shard, counts what gateways send it and tells the totals. Start gateways with the same membership file, and
/// let `shardset scale N --membership FILE` publish the membership and tell the workers.
#[derive(Clone, Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct WorkerArgs {
    /// Which shard it serves: its ordinal, from 0.
    #[arg(long, value_name = "N", env = "SHARDSET_SHARD", value_parser = clap::value_parser!(u32).range(0..1000))]
    shard: u32,

    /// The MetricsShardSet that it is a worker of, where workers of others can be reached too: what does not name this one is sent back.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    shard_set: Option<SetName>,

    /// Where gateways and other workers reach it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4400")]
    listen: SocketAddr,

    /// Where /metrics, /healthz and /readyz of this process are served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9465")]
    admin: SocketAddr,

    /// Where the cumulative series of this shard are served to a scraping Prometheus (path /metrics).
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9464")]
    scrape: SocketAddr,

    #[command(flatten)]
    limits: RequestLimits,

    #[command(flatten)]
    count: CountArgs,

    #[command(flatten)]
    peers: PeerTlsArgs,

    #[command(flatten)]
    pub(crate) process: ProcessArgs,
}

impl Configured for WorkerArgs {
    fn process(&self) -> &ProcessArgs {
        &self.process
    }

    fn exports(&mut self) -> Option<&mut CountArgs> {
        Some(&mut self.count)
    }
}

/// Runs until a signal or a failure.
pub(crate) async fn run(args: WorkerArgs) -> anyhow::Result<()> {
    let stop_asked = signals::stop_asked().context("can not wait for signals")?;
    let admin_listener = admin::listen(args.admin, "--admin").await?;
    let scrape_listener = admin::listen(args.scrape, "--scrape").await?;
    let mut registry = Registry::default();
    let destinations = destinations::build(&args.count.destinations, &mut registry)?;
    let (metrics, tls) = (Metrics::register(&mut registry), TlsMetrics::register(&mut registry));
    let process = Process { tasks: Tasks::default(), readiness: Readiness::default(), metrics };
    // Before the shard is recovered: that may take seconds, and probes ask meanwhile.
    let (side, sources) = (Tasks::default(), Sources::default());
    side.spawn("admin", Admin::new(registry, process.readiness.clone()).serve(admin_listener, side.stop()));
    side.spawn("scrape", admin::serve(scrape::router(sources.clone()), scrape_listener, side.stop()));

    let worker = start(&args, destinations, args.peers.peers(&side, tls)?, &process).await?;
    sources.insert(&worker);
    tokio::select! {
        signal = stop_asked => tracing::info!(signal, "stopping"),
        () = process.tasks.stop().cancelled_owned() => {}
        () = side.stop().cancelled_owned() => {}
    }
    let stopped = worker.stop().await;
    let failed = process.tasks.finished().await;
    side.stop().cancel();
    side.finished().await?;
    failed?;
    Ok(stopped?)
}

async fn start(
    args: &WorkerArgs,
    destinations: Vec<ExportTo>,
    tls: PeerTls,
    process: &Process,
) -> anyhow::Result<Worker> {
    let shard: ShardIndex =
        ShardCount::new(ShardCount::MAX).and_then(|all| all.shard(args.shard)).context("--shard is out of range")?;
    let settings = args.count.settings(&args.limits, 1)?;
    let settings = shardset_worker::Settings { listen: args.listen, set: args.shard_set.clone(), tls, ..settings };
    let opening = state::open(&args.count, shard)?;
    Ok(Worker::start(Setup { settings, shard, destinations }, opening, process).await?)
}
