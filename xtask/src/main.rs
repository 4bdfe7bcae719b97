//! `cargo xtask`: the project's tasks.
//!
//! In Rust, not in shell, so that they read, fail and are tested like the rest. A task builds or installs what it needs into a
//! cache outside the clone, keyed by what is pinned in the clone, and says what it left out and why.

mod arguments;
mod cache;
mod chaos;
mod cluster;
mod e2e;
mod fuzz;
mod image;
mod previous;
mod report;
mod suite;
mod tally;
mod tools;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Task};

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let cache = cache::Cache::open(&arguments)?;
    let mut report = report::Report::new(arguments.ci);
    match arguments.task {
        Task::Test { fuzz_seconds } => suite::test(&cache, &mut report, fuzz_seconds)?,
        Task::E2e(arguments) => suite::e2e(&cache, &mut report, &arguments)?,
        Task::Image { name, dev, archive } => image::run(&cache, &name, &archive, dev)?,
        Task::Chaos { arguments } => chaos::run(&cache, &mut report, &arguments)?,
        Task::Fuzz { seconds } => fuzz::run(&cache, &mut report, seconds)?,
        Task::Sim { arguments } => suite::released(&mut report, "shardset-sim", &arguments),
        Task::Bench { arguments } => suite::released(&mut report, "shardset-bench", &arguments),
    }
    Ok(report.close())
}
