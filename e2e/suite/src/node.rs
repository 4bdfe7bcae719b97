//! The parts of a cluster that the tests may stop and kill: those of a cluster of one node that was made for them.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use shardset_e2e::tool;

/// Sends a signal to a part of the cluster, by its name: `kube-apiserver`, `containerd`.
///
/// # Errors
///
/// The cluster is not one that was made for the tests, or the part is not there.
pub fn signal(part: &str, signal: Signal) -> anyhow::Result<()> {
    let ids = tool("SHARDSET_CLUSTER_DIR").context("the cluster was not made by `cargo xtask e2e --cluster local`")?;
    let ids: BTreeMap<String, i32> = serde_json::from_str(&fs::read_to_string(ids.join("pids.json"))?)?;
    let id = ids.get(part).with_context(|| format!("no part is called {part}: {ids:?}"))?;
    let id = Pid::from_raw(*id).context("an id is no id")?;
    kill_process(id, signal)?;
    Ok(())
}
