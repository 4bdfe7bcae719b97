//! `shardset-cluster run`: a real Kubernetes cluster of one node, for one command, on a machine that has neither Docker nor
//! a registry.
//!
//! Its programs are the real ones, as processes in namespaces of their own, so all end with one and nobody else sees them.
//! This binary is four of the processes, each started by the one before: [`run`] is the user's, [`keep`] tidies up however
//! the rest ends, [`init`] is process 1 in the namespaces, and [`inside`] starts the parts and the command.
//!
//! Boundary: knows nothing of Shardset. What is to be tested comes as image archives and as the command.

mod api;
mod arguments;
mod command;
mod ending;
mod ground;
mod identity;
mod init;
mod inside;
mod keep;
mod parts;
mod place;
mod programs;
mod run;
mod volumes;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Verb};

fn main() -> anyhow::Result<ExitCode> {
    // One thread: a process that stands with one foot in a new process namespace can not start a second one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match Arguments::parse().verb {
        Verb::Run(cluster) => runtime.block_on(run::run(&cluster)),
        Verb::Keep(within) => runtime.block_on(keep::keep(&within)),
        Verb::Init(within) => init::init(&within),
        Verb::Inside(within) => runtime.block_on(inside::inside(&within)),
    }
}
