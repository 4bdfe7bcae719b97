//! What `cargo xtask` takes.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};

use crate::cluster::Cluster;

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
    /// Only the tests with real servers and SDKs, or those on a cluster.
    E2e(E2e),
    /// Make the image of the product as an archive, for `kind load image-archive` or `ctr images import`.
    Image {
        /// The image's name, its registry included: `localhost` where it is in none.
        #[arg(long, default_value = "localhost/shardset:dev")]
        name: String,
        /// With the binary of the dev profile: large and slow, and built sooner.
        #[arg(long)]
        dev: bool,
        /// Where the archive is written.
        #[arg(value_name = "FILE", default_value = "shardset-image.tar")]
        archive: PathBuf,
    },
    /// Real processes under load and under faults, then an exact comparison; `chaos --help` says more.
    #[command(disable_help_flag = true)]
    Chaos {
        /// What the program in chaos/ is told: `--minutes M --seed S`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run the simulated cluster under many seeds: `sim --seeds 100000`, or `sim --seed S` for the event log of one.
    Sim {
        /// What the simulator is told.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
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

/// What of the tests with real parts is run.
#[derive(Args)]
pub(crate) struct E2e {
    /// Only the test file of this name (e2e/tests/NAME.rs); with `--cluster` only tests with this in their names.
    pub(crate) only: Option<String>,
    /// Write the generated parts of docs/, charts/ and crds/ anew (with `documentation` or `charts`).
    #[arg(long)]
    pub(crate) bless: bool,
    /// The suite on a cluster instead.
    #[arg(long, value_name = "CLUSTER", conflicts_with = "bless")]
    pub(crate) cluster: Option<Cluster>,
    /// With `--cluster kind`: the image of its node, which says which version of Kubernetes runs [default: kind's own].
    #[arg(long, value_name = "IMAGE", requires = "cluster")]
    pub(crate) node_image: Option<String>,
    /// Figures of the release build instead of tests, as a table.
    #[arg(long, requires = "cluster", conflicts_with = "only")]
    pub(crate) measure: bool,
}
