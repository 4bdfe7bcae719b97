//! What is applied for a set, compared with files: nothing of it may change by the way, since another template restarts workers.
//!
//! `SHARDSET_BLESS=1 cargo test --package shardset-operator` writes the files anew.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use shardset_operator::{Blueprint, Kind, Object, objects};

use crate::scene::set;

fn compare(name: &str, spec: serde_json::Value) {
    compare_those(name, spec, |_| true);
}

fn compare_those(name: &str, spec: serde_json::Value, is_meant: impl Fn(&&Object) -> bool) {
    let set = set(spec);
    let objects = objects(Blueprint {
        set: &set,
        image: "shardset:test",
        operator_namespace: "shardset-system",
        workers: 3,
        size: None,
    });
    let yaml = |object: &Object| serde_saphyr::to_string(&object.body).expect("JSON is YAML");
    let text = objects.iter().filter(is_meant).map(yaml).collect::<Vec<_>>().join("---\n");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    #[expect(clippy::disallowed_methods, reason = "a test has no arguments of its own")]
    if std::env::var_os("SHARDSET_BLESS").is_some() {
        fs::write(&path, &text).expect("it is written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(expected.lines()).position(|(now, then)| now != then);
    assert!(text == expected, "{name} differs from line {:?} on", differs.map(|line| line + 1));
}

#[test]
fn the_least_set_is_as_it_was() {
    compare("least.yaml", json!({}));
}

#[test]
fn a_set_that_says_everything_is_as_it_was() {
    let secret = |key: &str| json!({ "name": "backend", "key": key });
    let pod = json!({
        "image": "registry.example/shardset:1.2",
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{ "name": "registry" }],
        "resources": { "requests": { "cpu": "500m", "memory": "1Gi" }, "limits": { "memory": "1Gi" } },
        "nodeSelector": { "disk": "fast" },
        "tolerations": [{ "key": "dedicated", "operator": "Exists" }],
        "affinity": { "nodeAffinity": {} },
        "topologySpreadConstraints": [{ "maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule" }],
        "priorityClassName": "high",
        "annotations": { "a": "b" },
        "labels": { "team": "x" },
        "env": [{ "name": "RUST_LOG", "value": "debug" }],
        "podSecurityContext": { "runAsUser": 1000 },
        "securityContext": { "privileged": false },
        "serviceAccountName": "mine",
    });
    let mimir = json!({
        "url": "https://mimir.example/api/v1/push",
        "timeoutSeconds": 5,
        "basicAuth": { "username": "u", "password": secret("password") },
        "headers": [{ "name": "X-Scope-OrgID", "value": "team" }],
        "tls": { "authority": secret("ca"), "certificate": secret("cert"), "privateKey": secret("key") },
    });
    let other = json!({ "url": "http://other.example/", "bearerToken": { "name": "other", "key": "token" } });
    let amp = json!({
        "url": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
        "sigv4": { "roleArn": "arn:aws:iam::111122223333:role/writer" },
    });
    let collector = json!({
        "url": "https://collector.example:4317",
        "protocol": "grpc",
        "compression": "none",
        "timeoutSeconds": 7,
        "basicAuth": { "username": "u", "password": { "name": "collector", "key": "password" } },
        "headers": [{ "name": "tenant", "value": "team" }],
        "tls": { "authority": { "name": "collector", "key": "ca" } },
    });
    let prometheus = json!({
        "url": "http://prometheus:9090/api/v1/otlp/v1/metrics",
        "protocol": "http/protobuf",
        "bearerToken": { "name": "other", "key": "token" },
    });
    let spec = json!({
        "routing": { "key": "attributes", "attributes": ["tenant"] },
        "workers": {
            "replicas": 3,
            "storage": { "size": "20Gi", "storageClassName": "fast", "retention": { "whenDeleted": "Delete", "whenScaled": "Retain" } },
            "durability": "Interval",
            "ipFamily": "IPv4",
            "streams": { "max": 2_000_000, "idleSeconds": 60, "forgetAfterSeconds": 3600, "dedupeWindowSeconds": 30, "writers": "One" },
            "pod": pod,
        },
        "gateway": { "replicas": 4, "service": { "type": "LoadBalancer", "annotations": { "lb": "nlb" } }, "pod": pod },
        "export": {
            "remoteWrite": [mimir, other, amp],
            "otlp": [collector, prometheus],
            "prometheus": { "port": 9500 },
            "intervalSeconds": 10,
            "heartbeatSeconds": 30,
            "promoteResourceAttributes": ["service.name"],
            "externalLabels": [{ "name": "cluster", "value": "a" }],
        },
        "networkPolicy": {
            "enabled": true,
            "senders": [{ "namespaceSelector": {} }, { "ipBlock": { "cidr": "10.0.0.0/8" } }],
            "scrapers": [{ "podSelector": { "matchLabels": { "app": "prometheus" } } }],
            "apiServerPorts": [16443],
            "extraEgress": [{ "ports": [{ "port": 8080 }] }],
        },
    });
    compare("everything.yaml", spec);
}

#[test]
fn a_set_of_no_volumes_is_as_it_was() {
    compare("ephemeral.yaml", json!({ "workers": { "storage": { "ephemeral": { "sizeLimit": "1Gi" } } } }));
}

#[test]
fn the_network_policies_of_a_set_that_says_nothing_about_them_but_that_there_are_some_are_as_they_were() {
    let spec = json!({
        "networkPolicy": { "enabled": true },
        "export": { "prometheus": {}, "remoteWrite": [{ "url": "http://prometheus:9090/api/v1/write" }] },
    });
    compare_those("network.yaml", spec, |object| object.kind == Kind::NetworkPolicy);
}

#[test]
fn the_pods_of_a_set_with_tls_are_as_they_were() {
    let spec = json!({ "tls": {
        "receive": { "secretName": "metrics-tls", "clientAuthority": { "name": "senders", "key": "ca.crt" } },
        "peers": { "secretName": "demo-peers", "mode": "Preferred" },
    } });
    compare_those("tls.yaml", spec, |object| matches!(object.kind, Kind::StatefulSet | Kind::Deployment));
}
