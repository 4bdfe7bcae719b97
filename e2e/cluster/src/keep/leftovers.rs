//! Clusters whose keepers were killed with them: nobody was left to tidy up, so the next cluster does.
//!
//! A cluster's folder has a lock that its processes hold, and the kernel lets go when they are dead, however they died. A folder
//! whose lock nobody holds is a dead cluster's.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::keep;

/// What the names of clusters' folders begin with.
const PREFIX: &str = "shardset-cluster-";
const LOCK: &str = "lock";

/// Makes a folder for a new cluster in `among`, and its lock, which holds for as long as what is returned lives.
pub(crate) fn make_folder(among: &Path) -> anyhow::Result<(PathBuf, File)> {
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(among).context("make the cluster's folder")?.keep();
    // Locked before it has its name, so that nobody finds a new cluster dead.
    let (new, lock) = (folder.join("new-lock"), folder.join(LOCK));
    let file = File::create(&new)?;
    file.lock_shared()?;
    fs::rename(new, lock)?;
    Ok((folder, file))
}

/// Holds the lock of a cluster as well, for as long as what is returned lives.
pub(crate) fn hold(folder: &Path) -> anyhow::Result<File> {
    let file = File::open(folder.join(LOCK)).context("open the cluster's lock")?;
    file.lock_shared()?;
    Ok(file)
}

/// Tidies up after dead clusters.
pub(crate) async fn sweep(among: &Path) -> anyhow::Result<()> {
    for folder in dead(among)? {
        keep::tidy(&folder).await.with_context(|| format!("tidy up after {}", folder.display()))?;
    }
    Ok(())
}

fn dead(among: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut dead = Vec::new();
    for entry in fs::read_dir(among)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_dead(&entry.path())? {
            dead.push(entry.path());
        }
    }
    Ok(dead)
}

/// One that has no lock is not old enough to have one, or is gone.
fn is_dead(folder: &Path) -> anyhow::Result<bool> {
    let Ok(file) = File::open(folder.join(LOCK)) else { return Ok(false) };
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("try the lock of {}", folder.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_dead_when_nobody_holds_its_lock() {
        let among = tempfile::tempdir().expect("a temporary folder");
        let (folder, runs) = make_folder(among.path()).expect("a folder");
        let keeps = hold(&folder).expect("the lock is held twice");
        drop(runs);
        assert!(dead(among.path()).expect("they are listed").is_empty());
        drop(keeps);
        assert_eq!(dead(among.path()).expect("they are listed"), [folder]);
    }
}
