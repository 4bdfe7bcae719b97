//! How the parts of the node are started, and what their configuration says.

use std::process::Command;

use serde_json::{Value, json};

use crate::ground::network::{DNS, NODE, PODS};
use crate::parts::control::flag;
use crate::place::Place;

/// The node's name, and the host's in its namespace.
pub(crate) const NAME: &str = "node";

/// The kubelet; `group` is the cluster's control group.
pub(crate) fn kubelet(place: &Place, group: &str) -> anyhow::Result<Command> {
    let resolver = place.write("resolv.conf", "")?;
    let endpoint = format!("unix://{}", place.containerd().display());
    let mut config = kubelet_config(group, &endpoint);
    config["resolvConf"] = json!(resolver);
    config["podLogsDir"] = json!(place.logs.join("pods"));
    config["volumePluginDir"] = json!(place.at("kubelet/volume-plugins"));
    let config = place.write("kubelet.json", config.to_string())?;
    let mut command = Command::new(place.tool("kubelet")?);
    flag(&mut command, "config", config);
    flag(&mut command, "kubeconfig", place.kubeconfig("kubelet"));
    flag(&mut command, "root-dir", place.at("kubelet"));
    flag(&mut command, "cert-dir", place.at("kubelet/certificates"));
    flag(&mut command, "hostname-override", NAME);
    flag(&mut command, "node-ip", NODE);
    Ok(command)
}

/// Whoever reaches the kubelet may do anything: the API server could show itself by a certificate only, and nobody outside of
/// the network namespace gets here. A disk that is full for other reasons evicts nobody.
fn kubelet_config(group: &str, endpoint: &str) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": { "anonymous": { "enabled": true }, "webhook": { "enabled": false } },
        "authorization": { "mode": "AlwaysAllow" },
        "failCgroupV1": false,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{group}"),
        "containerRuntimeEndpoint": endpoint,
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "failSwapOn": false,
        "syncFrequency": "5s",
        "nodeStatusUpdateFrequency": "5s",
        "evictionHard": { "memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%" },
        "imageGCHighThresholdPercent": 100,
        "rotateCertificates": false,
    })
}

/// What leads services to pods.
pub(crate) fn proxy(place: &Place) -> anyhow::Result<Command> {
    let config = place.write("proxy.json", proxy_config(&place.kubeconfig("proxy").to_string_lossy()).to_string())?;
    let mut command = Command::new(place.tool("kube-proxy")?);
    flag(&mut command, "config", config);
    Ok(command)
}

/// The limits of connection tracking are the machine's, not the namespace's, so they are left alone (0).
fn proxy_config(kubeconfig: &str) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": { "kubeconfig": kubeconfig },
        "clusterCIDR": PODS,
        "hostnameOverride": NAME,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "iptables": { "minSyncPeriod": "100ms", "syncPeriod": "30s" },
        "conntrack": { "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_stay_in_the_clusters_control_group() {
        let config = kubelet_config("cluster-1", "unix:///c.sock");
        assert_eq!(config["cgroupRoot"], "/cluster-1");
        assert_eq!(config["containerRuntimeEndpoint"], "unix:///c.sock");
    }

    #[test]
    fn the_proxy_leaves_the_machines_limits_alone() {
        assert_eq!(proxy_config("k")["conntrack"]["maxPerCore"], 0);
    }
}
