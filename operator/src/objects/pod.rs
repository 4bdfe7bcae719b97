//! What pods of both tiers have in common: the restricted profile, probes, and what the set says about them.

use serde_json::{Map, Value, json};
use shardset_crds::{Pod, PullPolicy};
use shardset_slice::names;

use super::{Blueprint, Tier, labels, selector};

pub(crate) const OTLP_GRPC_PORT: u16 = names::WORKER_PORT;
pub(crate) const OTLP_HTTP_PORT: u16 = 4318;
/// Where /metrics, /healthz and /readyz are.
pub(crate) const ADMIN_PORT: u16 = 9465;

/// distroless' `nonroot`, whom the image names too: a volume of a worker is written by one user, whatever image it has.
const USER: u32 = 65532;

/// What a tier adds to a pod.
pub(super) struct Container {
    pub(super) args: Vec<String>,
    pub(super) env: Vec<Value>,
    pub(super) ports: Vec<Value>,
    pub(super) mounts: Vec<Value>,
    pub(super) volumes: Vec<Value>,
    /// How long a stop may take, in seconds.
    pub(super) grace: u32,
    /// How long a start may take until the process counts as dead, in seconds.
    pub(super) start: u32,
    /// Whether it speaks to the API server.
    pub(super) token: bool,
}

/// The template of a tier's pods.
pub(super) fn template(of: Blueprint<'_>, tier: Tier, pod: &Pod, container: Container, annotations: Value) -> Value {
    let mut labels = labels(&of.name(), tier);
    extend(&mut labels, json!(pod.labels));
    let mut all = json!(pod.annotations);
    extend(&mut all, annotations);
    json!({ "metadata": { "labels": labels, "annotations": all }, "spec": spec(of, tier, pod, container) })
}

fn spec(of: Blueprint<'_>, tier: Tier, pod: &Pod, container: Container) -> Value {
    let account = pod.service_account_name.clone().unwrap_or_else(|| tier.name(&of.name()));
    let mut spec = json!({
        "serviceAccountName": account,
        "automountServiceAccountToken": container.token,
        // No variables for each Service of the namespace: some look like our own.
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": container.grace,
        "securityContext": pod.pod_security_context.clone().unwrap_or_else(restricted_pod),
        "topologySpreadConstraints": spread(of, tier, pod),
        "volumes": container.volumes,
    });
    let optional = [
        ("imagePullSecrets", (!pod.image_pull_secrets.is_empty()).then(|| json!(pod.image_pull_secrets))),
        ("nodeSelector", (!pod.node_selector.is_empty()).then(|| json!(pod.node_selector))),
        ("tolerations", (!pod.tolerations.is_empty()).then(|| json!(pod.tolerations))),
        ("affinity", pod.affinity.clone()),
        ("priorityClassName", pod.priority_class_name.as_ref().map(|name| json!(name))),
    ];
    set_those(&mut spec, optional);
    spec["containers"] = json!([self::container(of, tier, pod, container)]);
    spec
}

fn container(of: Blueprint<'_>, tier: Tier, pod: &Pod, container: Container) -> Value {
    let probe = |path: &str| json!({ "httpGet": { "path": path, "port": "admin" }, "timeoutSeconds": 2 });
    let mut start = probe("/healthz");
    extend(&mut start, json!({ "periodSeconds": 1, "failureThreshold": container.start }));
    let mut live = probe("/healthz");
    extend(&mut live, json!({ "periodSeconds": 10, "failureThreshold": 6 }));
    let mut ready = probe("/readyz");
    extend(&mut ready, json!({ "periodSeconds": 2, "failureThreshold": 2 }));
    let mut rendered = json!({
        "name": tier.component(),
        "image": pod.image.as_deref().unwrap_or(of.image),
        "args": container.args,
        "env": container.env.into_iter().chain(pod.env.iter().cloned()).collect::<Vec<_>>(),
        "ports": container.ports,
        "startupProbe": start,
        "livenessProbe": live,
        "readinessProbe": ready,
        "securityContext": pod.security_context.clone().unwrap_or_else(restricted_container),
        "volumeMounts": container.mounts,
    });
    let policy = pod.image_pull_policy.map(|policy| match policy {
        PullPolicy::Always => json!("Always"),
        PullPolicy::IfNotPresent => json!("IfNotPresent"),
        PullPolicy::Never => json!("Never"),
    });
    set_those(&mut rendered, [("imagePullPolicy", policy), ("resources", pod.resources.clone())]);
    rendered
}

/// Over nodes where that is possible, unless the set says otherwise.
fn spread(of: Blueprint<'_>, tier: Tier, pod: &Pod) -> Value {
    if !pod.topology_spread_constraints.is_empty() {
        return json!(pod.topology_spread_constraints);
    }
    json!([{
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": { "matchLabels": selector(&of.name(), tier) },
    }])
}

fn restricted_pod() -> Value {
    json!({
        "runAsNonRoot": true,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        // A large volume is not walked at each start.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": { "type": "RuntimeDefault" },
    })
}

fn restricted_container() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    })
}

/// A port of a container.
pub(super) fn port(name: &str, number: u16) -> Value {
    json!({ "name": name, "containerPort": number, "protocol": "TCP" })
}

/// A variable that is a field of the pod.
pub(super) fn field(name: &str, path: &str) -> Value {
    json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } })
}

/// What `more` says is added, and wins.
pub(super) fn extend(object: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}

fn set_those<const N: usize>(object: &mut Value, fields: [(&str, Option<Value>); N]) {
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    extend(object, Value::Object(given.collect::<Map<_, _>>()));
}
