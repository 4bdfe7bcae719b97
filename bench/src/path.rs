//! The data path, part by part.

mod network;
mod split;
mod state;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::machine;
use crate::measure::Effort;
use crate::table::say;

/// What to measure, and how long.
#[derive(Args)]
pub(crate) struct PathArguments {
    /// Which parts; all unless named.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Rounds after the warm-up.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// CPU time of one case in one round, in milliseconds.
    #[arg(long, default_value_t = 50)]
    turn_ms: u64,
    /// Workers of the server over loopback.
    #[arg(long, default_value_t = 8)]
    workers: u32,
    /// The server's binary; built from this tree unless given.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Walk, identify, route and frame again.
    Split,
    /// Look a stream up and add, at a million streams.
    State,
    /// What a million streams take.
    Memory,
    /// `shardset local` over loopback.
    Network,
}

/// Measures and prints.
pub(crate) fn run(arguments: &PathArguments) -> anyhow::Result<()> {
    let effort = Effort { rounds: arguments.rounds.max(1), turn: Duration::from_millis(arguments.turn_ms) };
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    say(&machine::table());
    // First, while the allocator has nothing to give again.
    if wanted(Part::Memory) {
        say(&state::memory()?);
    }
    if wanted(Part::Split) {
        say(&split::measure(effort)?);
    }
    if wanted(Part::State) {
        say(&state::measure(effort)?);
    }
    if wanted(Part::Network) {
        say(&network::measure(arguments.workers, arguments.binary.as_deref())?);
    }
    Ok(())
}
