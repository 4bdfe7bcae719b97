//! `shardset local`: gateway and workers in one process, talking real gRPC on loopback.
//!
//! The same parts as on a cluster, under a fixed membership. They start from the end of the street (workers first) and
//! stop from its beginning, so nothing is taken that could not go on.

mod args;
mod banner;
mod destinations;
mod remote_write;
mod settings;

use std::net::SocketAddr;

use anyhow::Context;
use prometheus_client::registry::Registry;
use shardset_gateway::pipeline::{Gateway, Metrics as GatewayMetrics, Setup as GatewaySetup};
use shardset_membership::{Published, Record, WorkerAt};
use shardset_model::{Epoch, Membership, ShardCount, ShardIndex};
use shardset_process::{Admin, Readiness, Tasks, admin, signals};
use shardset_worker::persist::Volatile;
use shardset_worker::{ExportTo, Metrics as WorkerMetrics, Process, Setup as WorkerSetup, Worker, scrape};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) use args::LocalArgs;
use banner::Banner;
pub(crate) use remote_write::RemoteWriteTable;

/// Runs until a signal or a failure.
pub(crate) async fn run(args: LocalArgs) -> anyhow::Result<()> {
    // Ports and settings first: a mistake in them is said before anything runs.
    let admin_listener = admin::listen(args.admin, "--admin").await?;
    let scrape_listener = admin::listen(args.scrape, "--scrape").await?;
    let mut registry = Registry::default();
    let destinations = destinations::build(&args.destinations, &mut registry)?;
    let (worker_metrics, gateway_metrics) =
        (WorkerMetrics::register(&mut registry), GatewayMetrics::register(&mut registry));
    let process = Process { tasks: Tasks::default(), readiness: Readiness::default(), metrics: worker_metrics };
    let served = Served { admin: admin_listener.local_addr()?, scrape: scrape_listener.local_addr()? };

    let shards = ShardCount::new(args.workers).context("--workers is out of range")?;
    let (key, before) = (args.routing_key.clone(), args.routing_key.clone());
    let membership = Membership::stable(Epoch::FIRST, shards).routed_by(key, before);
    let workers = start_workers(&args, &membership, &destinations, &process).await?;
    let gateway = start_gateway(&args, membership, &workers, &gateway_metrics, &process).await?;
    let side = serve_side(Admin::new(registry, process.readiness.clone()), admin_listener, scrape_listener, &workers);
    Banner { addresses: gateway.addresses(), served, args: &args }.print();

    tokio::select! {
        signal = signals::stop_asked() => tracing::info!(signal = signal.context("can not wait for signals")?, "stopping"),
        () = process.tasks.stop().cancelled_owned() => {}
        () = side.stop().cancelled_owned() => {}
    }
    stop(gateway, workers, &process.tasks, &side).await
}

/// Where the side entrances are.
#[derive(Clone, Copy, Debug)]
struct Served {
    admin: SocketAddr,
    scrape: SocketAddr,
}

async fn start_workers(
    args: &LocalArgs,
    membership: &Membership,
    destinations: &[ExportTo],
    process: &Process,
) -> anyhow::Result<Vec<Worker>> {
    let settings = settings::of_worker(args)?;
    let mut workers = Vec::new();
    for shard in membership.shards().shards() {
        let settings = settings.clone();
        let journal = journal(args, shard)?;
        let setup =
            WorkerSetup { settings, shard, membership: membership.clone(), destinations: destinations.to_vec() };
        workers.push(Worker::start(setup, journal, process).await?);
    }
    Ok(workers)
}

fn journal(args: &LocalArgs, shard: ShardIndex) -> anyhow::Result<Volatile> {
    Ok(Volatile::open(&args.data_dir, shard)?)
}

async fn start_gateway(
    args: &LocalArgs,
    membership: Membership,
    workers: &[Worker],
    metrics: &GatewayMetrics,
    process: &Process,
) -> anyhow::Result<Gateway> {
    let at = |(shard, worker): (u32, &Worker)| WorkerAt { shard, address: worker.address().into(), uid: None };
    let record = Record::new(membership, (0..).zip(workers).map(at).collect())?;
    let setup = GatewaySetup {
        receive: settings::of_receiver(args),
        deliver: Default::default(),
        membership: Published::constant(record),
    };
    Ok(Gateway::start(setup, metrics, &process.tasks, &process.readiness).await?)
}

/// Admin and scrape: they outlive the street, so that a stop can be watched.
fn serve_side(admin: Admin, admin_listener: TcpListener, scrape_listener: TcpListener, workers: &[Worker]) -> Tasks {
    let tasks = Tasks::default();
    tasks.spawn("admin", admin.serve(admin_listener, tasks.stop()));
    let series = scrape::router(workers.iter().map(Worker::scrape_source).collect());
    tasks.spawn("scrape", admin::serve(series, scrape_listener, tasks.stop()));
    tasks
}

async fn stop(gateway: Gateway, workers: Vec<Worker>, street: &Tasks, side: &Tasks) -> anyhow::Result<()> {
    gateway.stop().await;
    let mut stopping: JoinSet<_> = workers.into_iter().map(Worker::stop).collect();
    let mut outcome = Ok(());
    while let Some(stopped) = stopping.join_next().await {
        outcome = outcome.and(stopped?.map_err(anyhow::Error::from));
    }
    let failed = street.finished().await;
    side.stop().cancel();
    side.finished().await?;
    failed?;
    outcome
}
