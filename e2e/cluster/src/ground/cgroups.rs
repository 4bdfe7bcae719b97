//! The cluster's own corner of each control group hierarchy.
//!
//! The node's pods are all below one group that is named for the cluster, so two clusters do not meet, and whatever the
//! kubelet and runc have made is found and removed. Works by what is mounted: version 1, version 2, or both.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tokio::time::{Instant, sleep};

/// For how long a group of dead processes may refuse to be removed.
const BOUND: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// The name of the group of the cluster that has this folder.
pub(crate) fn name(folder: &Path) -> anyhow::Result<String> {
    Ok(folder.file_name().context("the cluster's folder has no name")?.to_string_lossy().into_owned())
}

/// Makes the group in each hierarchy.
pub(crate) fn make(name: &str) -> anyhow::Result<()> {
    for hierarchy in mounted()? {
        let group = hierarchy.join(name);
        fs::create_dir_all(&group).with_context(|| format!("make {}", group.display()))?;
        // A new group of the cpuset hierarchy has no processors and no memory, and takes no process before it has some.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if hierarchy.join("cpuset.cpu_exclusive").exists() {
                let above = fs::read(hierarchy.join(file)).with_context(|| format!("read {file}"))?;
                fs::write(group.join(file), above).with_context(|| format!("fill in {file}"))?;
            }
        }
    }
    Ok(())
}

/// Removes the group with all below it from each hierarchy.
pub(crate) async fn remove(name: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + BOUND;
    for hierarchy in mounted()? {
        let group = hierarchy.join(name);
        while let Err(error) = remove_below(&group) {
            if Instant::now() >= deadline {
                return Err(error).with_context(|| format!("remove {}", group.display()));
            }
            sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// Removes one group after those in it. The files in them are the kernel's and go along.
fn remove_below(group: &Path) -> anyhow::Result<()> {
    let entries = match fs::read_dir(group) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_below(&entry.path())?;
        }
    }
    Ok(fs::remove_dir(group)?)
}

fn mounted() -> anyhow::Result<Vec<PathBuf>> {
    Ok(hierarchies(&fs::read_to_string("/proc/self/mounts").context("read the mounts")?))
}

/// Where hierarchies are mounted, by the text of `/proc/self/mounts`.
fn hierarchies(mounts: &str) -> Vec<PathBuf> {
    let hierarchy = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(at))
    };
    mounts.lines().filter_map(hierarchy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_hierarchies_are_found_among_the_mounts() {
        let mounts = "proc /proc proc rw 0 0\n\
                      cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n\
                      tmpfs /cgroup tmpfs rw 0 0\n";
        let found = hierarchies(mounts);
        assert_eq!(found, [Path::new("/sys/fs/cgroup/memory"), Path::new("/sys/fs/cgroup/unified")]);
    }
}
