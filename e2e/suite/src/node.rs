//! The parts of a cluster that the tests may stop and kill, and what its node knows of pods: of a cluster of one node that was made for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use shardset_e2e::tool;

/// Sends a signal to a part of the cluster, by its name: `kube-apiserver`, `containerd`.
///
/// # Errors
///
/// The cluster is not one that was made for the tests, or the part is not there.
pub fn signal(part: &str, signal: Signal) -> anyhow::Result<()> {
    let ids: BTreeMap<String, i32> = serde_json::from_str(&fs::read_to_string(folder()?.join("pids.json"))?)?;
    let id = ids.get(part).with_context(|| format!("no part is called {part}: {ids:?}"))?;
    send(*id, signal)
}

/// The kubelet's folder of the pod with this uid, where its volumes are.
///
/// # Errors
///
/// The cluster is not one that was made for the tests.
pub fn pod_folder(uid: &str) -> anyhow::Result<PathBuf> {
    Ok(folder()?.join("kubelet/pods").join(uid))
}

/// Sends a signal to the processes of this program in the pod with this uid.
///
/// # Errors
///
/// There are none.
pub fn kill_in_pod(uid: &str, program: &str, signal: Signal) -> anyhow::Result<()> {
    let mut found = 0;
    for entry in fs::read_dir("/proc")? {
        let process = entry?.path();
        // Whoever ends meanwhile has no files any more.
        let read = |file: &str| fs::read_to_string(process.join(file)).unwrap_or_default();
        let id = process.file_name().and_then(|name| name.to_str()?.parse().ok());
        if let Some(id) = id.filter(|_| read("comm").trim() == program && read("cgroup").contains(uid)) {
            send(id, signal)?;
            found += 1;
        }
    }
    ensure!(found > 0, "no {program} runs in the pod {uid}");
    Ok(())
}

fn folder() -> anyhow::Result<PathBuf> {
    tool("SHARDSET_CLUSTER_DIR").context("the cluster was not made by `cargo xtask e2e --cluster local`")
}

fn send(id: i32, signal: Signal) -> anyhow::Result<()> {
    kill_process(Pid::from_raw(id).context("an id is no id")?, signal)?;
    Ok(())
}
