//! `shardset scale`: another number of shards, or another routing key.
//!
//! Against `shardset local` the process that has the workers coordinates, and is watched here. For a membership in a file the
//! coordinator runs here: whoever is interrupted can be run again and goes on, since everything it needs is published or
//! known to the workers.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use shardset_coordinator::{Coordinator, FileCluster, Round};
use shardset_handoff::Wish;
use shardset_membership::Address;
use shardset_model::{RoutingKey, ShardCount, ShardIndex};
use shardset_process::Tasks;
use shardset_tls::Metrics as TlsMetrics;
use tokio::time::{Instant, sleep};

use crate::admin_client;
use crate::args::PeerTlsArgs;
use crate::cli::LogArgs;
use crate::status::{ADMIN, Target, View};

/// How often things are looked at while something is under way.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often, with `--stay`, while nothing is.
const LOOK_EVERY_IDLE: Duration = Duration::from_secs(1);

/// Change the number of shards while points come in.
#[derive(Clone, Debug, Args)]
pub(crate) struct ScaleArgs {
    /// How many shards there shall be.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    shards: u32,

    #[command(flatten)]
    of: Target,

    #[command(flatten)]
    peers: PeerTlsArgs,

    /// What decides the worker of a point from now on; as before where it is not given.
    #[arg(long, value_name = "KEY")]
    routing_key: Option<RoutingKey>,

    /// Where a worker is, with --membership: the first is worker 0, and so on. In addition to those that the file lists.
    #[arg(long, value_name = "HOST:PORT", requires = "membership")]
    worker: Vec<Address>,

    /// End the move without this worker, with --membership: streams that it has not sent are lost, and start anew elsewhere.
    /// May be given several times.
    #[arg(long, value_name = "SHARD", requires = "membership")]
    proceed_without: Vec<u32>,

    /// Go on coordinating when everything is as asked for, with --membership: a worker that comes back with an empty disk is
    /// then told the membership.
    #[arg(long, requires = "membership")]
    stay: bool,

    /// How long to wait for the end.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    timeout: Duration,

    #[command(flatten)]
    pub(crate) logs: LogArgs,
}

/// What is asked of the admin server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScaleRequest {
    /// How many shards.
    pub(crate) shards: u32,
    /// What decides a stream's shard; as before where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) routing: Option<String>,
}

/// Scales and waits for the end.
pub(crate) async fn run(args: ScaleArgs) -> anyhow::Result<()> {
    match args.of.membership.clone() {
        Some(path) => {
            let tasks = Tasks::default();
            let tls = args.peers.peers(&tasks, TlsMetrics::default())?;
            coordinate(&args, FileCluster::new(path, args.worker.clone(), tls)).await
        }
        None => ask(&args).await,
    }
}

async fn ask(args: &ScaleArgs) -> anyhow::Result<()> {
    let admin = args.of.admin.as_deref().unwrap_or(ADMIN);
    let routing = args.routing_key.as_ref().map(RoutingKey::to_string);
    let request = ScaleRequest { shards: args.shards, routing: routing.clone() };
    let mut progress = Progress::new(args.timeout);
    let mut text = admin_client::post(admin, "/scale", serde_json::to_string(&request)?).await?;
    loop {
        let view: View = serde_json::from_str(&text).context("the answer is no status")?;
        let is_wished = view.membership.as_ref().is_some_and(|m| {
            m.shards == args.shards
                && m.phase == "Stable"
                && routing.as_ref().is_none_or(|routing| m.routing == *routing)
        });
        progress.tell(&view)?;
        if is_wished && view.waiting.is_empty() {
            return progress.end(&view);
        }
        sleep(LOOK_EVERY).await;
        text = admin_client::get(admin, "/status").await?;
    }
}

async fn coordinate(args: &ScaleArgs, cluster: FileCluster) -> anyhow::Result<()> {
    let shards = ShardCount::new(args.shards).context("the number of shards is out of range")?;
    let mut coordinator = Coordinator::new(cluster, Wish { shards, routing: RoutingKey::default() });
    let routing = match &args.routing_key {
        Some(routing) => routing.clone(),
        None => published_routing(&mut coordinator).await?,
    };
    coordinator.wish(Wish { shards, routing });
    coordinator.give_up(args.proceed_without.iter().filter_map(|shard| index(*shard)));
    let mut progress = Progress::new(args.timeout);
    loop {
        match coordinator.round().await {
            Ok(round) if round.is_done() && !args.stay => return progress.end(&View::of(&round)),
            Ok(round) => {
                progress.tell(&View::of(&round))?;
                pause(args.stay, &round, &mut progress).await;
            }
            Err(error) if !args.stay => return Err(error.into()),
            Err(error) => {
                tracing::error!(error = shardset_process::logging::chain(&error), "can not coordinate now");
                sleep(LOOK_EVERY_IDLE).await;
            }
        }
    }
}

async fn pause(stay: bool, round: &Round, progress: &mut Progress) {
    if stay && round.is_done() {
        progress.again();
        sleep(LOOK_EVERY_IDLE).await;
    } else {
        sleep(LOOK_EVERY).await;
    }
}

async fn published_routing(coordinator: &mut Coordinator<FileCluster>) -> anyhow::Result<RoutingKey> {
    use shardset_coordinator::Cluster;
    let published = coordinator.cluster().published().await?;
    Ok(published.map_or(RoutingKey::default(), |record| record.membership().routing().clone()))
}

fn index(shard: u32) -> Option<ShardIndex> {
    ShardCount::new(ShardCount::MAX).and_then(|all| all.shard(shard))
}

/// Tells people what changes, and gives up after a while.
struct Progress {
    timeout: Duration,
    begun: Instant,
    said: String,
}

impl Progress {
    fn new(timeout: Duration) -> Self {
        Self { timeout, begun: Instant::now(), said: String::new() }
    }

    fn again(&mut self) {
        self.begun = Instant::now();
    }

    #[expect(clippy::print_stdout, reason = "it is for the person who scales")]
    fn tell(&mut self, view: &View) -> anyhow::Result<()> {
        let line = summary(view);
        if line != self.said {
            println!("{:>8.3}s  {line}", self.begun.elapsed().as_secs_f64());
            self.said = line;
        }
        if self.begun.elapsed() > self.timeout {
            bail!("not done after {}: {}", humantime::format_duration(self.timeout), view.waiting.join("; "));
        }
        Ok(())
    }

    fn end(mut self, view: &View) -> anyhow::Result<()> {
        self.said.clear();
        self.tell(view)
    }
}

fn summary(view: &View) -> String {
    let Some(m) = &view.membership else { return "no membership is published".to_owned() };
    let sent: u64 = view.workers.iter().map(|worker| worker.sent).sum();
    let to_send: u64 = view.workers.iter().map(|worker| worker.to_send).sum();
    let mut line = format!("epoch {} {}: {} shards", m.epoch, m.phase, m.shards);
    if m.phase == "Moving" {
        line.push_str(&format!(", from {}; {sent} of {to_send} streams sent", m.previous_shards));
    }
    if let Some(waiting) = view.waiting.first() {
        line.push_str(&format!("; {waiting}"));
    }
    line
}
