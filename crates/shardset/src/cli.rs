//! Verbs and what they share: parsing, logs, the runtime, the exit code.

use std::future::Future;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use shardset_process::logging;

use crate::args::{Configured, configured};
use crate::{gateway, load, local, operator, scale, status, worker};

/// Counters that arrive as OTLP deltas become right cumulative series in Prometheus.
#[derive(Debug, Parser)]
#[command(name = "shardset", version, about, propagate_version = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run gateway and workers in one process on this machine.
    Local(Box<local::LocalArgs>),
    /// Run one worker in a process of its own.
    Worker(Box<worker::WorkerArgs>),
    /// Run one gateway in a process of its own.
    Gateway(Box<gateway::GatewayArgs>),
    /// Look after the MetricsShardSets of a cluster.
    Operator(Box<operator::OperatorArgs>),
    /// Change the number of shards while points come in.
    Scale(Box<scale::ScaleArgs>),
    /// Show shards, streams, epoch, phase and progress.
    Status(Box<status::StatusArgs>),
    /// Print the CustomResourceDefinition of MetricsShardSet, for `kubectl apply --server-side -f -`.
    Crd,
    /// Send the metrics of a made-up fleet, and check that what was accepted is what the backend shows.
    Load(Box<load::LoadArgs>),
}

/// How a process tells what it does.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogArgs {
    /// What to log: a level, or levels by module such as `warn,shardset_worker=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "RUST_LOG", hide_env_values = true)]
    log: String,

    /// How log lines look.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Runs the verb that the command line names.
pub(crate) fn run() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Local(args) => serve(*args, local::run),
        Verb::Worker(args) => serve(*args, worker::run),
        Verb::Gateway(args) => serve(*args, gateway::run),
        Verb::Operator(args) => serve(*args, operator::run),
        Verb::Scale(args) => start_logs(&args.logs).and_then(|()| on_runtime(scale::run(*args))),
        Verb::Status(args) => on_runtime(status::run(*args)),
        Verb::Crd => crd(),
        Verb::Load(args) => on_runtime(load::run(*args)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn crd() -> anyhow::Result<()> {
    print!("{}", shardset_crds::manifest());
    Ok(())
}

/// Runs a verb whose settings may stand in a file, with logs.
fn serve<A: Configured, F>(args: A, run: impl FnOnce(A) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let args = configured(args, std::env::args_os().skip(2))?;
    start_logs(&args.process().logs)?;
    on_runtime(run(args))
}

fn start_logs(args: &LogArgs) -> anyhow::Result<()> {
    let format = match args.log_format {
        LogFormat::Text => logging::Format::Text,
        LogFormat::Json => logging::Format::Json,
    };
    Ok(logging::init(&args.log, format)?)
}

fn on_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("can not start the runtime")?.block_on(work)
}

#[expect(clippy::print_stderr, reason = "the last word of a failed command belongs on stderr, whatever is logged")]
fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("shardset: {error:#}");
    ExitCode::FAILURE
}
