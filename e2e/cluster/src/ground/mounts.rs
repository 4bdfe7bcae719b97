//! What the cluster's processes see of the machine's files, in a mount namespace of their own.
//!
//! Kubernetes' programs have folders that no flag moves (`/run`, `/var/lib/kubelet`, `/var/log/containers`): they get empty
//! ones in memory. And the kubelet sets kernel parameters of the whole machine, unless it finds them as it wants them; it
//! finds files of ours.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};

/// Folders that get an empty one in front.
const HIDDEN: [&str; 3] = ["/run", "/var/lib", "/var/log"];

/// What the kubelet writes into `/proc/sys`, where it reads something else.
const PARAMETERS: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Prepares the mounts; `folder` is the cluster's.
pub(crate) fn prepare(folder: &Path) -> anyhow::Result<()> {
    // Shared, as on a node, so that pods can ask for it; with nobody outside, since the namespace was split off as private.
    mount_change("/", MountPropagationFlags::SHARED | MountPropagationFlags::REC).context("share the mounts")?;
    for hidden in HIDDEN {
        mount("cluster", hidden, "tmpfs", MountFlags::empty(), c"mode=755")
            .with_context(|| format!("mount an empty {hidden}"))?;
    }
    ensure!(folder.exists(), "{} lies in a folder that the cluster hides: set TMPDIR", folder.display());
    let parameters = folder.join("parameters");
    for (name, value) in PARAMETERS {
        let ours = parameters.join(name);
        fs::create_dir_all(ours.parent().context("it lies in a folder")?)?;
        fs::write(&ours, value)?;
        mount_bind(&ours, Path::new("/proc/sys").join(name)).with_context(|| format!("cover {name}"))?;
    }
    Ok(())
}
