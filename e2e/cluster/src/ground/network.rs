//! The addresses of the cluster, and the network namespace they are in.
//!
//! Nothing leads out of it, so the addresses are the same in each cluster, and what reaches for the outside fails at once
//! instead of hanging. The node's address is on a device pair whose other end nobody uses: the kernel may have no dummy
//! devices, and the API server refuses to advertise a loopback address.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::command::succeed;

/// The node, and the API server's host.
pub(crate) const NODE: &str = "172.31.0.2";
/// Addresses of pods; a node has the first.
pub(crate) const PODS: &str = "10.244.0.0/22";
/// Addresses of services.
pub(crate) const SERVICES: &str = "10.96.0.0/16";
/// The service that answers queries for names.
pub(crate) const DNS: &str = "10.96.0.10";

/// What is done to the new namespace, in the words of `ip`. The last line is so that a local process can begin to connect to a
/// service; kube-proxy's rules, which lead it to a pod, are asked after the routes.
const STEPS: [&str; 6] = [
    "link set lo up",
    "link add node type veth peer name node-end",
    "address add 172.31.0.2/24 dev node",
    "link set node up",
    "link set node-end up",
    "route add 10.96.0.0/16 dev node",
];

/// Makes the network.
pub(crate) fn raise() -> anyhow::Result<()> {
    for step in STEPS {
        let mut ip = Command::new("ip");
        succeed(ip.args(step.split(' ')))?;
    }
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("forward packets")?;
    let bridged = Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables");
    if bridged.exists() {
        fs::write(bridged, "1").context("filter what is bridged")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_name_the_addresses_that_others_are_told() {
        let steps = STEPS.join("\n");
        assert!(steps.contains(NODE) && steps.contains(SERVICES));
        assert!(DNS.starts_with("10.96."));
    }
}
