//! Benchmarks of the data path and of durable state against the budgets of the design, printed as Markdown for docs/benchmarks.md.
//!
//! They measure; they do not judge: a figure above its budget is shown as such, and the exit code stays 0, because a shared
//! machine is not a judge. Compute is measured in CPU time of the thread. The allocator is the binary's.

mod durable;
mod http;
mod machine;
mod measure;
mod million;
mod path;
mod server;
mod table;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Benchmarks of Shardset, as Markdown on stdout.")]
struct Arguments {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Subcommand)]
enum Suite {
    /// The stages that a point goes through, one by one and together.
    Path(path::PathArguments),
    /// What durable state costs: the journal, answers, recovery, moves, memory.
    Durable(durable::DurableArguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().suite {
        Suite::Path(arguments) => path::run(&arguments),
        Suite::Durable(arguments) => durable::run(&arguments),
    }
}
