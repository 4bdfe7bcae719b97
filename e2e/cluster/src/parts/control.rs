//! How the parts of the control plane are started: flags, and why where it is not plain.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::ground::network::{NODE, PODS, SERVICES};
use crate::place::Place;

/// Where etcd serves. Without encryption, since only processes in the node's own network namespace get there.
pub(crate) const ETCD: &str = "http://127.0.0.1:2379";

/// What was asked of the API server, in the cluster's folder.
const AUDIT_LOG: &str = "audit.log";

/// The store. It does not wait for the disk: the cluster does not outlive the machine.
pub(crate) fn etcd(place: &Place) -> anyhow::Result<Command> {
    let mut command = Command::new(place.tool("etcd")?);
    flag(&mut command, "data-dir", place.at("etcd"));
    flag(&mut command, "listen-client-urls", ETCD);
    flag(&mut command, "advertise-client-urls", ETCD);
    command.args(["--unsafe-no-fsync", "--log-level=warn"]);
    Ok(command)
}

/// The API server. Its certificate is of its own making; the same key signs the tokens of service accounts.
pub(crate) fn api_server(place: &Place) -> anyhow::Result<Command> {
    let mut command = Command::new(place.tool("kube-apiserver")?);
    flag(&mut command, "etcd-servers", ETCD);
    flag(&mut command, "advertise-address", NODE);
    flag(&mut command, "service-cluster-ip-range", SERVICES);
    flag(&mut command, "cert-dir", place.at("certificates"));
    flag(&mut command, "token-auth-file", place.at("tokens.csv"));
    flag(&mut command, "authentication-config", place.at("authentication.json"));
    flag(&mut command, "audit-policy-file", place.write("audit.json", audit_policy().to_string())?);
    flag(&mut command, "audit-log-path", place.at(AUDIT_LOG));
    flag(&mut command, "service-account-key-file", place.key());
    flag(&mut command, "service-account-signing-key-file", place.key());
    command.args([
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        "--profiling=false",
    ]);
    Ok(command)
}

/// Who asked for what: only of service accounts, only which object and by which verb. So a test can say whether a role is enough,
/// and whether it is too much.
fn audit_policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [
            { "level": "None", "userGroups": ["system:nodes", "system:masters", "system:serviceaccounts:kube-system"] },
            { "level": "Metadata", "userGroups": ["system:serviceaccounts"] },
        ],
    })
}

/// All controllers, each with a service account of its own, as real clusters have it.
pub(crate) fn controller_manager(place: &Place) -> anyhow::Result<Command> {
    let mut command = Command::new(place.tool("kube-controller-manager")?);
    for kind in ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"] {
        flag(&mut command, kind, place.kubeconfig("controller-manager"));
    }
    flag(&mut command, "service-account-private-key-file", place.key());
    flag(&mut command, "root-ca-file", place.certificate());
    flag(&mut command, "cluster-cidr", PODS);
    command.args(["--use-service-account-credentials=true"]);
    alone(&mut command);
    Ok(command)
}

/// The scheduler.
pub(crate) fn scheduler(place: &Place) -> anyhow::Result<Command> {
    let mut command = Command::new(place.tool("kube-scheduler")?);
    for kind in ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"] {
        flag(&mut command, kind, place.kubeconfig("scheduler"));
    }
    alone(&mut command);
    Ok(command)
}

/// There is no other to agree with on a leader, and nobody asks it anything by a certificate, which is what the lookup is for.
fn alone(command: &mut Command) {
    command.args(["--leader-elect=false", "--bind-address=127.0.0.1", "--authentication-skip-lookup=true"]);
}

/// Adds `--name=value`.
pub(crate) fn flag(command: &mut Command, name: &str, value: impl AsRef<Path>) {
    let mut flag = std::ffi::OsString::from(format!("--{name}="));
    flag.push(value.as_ref());
    command.arg(flag);
}
