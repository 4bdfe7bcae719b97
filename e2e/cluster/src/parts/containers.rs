//! containerd: its configuration, the pods' network, and the images it is given.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::command::succeed;
use crate::ground::network::PODS;
use crate::parts::archive;
use crate::place::Place;
use crate::programs::NETWORK_PLUGINS;

/// How containerd is started.
pub(crate) fn containerd(place: &Place) -> anyhow::Result<Command> {
    fs::create_dir_all(place.at("network"))?;
    place.write("network/10-pods.conflist", network(&place.at("addresses")).to_string())?;
    let config = place.write("containerd.toml", config(&place.folder))?;
    let mut command = Command::new("containerd");
    command.arg("--config").arg(config);
    Ok(command)
}

/// Gives it the pause image and the user's images.
pub(crate) fn import(place: &Place, images: &[std::path::PathBuf]) -> anyhow::Result<()> {
    let folder = place.at("pause");
    fs::create_dir_all(&folder)?;
    let pause = archive::pause(&place.tool("pause")?, &folder)?;
    for image in [&pause].into_iter().chain(images) {
        let mut ctr = Command::new("ctr");
        ctr.args(["--timeout", "90s", "--namespace", "k8s.io", "--address"]).arg(place.containerd());
        ctr.args(["images", "import"]).arg(image);
        succeed(&mut ctr)?;
    }
    Ok(())
}

/// All that it writes is in the cluster's folder. Root may not be allowed to shield a process from the killer that comes when
/// memory ends, so pods are shielded as well as containerd itself and no better.
fn config(folder: &Path) -> String {
    // The quotes and escapes of Rust are those of TOML, for what can be in such a path.
    let at = |name: &str| format!("{:?}", folder.join(name));
    format!(
        r#"version = 2
root = {root}
state = {state}
[grpc]
address = {socket}
[plugins."io.containerd.internal.v1.opt"]
path = {optional}
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{NETWORK_PLUGINS}"
conf_dir = {network}
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"#,
        root = at("containerd"),
        state = at("containerd-state"),
        socket = at("containerd.sock"),
        optional = at("containerd-optional"),
        pause = archive::NAME,
        network = at("network"),
    )
}

/// All pods on one bridge; the node is on it too, so whoever is in the node's namespace reaches each pod.
fn network(addresses: &Path) -> Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods",
                "isGateway": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{ "subnet": PODS }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                    "dataDir": addresses,
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerd_writes_into_the_clusters_folder_only() {
        let config = config(Path::new("/c"));
        for line in ["root = \"/c/containerd\"", "state = \"/c/containerd-state\"", "address = \"/c/containerd.sock\""]
        {
            assert!(config.contains(line), "{line}");
        }
    }

    #[test]
    fn pods_get_their_addresses_from_the_range_that_others_are_told() {
        let network = network(Path::new("/a"));
        assert_eq!(network["plugins"][0]["ipam"]["ranges"][0][0]["subnet"], PODS);
    }
}
