//! A run from its start to its verdict: cluster, load, faults, calm, comparison.
//!
//! The load begins when the first membership is Stable and ends after the last one is; every stream has thus a past before the
//! faults, and clients that wait are served before their sums are compared.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use shardset_e2e::prometheus::Prometheus;
use shardset_e2e::{ports, wait};
use shardset_load::Outcome;
use shardset_process::{clock, signals};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::arguments::Arguments;
use crate::cluster::{Cluster, data};
use crate::disk::{SmallDisk, room};
use crate::fault::SMALL_DISK;
use crate::faults::Tally;
use crate::fleet::Gap;
use crate::judge::Judgement;
use crate::schedule::{Kinds, Schedule};
use crate::summary::Summary;
use crate::tell::tell;
use crate::unit::Ground;
use crate::{faults, fleet, judge};

/// A cluster of empty workers that start at the same time, on a machine that is busy.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// When no faults are left, the last moves end within this: a few thousand streams each, on a machine that is busy.
const SETTLES_WITHIN: Duration = Duration::from_secs(120);
/// When clients are told to stop, those that wait are served within this.
const LOAD_ENDS_WITHIN: Duration = Duration::from_secs(120);

/// Runs; says how it went.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let stop_asked = signals::stop_asked()?;
    let length = arguments.length();
    let folder = folder(arguments.folder.as_deref())?;
    let disk = small_disk(&arguments, folder.path())?;
    let kinds = Kinds { full_disks: disk.is_some(), lost_disks: arguments.lose_disks };
    let schedule = Schedule::new(arguments.seed, length, kinds);
    tell(format_args!("seed {}, {} events in {} s:\n{schedule}", arguments.seed, schedule.0.len(), length.as_secs()));
    if arguments.schedule {
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = tokio::select! {
        outcome = Box::pin(perform(&arguments, &schedule, folder.path(), disk)) => outcome,
        signal = stop_asked => Err(anyhow::anyhow!("stopped by {signal}")),
    };
    let passed = match outcome {
        Ok(judgement) => {
            tell(format_args!("{judgement}"));
            judgement.passed()
        }
        Err(error) => {
            tell(format_args!("FAILED: {error:#}"));
            false
        }
    };
    if !passed || arguments.keep {
        tell(format_args!("logs and data are in {}; --seed {}", folder.keep().display(), arguments.seed));
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn perform(
    arguments: &Arguments,
    schedule: &Schedule,
    folder: &Path,
    disk: Option<SmallDisk>,
) -> anyhow::Result<Judgement> {
    ports::begin_at(port(arguments.seed));
    let ground = Ground { binary: binary(arguments)?, folder: folder.to_owned() };
    let prometheus = Prometheus::start_under(folder).await?;
    let mut cluster = Cluster::start(&ground, prometheus.address, disk).await?;
    let judgement = Box::pin(judged(arguments, schedule, &mut cluster, &prometheus)).await;
    if !judgement.as_ref().is_ok_and(Judgement::passed) {
        cluster.keep_disk()?;
    }
    judgement
}

async fn judged(
    arguments: &Arguments,
    schedule: &Schedule,
    cluster: &mut Cluster,
    prometheus: &Prometheus,
) -> anyhow::Result<Judgement> {
    wait::until("the first membership is Stable", STARTS_WITHIN, async || {
        cluster.look()?;
        cluster.settled()
    })
    .await?;
    let (outcome, mut summary) = under_load(arguments, schedule, cluster).await?;
    let mut judgement = judge::totals(&outcome, prometheus, arguments.lose_disks).await?;
    judgement.resets(&outcome, prometheus, arguments.lose_disks).await?;
    judgement.remains(cluster, room(arguments.length()))?;
    summary.take(&outcome, cluster);
    judgement.summary = summary;
    Ok(judgement)
}

/// Load, faults, and the calm after them.
async fn under_load(
    arguments: &Arguments,
    schedule: &Schedule,
    cluster: &mut Cluster,
) -> anyhow::Result<(Outcome, Summary)> {
    let (stop, stopped) = oneshot::channel();
    let settings = fleet::settings(cluster.endpoints(), arguments);
    let mut gap = Gap::default();
    let stopped = async { stopped.await.unwrap_or_default() };
    let load = shardset_load::run(&settings, clock::now().millis(), stopped, |progress| gap.see(progress));
    let mut load = Box::pin(load);
    let (tally, settled_in) = tokio::select! {
        survived = Box::pin(survive(schedule, arguments.length(), cluster)) => survived?,
        ended = &mut load => bail!("the load ended on its own: {:?}", ended?.summary),
    };
    ensure!(stop.send(()).is_ok(), "the load ended on its own");
    let outcome = timeout(LOAD_ENDS_WITHIN, &mut load).await.context("clients still wait for answers")??;
    drop(load);
    Ok((outcome, Summary { tally, settled_in, gap: gap.longest(), ..Summary::default() }))
}

/// Lets the schedule happen and waits until all is settled; says how long that took after the last fault.
async fn survive(schedule: &Schedule, length: Duration, cluster: &mut Cluster) -> anyhow::Result<(Tally, Duration)> {
    let tally = faults::happen(schedule, length, cluster).await?;
    tell(format_args!("{:>8.3}s  no more faults", length.as_secs_f64()));
    cluster.heal().await?;
    let healed = Instant::now();
    wait::until("all is settled", SETTLES_WITHIN, async || {
        // A process that has ended on its own is as bad as it was before; waiting changes nothing.
        match cluster.look() {
            Ok(()) => cluster.settled().map(Ok),
            Err(ended) => Ok(Err(ended)),
        }
    })
    .await??;
    tell(format_args!("settled after {:.1} s", healed.elapsed().as_secs_f64()));
    Ok((tally, healed.elapsed()))
}

/// Where the small disk is; none where it can not be mounted and need not be.
fn small_disk(arguments: &Arguments, folder: &Path) -> anyhow::Result<Option<SmallDisk>> {
    match SmallDisk::mount(&data(folder, SMALL_DISK), arguments.length()) {
        Ok(disk) => Ok(Some(disk)),
        Err(error) if arguments.skip_nothing => Err(error.context("full disks")),
        Err(error) => {
            tell(format_args!("skipped full disks: {error:#}"));
            Ok(None)
        }
    }
}

fn folder(under: Option<&Path>) -> anyhow::Result<TempDir> {
    let mut named = tempfile::Builder::new();
    named.prefix("shardset-chaos-");
    Ok(match under {
        Some(under) => named.tempdir_in(under)?,
        None => named.tempdir()?,
    })
}

/// The binary under test, beside this one where nobody says otherwise.
fn binary(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    let beside = || anyhow::Ok(std::env::current_exe()?.with_file_name("shardset"));
    let binary = arguments.shardset.clone().map_or_else(beside, Ok)?;
    ensure!(binary.exists(), "{} is not built: run `cargo xtask chaos`", binary.display());
    Ok(binary)
}

/// Where this run looks for ports: above those of tests, which may run at the same time and would take the port of a process
/// that is away, and apart from other runs.
fn port(seed: u64) -> u16 {
    const FIRST: u16 = 24_000;
    const EACH: u16 = 100;
    FIRST + (seed % 80) as u16 * EACH
}
