//! What the command line says.
//!
//! The hidden verbs take what `run` takes, and the cluster's folder before it, so each passes on what it was given.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

/// A Kubernetes cluster of one node, for one command.
#[derive(Debug, Parser)]
#[command(name = "shardset-cluster")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What this process is to be.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Starts a cluster, runs the command in it, takes it down, and ends with the command's exit code.
    ///
    /// The command is in the cluster's namespaces: it reaches pods, services and node ports directly, and no other network.
    /// KUBECONFIG is an administrator's. SHARDSET_CLUSTER_DIR has pids.json, the ids of the cluster's processes by name: one
    /// that is killed is started again; and audit.log, what service accounts asked for. /run, /var/lib and /var/log are empty at first, the cluster's own; other files are the
    /// machine's.
    Run(Cluster),
    #[command(hide = true)]
    Keep(Within),
    #[command(hide = true)]
    Init(Within),
    #[command(hide = true)]
    Inside(Within),
}

/// What a cluster is made of, and what it is for.
#[derive(Debug, Args)]
pub(crate) struct Cluster {
    /// A folder with programs of the cluster: Kubernetes, etcd, CoreDNS, pause. Can be repeated.
    #[arg(long, value_name = "FOLDER", required = true)]
    pub(crate) tools: Vec<PathBuf>,
    /// An image archive (OCI, or as Docker saves it) that pods may use. Can be repeated.
    #[arg(long = "image", value_name = "FILE")]
    pub(crate) images: Vec<PathBuf>,
    /// Write the logs of all parts and pods there, and let them stay.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) keep_logs: Option<PathBuf>,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// The same, for a process that `run` has started.
#[derive(Debug, Args)]
pub(crate) struct Within {
    /// The cluster's folder; its name is the cluster's.
    #[arg(long)]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

/// This binary with another verb, and whatever this process was told after `more`, by way of `through` (or nothing).
pub(crate) fn this_through(through: &[&str], verb: &str, more: &[OsString]) -> anyhow::Result<Command> {
    let binary = env::current_exe().context("find this binary")?;
    let mut command = match through {
        [] => Command::new(binary),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(binary);
            command
        }
    };
    command.arg(verb).args(more).args(env::args_os().skip(2));
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_the_dashes_is_the_command() {
        let words = ["x", "run", "--tools", "t", "--tools", "u", "--image", "a", "--", "kubectl", "--tools", "get"];
        let Verb::Run(cluster) = Arguments::try_parse_from(words).expect("it is well formed").verb else {
            panic!("not the verb that was given");
        };
        assert_eq!(cluster.tools.len(), 2);
        assert_eq!(cluster.command, ["kubectl", "--tools", "get"]);
    }

    #[test]
    fn a_cluster_without_a_command_is_refused() {
        assert!(Arguments::try_parse_from(["x", "run", "--tools", "t"]).is_err());
    }
}
