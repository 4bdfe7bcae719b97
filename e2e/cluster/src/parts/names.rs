//! The cluster's names: CoreDNS as one more process of the node, behind the service that pods are told to ask.
//!
//! Not as pods, as real clusters have it: that would be another image, and slower to start. It knows the cluster's names only; for it
//! there are no others. Nothing is cached, so a name is right as soon as its endpoints are.

use std::process::Command;

use serde_json::{Value, json};

use crate::api::Api;
use crate::ground::network::{DNS, NODE};
use crate::identity;
use crate::parts::control::flag;
use crate::place::Place;

const SERVICE: &str = "kube-dns";
const RIGHTS: &str = "/apis/rbac.authorization.k8s.io/v1";

/// How CoreDNS is started.
pub(crate) fn server(place: &Place) -> anyhow::Result<Command> {
    let config = place.write("Corefile", config(&place.kubeconfig("dns").to_string_lossy()))?;
    let mut command = Command::new(place.tool("coredns")?);
    flag(&mut command, "conf", config);
    Ok(command)
}

/// Makes the service that leads to it, and lets it see what it has to know.
pub(crate) async fn make(api: &Api) -> anyhow::Result<()> {
    api.create(&format!("{RIGHTS}/clusterroles"), &role()).await?;
    api.create(&format!("{RIGHTS}/clusterrolebindings"), &binding()).await?;
    api.create("/api/v1/namespaces/kube-system/services", &service()).await?;
    api.create("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices", &endpoints()).await
}

fn config(kubeconfig: &str) -> String {
    format!(
        "cluster.local in-addr.arpa {{
    bind {NODE}
    errors
    kubernetes {{
        kubeconfig \"{kubeconfig}\"
        pods insecure
    }}
}}
. {{
    bind {NODE}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"
    )
}

fn role() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": identity::DNS },
        "rules": [
            { "apiGroups": [""], "resources": ["namespaces", "pods", "services"], "verbs": ["list", "watch"] },
            { "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"] },
        ],
    })
}

fn binding() -> Value {
    let group = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": identity::DNS },
        "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": identity::DNS },
        "subjects": [{ "apiGroup": group, "kind": "User", "name": identity::DNS }],
    })
}

/// Without a selector: its endpoints are written down by us.
fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": SERVICE, "namespace": "kube-system" },
        "spec": { "clusterIP": DNS, "ports": ports() },
    })
}

fn endpoints() -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": SERVICE,
            "namespace": "kube-system",
            "labels": {
                "kubernetes.io/service-name": SERVICE,
                "endpointslice.kubernetes.io/managed-by": "cluster.shardset.invalid",
            },
        },
        "addressType": "IPv4",
        "ports": ports(),
        "endpoints": [{ "addresses": [NODE], "conditions": { "ready": true } }],
    })
}

fn ports() -> Value {
    json!([{ "name": "dns", "port": 53, "protocol": "UDP" }, { "name": "dns-tcp", "port": 53, "protocol": "TCP" }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_leads_to_where_the_server_listens() {
        assert!(config("/dns.kubeconfig").contains(&format!("bind {NODE}\n")));
        assert_eq!(endpoints()["endpoints"][0]["addresses"][0], NODE);
        assert_eq!(endpoints()["ports"], service()["spec"]["ports"]);
        assert_eq!(service()["spec"]["clusterIP"], DNS);
    }
}
