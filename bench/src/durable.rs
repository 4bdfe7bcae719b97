//! What durable state costs, and what it gives: the journal, acknowledgements, recovery, moves, memory.

mod acknowledge;
mod disk;
mod journal;
mod load;
mod memory;
mod moving;
mod recovery;
mod shard;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::measure::Effort;
use crate::{machine, server, table};

/// What to measure, and how long.
#[derive(Args)]
pub(crate) struct DurableArguments {
    /// Which parts; all unless named.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Rounds after the warm-up, recoveries of each kind, turns of each load.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// CPU time of one case in one round, in milliseconds.
    #[arg(long, default_value_t = 50)]
    turn_ms: u64,
    /// How many thousand streams recover, move and are held.
    #[arg(long, default_value_t = 1000)]
    thousands: u64,
    /// Points per second that come in during a move.
    #[arg(long, default_value_t = 200_000)]
    moving_load: u32,
    /// The server's binary; built from this tree unless given.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What the disk itself takes.
    Disk,
    /// Bytes and time of the journal, per point.
    Journal,
    /// How long an answer takes.
    Acknowledge,
    /// From a kill to serving.
    Recovery,
    /// From 4 workers to 5 under load.
    Move,
    /// What streams take of a worker's memory, live and idle.
    Memory,
}

/// Measures and prints.
pub(crate) fn run(arguments: &DurableArguments) -> anyhow::Result<()> {
    let effort = Effort { rounds: arguments.rounds.max(1), turn: Duration::from_millis(arguments.turn_ms) };
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    table::say(&machine::table());
    let binary = server::binary(arguments.binary.as_deref())?;
    if wanted(Part::Disk) {
        table::say(&disk::measure()?);
    }
    if wanted(Part::Journal) {
        table::say(&journal::bytes()?);
        table::say(&journal::cost(effort)?);
    }
    if wanted(Part::Acknowledge) {
        table::say(&acknowledge::measure(&binary, effort.rounds)?);
    }
    if wanted(Part::Recovery) {
        table::say(&recovery::measure(&binary, arguments.thousands, effort.rounds)?);
    }
    if wanted(Part::Move) {
        table::say(&moving::measure(&binary, arguments.thousands, arguments.moving_load)?);
    }
    if wanted(Part::Memory) {
        table::say(&memory::measure(&binary, arguments.thousands)?);
    }
    Ok(())
}
