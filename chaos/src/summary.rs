//! What a run was, in figures.

use std::fmt;
use std::time::Duration;

use shardset_load::Outcome;

use crate::cluster::Cluster;
use crate::faults::Tally;

/// A run in figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) tally: Tally,
    /// From the end of faults to a Stable membership that everybody knows.
    pub(crate) settled_in: Duration,
    /// The longest time in which no point was accepted.
    pub(crate) gap: Duration,
    /// Times that a counter fell.
    pub(crate) resets: u64,
    pub(crate) moves: u64,
    pub(crate) load: shardset_load::Summary,
    /// The most memory that a worker had, and the largest disk and log, in bytes.
    pub(crate) memory: u64,
    pub(crate) disk: u64,
    pub(crate) log: u64,
}

impl Summary {
    /// Takes in what the load and the cluster came to.
    pub(crate) fn take(&mut self, outcome: &Outcome, cluster: &mut Cluster) {
        self.load = outcome.summary.clone();
        self.memory = cluster.peak();
        self.disk = cluster.disk_bytes().into_iter().max().unwrap_or(0);
        self.log = cluster.logs().iter().filter_map(|log| log.metadata().ok()).map(|log| log.len()).max().unwrap_or(0);
        self.moves = cluster.settled().map_or(0, |status| status.moves());
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tally, load) = (&self.tally, &self.load);
        writeln!(f, "{load}")?;
        write!(f, "faults    {:.1} minutes: {} kills, ", load.seconds / 60.0, tally.kills)?;
        write!(f, "{} terminations, {} pauses, ", tally.terminations, tally.pauses)?;
        write!(f, "{} outages of the backend, {} of other ways, ", tally.backend_outages, tally.outages)?;
        writeln!(f, "{} full disks, {} lost disks", tally.full_disks, tally.lost_disks)?;
        writeln!(
            f,
            "scale     {} wishes, {} moves, settled in {:.1} s",
            tally.wishes,
            self.moves,
            self.settled_in.as_secs_f64()
        )?;
        writeln!(f, "resets    {}", self.resets)?;
        writeln!(f, "gap       {:.0} s without an accepted point at most", self.gap.as_secs_f64())?;
        let mib = |bytes: u64| bytes >> 20;
        write!(f, "worker    {} MiB of memory, {} MiB of disk at most; ", mib(self.memory), mib(self.disk))?;
        write!(f, "largest log {} KiB", self.log >> 10)
    }
}
