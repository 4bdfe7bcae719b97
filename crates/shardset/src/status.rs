//! `shardset status`: shards, streams, epoch, phase and progress, as a table.
//!
//! What is shown is what the workers report, asked here (`--membership`) or by the process that has them (`--admin`); both
//! ways give the same [`View`].

mod table;
mod view;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use shardset_coordinator::{Cluster, FileCluster, Workers};
use shardset_process::Tasks;
use shardset_tls::Metrics as TlsMetrics;

pub(crate) use self::view::{MembershipView, View};
use crate::admin_client;
use crate::args::PeerTlsArgs;

/// Show shards, streams, epoch, phase and progress.
#[derive(Clone, Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) of: Target,

    #[command(flatten)]
    peers: PeerTlsArgs,

    /// Print JSON and not a table.
    #[arg(long)]
    json: bool,
}

/// Which set of workers a verb is about.
#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// The admin address of `shardset local` [default: 127.0.0.1:9465, where no --membership is given].
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "membership")]
    pub(crate) admin: Option<String>,

    /// The membership file that gateways watch.
    #[arg(long, value_name = "FILE")]
    pub(crate) membership: Option<PathBuf>,
}

/// Where `shardset local` is asked by default.
pub(crate) const ADMIN: &str = "127.0.0.1:9465";

/// Asks once and prints.
#[expect(clippy::print_stdout, reason = "it is what was asked for")]
pub(crate) async fn run(args: StatusArgs) -> anyhow::Result<()> {
    let view = match &args.of.membership {
        Some(path) => {
            ask_workers(FileCluster::new(
                path.clone(),
                Vec::new(),
                args.peers.peers(&Tasks::default(), TlsMetrics::default())?,
            ))
            .await?
        }
        None => {
            let admin = args.of.admin.as_deref().unwrap_or(ADMIN);
            serde_json::from_str(&admin_client::get(admin, "/status").await?).context("the answer is no status")?
        }
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&view)?);
    } else {
        print!("{}", table::render(&view));
    }
    Ok(())
}

async fn ask_workers(mut cluster: FileCluster) -> anyhow::Result<View> {
    let Some(record) = cluster.published().await? else { bail!("no membership is published there") };
    let mut workers = Workers::default();
    workers.know(&cluster.workers(), cluster.tls());
    Ok(View::new(Some(record.membership()), &workers.ask().await, &[]))
}
