//! `shardset local`: gateway, workers and the coordinator in one process, talking real gRPC on loopback.
//!
//! The same parts as on a cluster. They start from the end of the street (workers first) and stop from its beginning, so nothing
//! is taken that could not go on.

mod args;
mod banner;
mod cluster;
mod coordinate;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use prometheus_client::registry::Registry;
use shardset_coordinator::{Cluster, Coordinator};
use shardset_gateway::pipeline::{Gateway, Metrics as GatewayMetrics, Setup as GatewaySetup};
use shardset_gateway::receive::ReceiveSettings;
use shardset_handoff::{Wish, members};
use shardset_membership::{Published, Record};
use shardset_model::ShardCount;
use shardset_process::{Admin, Readiness, Tasks, admin, signals};
use shardset_tls::Metrics as TlsMetrics;
use shardset_worker::scrape::{self, Sources};
use shardset_worker::{Metrics as WorkerMetrics, Process};
use tokio::sync::{Mutex, watch};

pub(crate) use args::LocalArgs;
use banner::Banner;
use cluster::LocalCluster;
use coordinate::{Desk, Working, coordinate};

use crate::destinations;
use crate::status::View;

/// How many workers there are where nobody ever said.
const WORKERS: u32 = 3;

/// Runs until a signal or a failure.
pub(crate) async fn run(args: LocalArgs) -> anyhow::Result<()> {
    let stop_asked = signals::stop_asked().context("can not wait for signals")?;
    // Ports and settings first: a mistake in them is said before anything runs.
    let admin_listener = admin::listen(args.admin, "--admin").await?;
    let scrape_listener = admin::listen(args.scrape, "--scrape").await?;
    let mut registry = Registry::default();
    let exports = destinations::build(&args.count.destinations, &mut registry)?;
    let (worker_metrics, gateway_metrics) =
        (WorkerMetrics::register(&mut registry), GatewayMetrics::register(&mut registry));
    let process = Process { tasks: Tasks::default(), readiness: Readiness::default(), metrics: worker_metrics };
    let receive = args.receive.settings(&process.tasks, TlsMetrics::register(&mut registry))?;
    let served = Served { admin: admin_listener.local_addr()?, scrape: scrape_listener.local_addr()? };
    std::fs::create_dir_all(&args.count.data_dir)
        .with_context(|| format!("can not make the data directory {}", args.count.data_dir.display()))?;

    let (records, published) = watch::channel(None);
    let sources = Sources::default();
    let mut cluster = LocalCluster::new(args.clone(), exports, process.clone(), sources.clone(), records);
    let wish = start_workers(&args, &mut cluster).await?;
    let workers = cluster.running();
    let working: Working = Arc::new(Mutex::new(Some(Coordinator::new(cluster, wish.clone()))));
    let desk = start_coordinator(Arc::clone(&working), wish, &process.tasks);
    let gateway = start_gateway(receive, published, &gateway_metrics, &process).await?;
    let side = Tasks::default();
    let admin = Admin::new(registry, process.readiness.clone()).router().merge(desk.router());
    side.spawn("admin", admin::serve(admin, admin_listener, side.stop()));
    side.spawn("scrape", admin::serve(scrape::router(sources), scrape_listener, side.stop()));
    Banner { addresses: gateway.addresses(), served, workers, args: &args }.print();

    tokio::select! {
        signal = stop_asked => tracing::info!(signal, "stopping"),
        () = process.tasks.stop().cancelled_owned() => {}
        () = side.stop().cancelled_owned() => {}
    }
    gateway.stop().await;
    stop(working, &process.tasks, &side).await
}

/// Where the side entrances are.
#[derive(Clone, Copy, Debug)]
struct Served {
    admin: SocketAddr,
    scrape: SocketAddr,
}

/// Starts the workers that are members, or as many as are wished where there is no membership yet. Tells what is wished.
async fn start_workers(args: &LocalArgs, cluster: &mut LocalCluster) -> anyhow::Result<Wish> {
    let published = cluster.read()?.map(|record: Record| record.membership().clone());
    let before = published.as_ref().map(|membership| membership.shards().get());
    let shards = ShardCount::new(args.workers.or(before).unwrap_or(WORKERS)).context("--workers is out of range")?;
    let routing = args.routing_key.clone().or_else(|| published.as_ref().map(|published| published.routing().clone()));
    let members =
        published.as_ref().and_then(|membership| ShardCount::new(u32::try_from(members(membership).len()).ok()?));
    cluster.run(members.unwrap_or(shards)).await?;
    if let Some(membership) = published {
        cluster.publish_addresses(membership)?;
    }
    Ok(Wish { shards, routing: routing.unwrap_or_default() })
}

fn start_coordinator(working: Working, wish: Wish, tasks: &Tasks) -> Desk {
    let (wish, wishes) = watch::channel(wish);
    let (view, seen) = watch::channel(View::default());
    tasks.spawn("coordinator", coordinate(working, wishes, view, tasks.stop()));
    Desk::new(wish, seen)
}

async fn start_gateway(
    receive: ReceiveSettings,
    records: watch::Receiver<Option<Arc<Record>>>,
    metrics: &GatewayMetrics,
    process: &Process,
) -> anyhow::Result<Gateway> {
    let setup = GatewaySetup {
        receive,
        deliver: Default::default(),
        membership: Published::new("the workers of this process", records),
    };
    Ok(Gateway::start(setup, metrics, &process.tasks, &process.readiness).await?)
}

/// No more changes, then the workers keep their state, then everything else ends.
async fn stop(working: Working, street: &Tasks, side: &Tasks) -> anyhow::Result<()> {
    let coordinator = working.lock().await.take();
    let outcome = match coordinator {
        Some(coordinator) => coordinator.into_cluster().stop_all().await,
        None => Ok(()),
    };
    street.stop().cancel();
    let failed = street.finished().await;
    side.stop().cancel();
    side.finished().await?;
    failed?;
    outcome
}
