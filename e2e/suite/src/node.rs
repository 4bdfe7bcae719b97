//! What the tests may stop and kill: the parts of a cluster of one node that was made for them, and what runs in its pods.
//!
//! The tests see the processes of their own cluster and no others, because they run in its process namespace.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use shardset_e2e::tool;

/// What runs in pods of Shardset.
const PROGRAM: &[u8] = b"/usr/bin/shardset\0";

/// The cluster's folder.
///
/// # Errors
///
/// The cluster is not one that was made for the tests: it is somebody's.
pub fn folder() -> anyhow::Result<PathBuf> {
    tool("SHARDSET_CLUSTER_DIR").context("the cluster was not made by `cargo xtask e2e --cluster local`")
}

/// Sends a signal to a part of the cluster, by its name: `kube-apiserver`, `containerd`.
///
/// # Errors
///
/// The cluster is not one that was made for the tests, or the part is not there.
pub fn signal(part: &str, signal: Signal) -> anyhow::Result<()> {
    let ids: BTreeMap<String, i32> = serde_json::from_str(&fs::read_to_string(folder()?.join("pids.json"))?)?;
    let id = ids.get(part).with_context(|| format!("no part is called {part}: {ids:?}"))?;
    kill_process(Pid::from_raw(*id).context("an id is no id")?, signal)?;
    Ok(())
}

/// The kubelet's folder of the pod with this uid, where its volumes are.
///
/// # Errors
///
/// The cluster is not one that was made for the tests.
pub fn pod_folder(uid: &str) -> anyhow::Result<PathBuf> {
    Ok(folder()?.join("kubelet/pods").join(uid))
}

/// The process of Shardset in the pod with this uid, by the control group that the kubelet has given it.
///
/// # Errors
///
/// The cluster is not one that was made for the tests, or the process is not there.
pub fn process_of(uid: &str) -> anyhow::Result<Pid> {
    folder()?;
    let group = format!("/pod{uid}/");
    let is_it = |id: &str| {
        let read = |file: &str| fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
        read("cmdline").starts_with(PROGRAM) && String::from_utf8_lossy(&read("cgroup")).contains(&group)
    };
    let names = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut ids = names.filter_map(|name| name.parse().ok().filter(|_| is_it(&name)));
    ids.next().and_then(Pid::from_raw).with_context(|| format!("no process of pod {uid}"))
}
