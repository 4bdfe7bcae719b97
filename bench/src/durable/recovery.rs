//! From a start after a kill to the first answer: `shardset worker` over logs of known shapes.
//!
//! A log is at its shortest right after a checkpoint, and at its longest when the next one is all but ended: the checkpoint,
//! changes of the same length, and the next checkpoint once more. That there was none yet is no state that a worker comes
//! to with many streams; it is what creating them costs.
//!
//! The files are in the system's cache, as they are when a process has died and not the machine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use shardset_journal::Durability;
use shardset_model::UnixNanos;
use shardset_process::clock;
use shardset_wire::ControlClient;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::time::Instant;

use super::load;
use super::shard::{Shard, copy, log_bytes, replay_in_parts};
use crate::measure::percentile;
use crate::server::{self, Server};
use crate::table::{Table, against};

/// system.md: recovery of 1 M streams, in ms.
const BUDGET: f64 = 3_000.0;
const MINUTE: Duration = Duration::from_secs(60);
/// How long a point takes to the worker.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

/// A data directory as a kill has left it.
struct Left {
    what: &'static str,
    data: TempDir,
}

/// What became of a start.
struct Recovered {
    /// Until the first answer.
    took: Duration,
    /// CPU time until then.
    spent: Duration,
    resident: u64,
}

pub(super) fn measure(binary: &Path, thousands: u64, rounds: usize) -> anyhow::Result<Table> {
    let lefts = lefts(thousands)?;
    let mut starts: Vec<Vec<Recovered>> = lefts.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for (left, starts) in lefts.iter().zip(&mut starts) {
            let start = recover(binary, left, thousands)?;
            // The first round is the warm-up.
            if round > 0 {
                starts.push(start);
            }
        }
    }
    let columns =
        ["recovery, ms", "log, MB", "frames alone, CPU", "with streams, CPU", "serves, CPU", "serves, best", "serves"];
    let mut table = Table::new(&[&columns[..], &["streams/s", "resident, B a stream", "budget"]].concat());
    for (left, starts) in lefts.iter().zip(starts) {
        let streams = thousands as f64 * f64::from(load::POINTS);
        let [frames, replayed] = replay_in_parts(left.data.path())?.map(|time| time.as_secs_f64() * 1e3);
        let took: Vec<Duration> = starts.iter().map(|start| start.took).collect();
        let spent: Vec<Duration> = starts.iter().map(|start| start.spent).collect();
        let [spent, best, median] =
            [(&spent, 50.0), (&took, 0.0), (&took, 50.0)].map(|(times, p)| percentile(times, p) * 1e3);
        let resident = starts.last().map_or(0.0, |start| start.resident as f64 / streams);
        let log = log_bytes(left.data.path())? as f64 / 1e6;
        let figures = [log, frames, replayed, spent, best, median, streams / median * 1e3, resident];
        let figures = figures.map(|figure| format!("{figure:.0}"));
        table.row([left.what.to_owned()].into_iter().chain(figures).chain([against(Some(BUDGET), median)]));
    }
    Ok(table)
}

/// From the start of a worker to its first answer.
fn recover(binary: &Path, left: &Left, thousands: u64) -> anyhow::Result<Recovered> {
    let data = Arc::new(copy(left.data.path())?);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let begun = Instant::now();
    let server = Server::worker(binary, data, &[])?;
    let report = runtime.block_on(async {
        let channels = load::connect(&server.grpc_url(), 1).await?;
        anyhow::Ok(ControlClient::new(channels[0].clone()).status().await?)
    })?;
    let took = begun.elapsed();
    anyhow::ensure!(report.streams == thousands * u64::from(load::POINTS), "{} streams are there", report.streams);
    let times = server.cpu_times()?;
    Ok(Recovered { took, spent: times.shards + times.others, resident: server.resident_bytes()? })
}

fn lefts(thousands: u64) -> anyhow::Result<Vec<Left>> {
    let data = server::empty_directory()?;
    let never = Durability::Interval(MINUTE * 60);
    let mut shard = Shard::new(data.path(), never)?;
    let mut ring = load::Ring::new(thousands);
    let begin = clock::now().minus(MINUTE * 60);
    let mut lefts = Vec::new();
    let mut leave = |shard: &mut Shard, what| -> anyhow::Result<()> {
        shard.sync()?;
        lefts.push(Left { what, data: copy(data.path())? });
        Ok(())
    };
    let mut minute = 1;
    count(&mut shard, &mut ring, begin)?;
    leave(&mut shard, "without a checkpoint: streams as they came")?;
    shard.checkpoint()?;
    leave(&mut shard, "right after a checkpoint")?;
    while !shard.journal().is_checkpoint_due() {
        count(&mut shard, &mut ring, begin.plus(MINUTE * minute))?;
        minute += 1;
    }
    leave(&mut shard, "when the next is due")?;
    shard.all_but_a_checkpoint()?;
    leave(&mut shard, "when the next is all but ended")?;
    Ok(lefts)
}

/// A point of each stream.
fn count(shard: &mut Shard, ring: &mut load::Ring, time: UnixNanos) -> anyhow::Result<()> {
    ring.at(time, |payload| shard.count(payload, time.plus(ON_ITS_WAY)))
}
