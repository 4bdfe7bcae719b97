//! The programs that a cluster needs, looked for before anything is started.

use std::path::{Path, PathBuf};

use anyhow::ensure;

/// Where the distribution's package puts the network plugins.
pub(crate) const NETWORK_PLUGINS: &str = "/usr/lib/cni";

/// In one of the tools' folders.
const TOOLS: [&str; 10] = [
    "coredns",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-router",
    "kube-scheduler",
    "kubectl",
    "kubelet",
    "pause",
];

/// In one of the system's folders, and which package has it.
const SYSTEM: [(&str, &str); 9] = [
    ("containerd", "containerd"),
    ("containerd-shim-runc-v2", "containerd"),
    ("ctr", "containerd"),
    ("ip", "iproute2"),
    ("ipset", "ipset"),
    ("iptables", "iptables"),
    ("mount", "mount"),
    ("runc", "runc"),
    ("unshare", "util-linux"),
];

/// Where one of the tools is.
pub(crate) fn tool(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Says which programs are missing.
pub(crate) fn check(tools: &[PathBuf]) -> anyhow::Result<()> {
    let built = TOOLS.iter().filter(|name| tool(tools, name).is_none());
    let built = built.map(|name| format!("{name} (built from source)"));
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    let is_there = |program: &str| folders.iter().any(|folder| folder.join(program).exists());
    let system = SYSTEM.iter().filter(|(program, _)| !is_there(program));
    let system = system.map(|(program, package)| format!("{program} (package {package})"));
    let mut missing: Vec<String> = built.chain(system).collect();
    if !Path::new(NETWORK_PLUGINS).join("bridge").exists() {
        missing.push(format!("bridge in {NETWORK_PLUGINS} (package containernetworking-plugins)"));
    }
    ensure!(missing.is_empty(), "programs are missing: {}", missing.join(", "));
    Ok(())
}
