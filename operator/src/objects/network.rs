//! NetworkPolicies of both tiers, where the set asks for them: the connections that its parts make, and no others.
//!
//! Ports are numbers, which every network knows. What no label selects is open by its port to every address: the API server,
//! backends, and whoever resolves names. Probes come from the pod's own node, which is always let in.

use std::collections::BTreeSet;

use reqwest::Url;
use serde_json::{Value, json};
use shardset_crds::MetricsShardSet;

use super::pod::{ADMIN_PORT, OTLP_GRPC_PORT, OTLP_HTTP_PORT};
use super::{Blueprint, COMPONENT, Kind, Object, Tier, selector};

const DNS_PORT: u16 = 53;
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
/// Where AWS tells a pod who it is, all of them on its own node: EC2, ECS and EKS Pod Identity, and their IPv6.
const AWS_IDENTITY: [&str; 5] =
    ["169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "fd00:ec2::254/128", "fd00:ec2::23/128"];
/// The label that every namespace has, with its name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// What the chart calls the operator's pods, whatever the release is called.
const OPERATOR: &str = "operator";

pub(super) fn of_both_tiers(of: Blueprint<'_>) -> Vec<Object> {
    match of.set.spec.network_policy.enabled {
        true => vec![
            policy(of, Tier::Worker, to_workers(of), from_workers(of)),
            policy(of, Tier::Gateway, to_gateways(of), from_gateways(of)),
        ],
        false => Vec::new(),
    }
}

fn policy(of: Blueprint<'_>, tier: Tier, ingress: Vec<Value>, egress: Vec<Value>) -> Object {
    let spec = json!({ "spec": {
        "podSelector": { "matchLabels": selector(&of.name(), tier) },
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress,
        "egress": egress,
    } });
    of.object(Kind::NetworkPolicy, tier, spec)
}

/// Points and streams, and the operator's questions, which come by the same port; and whoever scrapes.
fn to_workers(of: Blueprint<'_>) -> Vec<Value> {
    let senders = [tier(of, Tier::Gateway), tier(of, Tier::Worker), operator(of)];
    let scraped = of.set.spec.export.prometheus.as_ref().map(|scrape| tcp(&scrape.port));
    let scraped = [tcp(&ADMIN_PORT)].into_iter().chain(scraped).collect();
    vec![
        rule("from", &senders, vec![tcp(&OTLP_GRPC_PORT)]),
        rule("from", &of.set.spec.network_policy.scrapers, scraped),
    ]
}

/// Streams for other workers, and totals for backends.
fn from_workers(of: Blueprint<'_>) -> Vec<Value> {
    let mut rules = vec![rule("to", &[tier(of, Tier::Worker)], vec![tcp(&OTLP_GRPC_PORT)]), names()];
    let backends: Vec<Value> = backend_ports(of.set).iter().map(|port| tcp(&port)).collect();
    // A rule of no ports would be one of all ports.
    if !backends.is_empty() {
        rules.push(rule("to", &[], backends));
    }
    if of.set.spec.export.remote_write.iter().any(|backend| backend.sigv4.is_some()) {
        let identity = AWS_IDENTITY.map(|address| json!({ "ipBlock": { "cidr": address } }));
        rules.push(rule("to", &identity, vec![tcp(&HTTP_PORT)]));
        // Web identities and roles are shown to STS.
        rules.push(rule("to", &[], vec![tcp(&HTTPS_PORT)]));
    }
    rules.extend(of.set.spec.network_policy.extra_egress.iter().cloned());
    rules
}

/// Points; the operator, which asks for the epoch; and whoever scrapes.
fn to_gateways(of: Blueprint<'_>) -> Vec<Value> {
    let asked = &of.set.spec.network_policy;
    vec![
        rule("from", &asked.senders, vec![tcp(&OTLP_GRPC_PORT), tcp(&OTLP_HTTP_PORT)]),
        rule("from", &[operator(of)], vec![tcp(&ADMIN_PORT)]),
        rule("from", &asked.scrapers, vec![tcp(&ADMIN_PORT)]),
    ]
}

/// Points for workers, and the watch on the membership.
fn from_gateways(of: Blueprint<'_>) -> Vec<Value> {
    let mut rules = vec![rule("to", &[tier(of, Tier::Worker)], vec![tcp(&OTLP_GRPC_PORT)]), names()];
    let ports: Vec<Value> = of.set.spec.network_policy.api_server_ports.iter().map(|port| tcp(&port)).collect();
    if !ports.is_empty() {
        rules.push(rule("to", &[], ports));
    }
    rules
}

/// Everybody, where no peers are named.
fn rule(side: &str, peers: &[Value], ports: Vec<Value>) -> Value {
    match peers {
        [] => json!({ "ports": ports }),
        peers => json!({ side: peers, "ports": ports }),
    }
}

fn names() -> Value {
    json!({ "ports": [{ "port": DNS_PORT, "protocol": "UDP" }, tcp(&DNS_PORT)] })
}

fn tcp(port: &impl serde::Serialize) -> Value {
    json!({ "port": port, "protocol": "TCP" })
}

/// A tier's pods in the set's namespace.
fn tier(of: Blueprint<'_>, tier: Tier) -> Value {
    json!({ "podSelector": { "matchLabels": selector(&of.name(), tier) } })
}

fn operator(of: Blueprint<'_>) -> Value {
    json!({
        "namespaceSelector": { "matchLabels": { NAMESPACE_NAME: of.operator_namespace } },
        "podSelector": { "matchLabels": { COMPONENT: OPERATOR } },
    })
}

/// The ports that URLs of backends name, or that their schemes mean.
fn backend_ports(set: &MetricsShardSet) -> BTreeSet<u16> {
    let port = |url: &str| Url::parse(url).ok()?.port_or_known_default();
    set.spec.export.backends().filter_map(|backend| port(&backend.url)).collect()
}
