//! What `cargo xtask` takes, and the order of `cargo xtask test`: cheap checks first, real servers last.
//!
//! A step that fails does not stop the next: one run tells everything that is wrong.

use std::path::PathBuf;
use std::process::Command;

use clap::builder::FalseyValueParser;
use clap::{Parser, Subcommand};

use crate::cache::Cache;
use crate::report::Report;
use crate::{e2e, fuzz, tools};

/// The tasks of the project.
#[derive(Parser)]
#[command(name = "cargo xtask")]
pub(crate) struct Arguments {
    /// Skip nothing: what cannot be run has failed.
    #[arg(long, env = "CI", value_parser = FalseyValueParser::new(), global = true)]
    pub(crate) ci: bool,
    /// Where tools are kept between runs, in a folder of their own [default: .cache in the home folder].
    #[arg(long, env = "XDG_CACHE_HOME", value_name = "DIR", global = true)]
    pub(crate) cache: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Everything: format, lints, rules, unit and property tests, docs, dependencies, fuzzing, real servers and SDKs.
    Test {
        /// How long each fuzz target runs.
        #[arg(long, default_value_t = 10)]
        fuzz_seconds: u32,
    },
    /// Only the tests with real servers and SDKs.
    E2e {
        /// Only the test file of this name (e2e/tests/NAME.rs).
        only: Option<String>,
        /// Write the generated parts of docs/ anew (with `documentation`).
        #[arg(long)]
        bless: bool,
    },
    /// Fuzz every target for a bounded time.
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Run a benchmark: `bench path`.
    Bench {
        /// What the benchmark program is told.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<String>,
    },
}

/// Runs the whole suite.
pub(crate) fn test(cache: &Cache, report: &mut Report, fuzz_seconds: u32) -> anyhow::Result<()> {
    report.check("format", cargo(&["fmt", "--all", "--check"]));
    report.check("lints", cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    report.tests("rules, unit and property tests", cargo(&["test", "--workspace", "--exclude", "shardset-e2e"]));
    let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    report.check("docs", docs);
    dependencies(cache, report)?;
    fuzz::run(cache, report, fuzz_seconds)?;
    e2e::run(cache, report, None, false)
}

/// Licences, bans and sources. The advisory database is not asked: it is on the network and changes under a test.
fn dependencies(cache: &Cache, report: &mut Report) -> anyhow::Result<()> {
    let Some(deny) = tools::cargo_deny(cache, report)? else { return Ok(()) };
    let mut check = Command::new(deny);
    check.args(["--offline", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    report.check("dependencies", check);
    Ok(())
}

pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(arguments);
    cargo
}
