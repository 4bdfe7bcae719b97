//! `cargo xtask chaos`: a cluster of real processes under load and under faults, then an exact comparison.
//!
//! A seed decides every fault and its time ([`schedule`]); what the machine makes of them differs from run to run, and what must
//! hold at the end does not: every total is what clients were told was accepted, no counter ever fell, the membership is Stable,
//! and nobody died on its own. The simulation (`crates/sim`) explores orders of messages; this one has the kernel, the disk, the
//! sockets and the clocks that the simulation leaves out.
//!
//! Boundary: knows Shardset as its users do, by its verbs, its files and its series.

mod arguments;
mod chance;
mod cluster;
mod disk;
mod fault;
mod faults;
mod fleet;
mod judge;
mod logs;
mod proxy;
mod run;
mod schedule;
mod status;
mod summary;
mod tell;
mod unit;

use std::process::ExitCode;

use clap::Parser;

fn main() -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run::run(arguments::Arguments::parse()))
}
