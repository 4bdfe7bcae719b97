//! The Deployment of the gateways.

use serde_json::json;
use shardset_slice::names;

use super::pod::{ADMIN_PORT, Container, OTLP_GRPC_PORT, OTLP_HTTP_PORT, field, port, template};
use super::{Blueprint, Kind, Object, Tier, selector, tls};

/// Where a gateway keeps the last membership over restarts of its container.
const SNAPSHOT: &str = "membership";
const SNAPSHOT_PATH: &str = "/snapshot";

/// A stopping gateway answers what it holds, whose senders wait for 10 s at most.
const GRACE_SECONDS: u32 = 30;
const START_SECONDS: u32 = 60;

pub(super) fn deployment(of: Blueprint<'_>) -> Object {
    let (name, gateway) = (of.name(), &of.set.spec.gateway);
    let mut container = Container {
        args: vec![
            "gateway".to_owned(),
            format!("--shard-set={name}"),
            format!("--membership-snapshot={SNAPSHOT_PATH}/membership.json"),
            format!("--worker-names={}", worker_names(&name)),
            format!("--otlp-grpc=[::]:{OTLP_GRPC_PORT}"),
            format!("--otlp-http=[::]:{OTLP_HTTP_PORT}"),
            format!("--admin=[::]:{ADMIN_PORT}"),
        ],
        env: vec![field("SHARDSET_NAMESPACE", "metadata.namespace")],
        ports: vec![port("otlp-grpc", OTLP_GRPC_PORT), port("otlp-http", OTLP_HTTP_PORT), port("admin", ADMIN_PORT)],
        mounts: vec![json!({ "name": SNAPSHOT, "mountPath": SNAPSHOT_PATH })],
        volumes: vec![json!({ "name": SNAPSHOT, "emptyDir": { "sizeLimit": "16Mi" } })],
        grace: GRACE_SECONDS,
        start: START_SECONDS,
        token: true,
    };
    tls::of_gateway(of, &mut container);
    let spec = json!({
        "replicas": gateway.replicas,
        "revisionHistoryLimit": 2,
        "selector": { "matchLabels": selector(&name, Tier::Gateway) },
        "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
        "template": template(of, Tier::Gateway, &gateway.pod, container, json!({})),
    });
    of.object(Kind::Deployment, Tier::Gateway, json!({ "spec": spec }))
}

/// The workers by the names that their headless Service gives them, which do not change with their number or their addresses.
fn worker_names(set: &str) -> String {
    let (workers, port) = (names::workers(set), names::WORKER_PORT);
    format!("{workers}-{{}}.{}:{port}", names::workers_in(set, "$(SHARDSET_NAMESPACE)"))
}
