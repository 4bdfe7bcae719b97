//! Who may do what at the API server: each part is the user that Kubernetes has roles for, and proves it by a token.
//!
//! Tokens in a file are the simplest thing that is still authentication; certificates would need an authority of ours. The
//! node's token is good for what its node may do only, as anywhere.

use std::fs;

use anyhow::Context;
use serde_json::{Value, json};

use crate::ground::network;
use crate::place::Place;

/// A user of the API server.
struct User {
    /// What its kubeconfig is called.
    file: &'static str,
    name: &'static str,
    group: &'static str,
}

/// The user that serves names.
pub(crate) const DNS: &str = "system:coredns";

const USERS: [User; 6] = [
    User { file: "admin", name: "administrator", group: "system:masters" },
    User { file: "controller-manager", name: "system:kube-controller-manager", group: "" },
    User { file: "scheduler", name: "system:kube-scheduler", group: "" },
    User { file: "proxy", name: "system:kube-proxy", group: "" },
    User { file: "kubelet", name: "system:node:node", group: "system:nodes" },
    User { file: "dns", name: DNS, group: "" },
];

/// Writes the kubeconfigs, and for the server the list of tokens and who may come without; returns the administrator's token.
pub(crate) fn write(place: &Place) -> anyhow::Result<String> {
    let mut tokens = Vec::new();
    for user in &USERS {
        tokens.push(token()?);
        let kubeconfig = kubeconfig(&place.certificate().to_string_lossy(), user, &tokens[tokens.len() - 1]);
        place.write(&format!("{}.kubeconfig", user.file), kubeconfig.to_string())?;
    }
    let lines = USERS.iter().zip(&tokens).map(|(user, token)| line(user, token));
    place.write("tokens.csv", lines.collect::<String>())?;
    place.write("authentication.json", anonymous().to_string())?;
    Ok(tokens.swap_remove(0))
}

fn token() -> anyhow::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/uuid").context("draw a token")?.trim().to_owned())
}

/// A line of the server's list: token, user, its id, its groups.
fn line(user: &User, token: &str) -> String {
    format!("{token},{name},{name},\"{group}\"\n", name = user.name, group = user.group)
}

/// Nobody comes without a token, but to ask whether the server is well.
fn anonymous() -> Value {
    let paths = ["/livez", "/readyz", "/healthz"].map(|path| json!({ "path": path }));
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1beta1",
        "kind": "AuthenticationConfiguration",
        "anonymous": { "enabled": true, "conditions": paths },
    })
}

/// In JSON, which is YAML too.
fn kubeconfig(certificate: &str, user: &User, token: &str) -> Value {
    let server = format!("https://{}:6443", network::NODE);
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "cluster", "cluster": { "server": server, "certificate-authority": certificate } }],
        "users": [{ "name": user.name, "user": { "token": token } }],
        "contexts": [{ "name": "cluster", "context": { "cluster": "cluster", "user": user.name } }],
        "current-context": "cluster",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::node;

    #[test]
    fn the_kubelet_is_the_user_of_its_node() {
        assert!(USERS.iter().any(|user| user.file == "kubelet" && user.name == format!("system:node:{}", node::NAME)));
    }

    #[test]
    fn a_kubeconfig_says_who_where_and_by_what() {
        let config = kubeconfig("/c.crt", &USERS[0], "secret");
        assert_eq!(config["users"][0]["user"]["token"], "secret");
        assert_eq!(config["contexts"][0]["context"]["user"], config["users"][0]["name"]);
        assert_eq!(config["clusters"][0]["cluster"]["certificate-authority"], "/c.crt");
    }

    #[test]
    fn a_line_of_the_list_quotes_the_groups() {
        assert_eq!(line(&USERS[0], "secret"), "secret,administrator,administrator,\"system:masters\"\n");
    }
}
