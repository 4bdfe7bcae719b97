//! What a run is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Real processes under load and under faults, then an exact comparison.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask chaos")]
pub(crate) struct Arguments {
    /// How long faults go on.
    #[arg(long, value_name = "MINUTES", default_value_t = 3.0)]
    minutes: f64,
    /// Decides every fault and its time, and what is sent.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Points per second.
    #[arg(long, default_value_t = 1000.0)]
    pub(crate) rate: f64,
    /// Workers that are killed may lose their disks. Totals fall then, rightly; only what is counted twice is a failure.
    #[arg(long)]
    pub(crate) lose_disks: bool,
    /// A kind of fault that can not be had here is a failure.
    #[arg(long)]
    pub(crate) skip_nothing: bool,
    /// Only say what would happen.
    #[arg(long)]
    pub(crate) schedule: bool,
    /// Keep the folder with all logs and data of a run that went well, too.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Where that folder is made [default: the system's folder for such].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// The binary under test [default: the one that was built beside this one].
    #[arg(long, value_name = "FILE")]
    pub(crate) shardset: Option<PathBuf>,
}

impl Arguments {
    /// How long faults go on.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs_f64(self.minutes.clamp(0.0, 7.0 * 24.0 * 60.0) * 60.0)
    }
}
