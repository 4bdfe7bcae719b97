//! The NetworkPolicies of a set against the connections that its parts make: those are allowed, and others are not.
//!
//! Policies are evaluated here as their specification has it: a connection needs to be let out where it begins and let in where it
//! ends; whoever no policy selects may do everything. Probes come from the pod's own node, which no policy keeps out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};
use shardset_operator::{Blueprint, Kind, Object, objects};

use crate::scene::set;

type Labels = BTreeMap<String, String>;

/// Whoever talks, or is talked to.
#[derive(Clone, Debug)]
struct End {
    /// The namespace and the labels of a pod; nothing of what is no pod.
    pod: Option<(String, Labels)>,
    ip: Ipv4Addr,
}

impl End {
    fn pod(namespace: &str, labels: &Value) -> Self {
        let labels = serde_json::from_value(labels.clone()).expect("labels");
        Self { pod: Some((namespace.to_owned(), labels)), ip: Ipv4Addr::new(10, 0, 0, 1) }
    }

    fn outside(ip: [u8; 4]) -> Self {
        Self { pod: None, ip: ip.into() }
    }
}

/// The labels of a namespace: its name, and whose it is.
fn namespace_labels(name: &str) -> Labels {
    let team = if name == "shop" { "a" } else { "other" };
    [("kubernetes.io/metadata.name", name), ("team", team)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    assert!(selector.match_expressions.is_none(), "expressions are not evaluated here");
    selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value))
}

/// Whether a policy is of this pod.
fn is_of(policy: &NetworkPolicy, end: &End) -> bool {
    let Some((namespace, labels)) = &end.pod else { return false };
    let selector = policy.spec.as_ref().and_then(|spec| spec.pod_selector.as_ref()).expect("a policy selects pods");
    policy.metadata.namespace.as_ref() == Some(namespace) && selects(selector, labels)
}

fn lies_in(ip: Ipv4Addr, block: &str) -> bool {
    if block.contains(':') {
        return false;
    }
    let (base, length) = block.split_once('/').expect("a block");
    let (base, length): (Ipv4Addr, u32) = (base.parse().expect("an address"), length.parse().expect("a length"));
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    u32::from(ip) & mask == u32::from(base) & mask
}

fn is_peer(policy: &NetworkPolicy, peer: &NetworkPolicyPeer, end: &End) -> bool {
    if let Some(IPBlock { cidr, except }) = &peer.ip_block {
        return lies_in(end.ip, cidr) && !except.iter().flatten().any(|block| lies_in(end.ip, block));
    }
    let Some((namespace, labels)) = &end.pod else { return false };
    let is_there = match &peer.namespace_selector {
        Some(selector) => selects(selector, &namespace_labels(namespace)),
        None => policy.metadata.namespace.as_ref() == Some(namespace),
    };
    is_there && peer.pod_selector.as_ref().is_none_or(|selector| selects(selector, labels))
}

/// Whether a rule of these peers and ports, where it names any, is about a connection with that end at that port.
fn is_about(
    policy: &NetworkPolicy,
    peers: Option<&Vec<NetworkPolicyPeer>>,
    ports: Option<&Vec<NetworkPolicyPort>>,
    (end, port, protocol): (&End, u16, &str),
) -> bool {
    let is_port = |one: &NetworkPolicyPort| {
        let is_number = one.port.as_ref().is_none_or(|number| *number == IntOrString::Int(port.into()));
        is_number && one.protocol.as_deref().unwrap_or("TCP") == protocol
    };
    let all = |list: usize| list == 0;
    peers.is_none_or(|peers| all(peers.len()) || peers.iter().any(|peer| is_peer(policy, peer, end)))
        && ports.is_none_or(|ports| all(ports.len()) || ports.iter().any(is_port))
}

/// Whether the policies let this connection out and in.
fn are_allowed(policies: &[NetworkPolicy], from: &End, to: &End, port: u16, protocol: &str) -> bool {
    let is_typed = |policy: &&NetworkPolicy, direction: &str| {
        let types = policy.spec.as_ref().and_then(|spec| spec.policy_types.as_ref());
        types.is_some_and(|types| types.iter().any(|one| one == direction))
    };
    let of = |end: &End, direction: &'static str| -> Vec<&NetworkPolicy> {
        policies.iter().filter(|policy| is_typed(policy, direction) && is_of(policy, end)).collect()
    };
    let (out, into) = (of(from, "Egress"), of(to, "Ingress"));
    let leaves = |policy: &&NetworkPolicy| {
        let rules = policy.spec.iter().flat_map(|spec| spec.egress.iter().flatten());
        rules.into_iter().any(|rule| is_about(policy, rule.to.as_ref(), rule.ports.as_ref(), (to, port, protocol)))
    };
    let enters = |policy: &&NetworkPolicy| {
        let rules = policy.spec.iter().flat_map(|spec| spec.ingress.iter().flatten());
        rules.into_iter().any(|rule| is_about(policy, rule.from.as_ref(), rule.ports.as_ref(), (from, port, protocol)))
    };
    (out.is_empty() || out.iter().any(leaves)) && (into.is_empty() || into.iter().any(enters))
}

/// A set that asks for policies, its pods, and everybody around them.
struct Stage {
    policies: Vec<NetworkPolicy>,
    /// Ports of each tier's container, by name.
    ports: BTreeMap<(&'static str, String), u16>,
    ends: BTreeMap<&'static str, End>,
}

impl Stage {
    fn new(network_policy: Value) -> Self {
        let remote_write = ["https://mimir.example/api/v1/push", "http://prometheus:9090/api/v1/write"];
        let set = set(json!({
            "networkPolicy": network_policy,
            "export": {
                "prometheus": {},
                "remoteWrite": remote_write.map(|url| json!({ "url": url })),
                "otlp": [{ "url": "http://collector:4318/v1/metrics", "protocol": "http/protobuf" }],
            },
        }));
        let of = Blueprint {
            set: &set,
            image: "shardset:test",
            operator_namespace: "shardset-system",
            workers: 3,
            size: None,
        };
        let objects = objects(of);
        let policies = objects.iter().filter(|object| object.kind == Kind::NetworkPolicy);
        let policies = policies.map(|policy| serde_json::from_value(policy.body.clone()).expect("a policy")).collect();
        let template = |kind: Kind| {
            let found = objects.iter().find(|object: &&Object| object.kind == kind).expect("it is rendered");
            found.body["spec"]["template"].clone()
        };
        let (worker, gateway) = (template(Kind::StatefulSet), template(Kind::Deployment));
        let mut other = worker["metadata"]["labels"].clone();
        other["shardset.dev/set"] = "other".into();
        let operator = operator_labels();
        let ends = [
            ("worker", End::pod("metrics", &worker["metadata"]["labels"])),
            ("another worker", End::pod("metrics", &worker["metadata"]["labels"])),
            ("gateway", End::pod("metrics", &gateway["metadata"]["labels"])),
            ("operator", End::pod("shardset-system", &operator)),
            ("somebody's operator", End::pod("shop", &operator)),
            ("pod of the operator's namespace", End::pod("shardset-system", &json!({}))),
            ("worker of another set", End::pod("metrics", &other)),
            ("worker of another namespace", End::pod("shop", &worker["metadata"]["labels"])),
            ("pod", End::pod("metrics", &json!({ "app": "prometheus" }))),
            ("shop", End::pod("shop", &json!({}))),
            ("prometheus", End::pod("monitoring", &json!({ "app": "prometheus" }))),
            ("names", End::pod("kube-system", &json!({}))),
            ("outside", End::outside([192, 0, 2, 1])),
            ("factory", End::outside([10, 9, 2, 1])),
            ("canteen of the factory", End::outside([10, 9, 1, 1])),
        ];
        let ports = [("worker", &worker), ("gateway", &gateway)].into_iter().flat_map(|(tier, template)| {
            let ports = template["spec"]["containers"][0]["ports"].as_array().expect("ports");
            ports.iter().map(move |port| {
                let number = port["containerPort"].as_u64().and_then(|port| u16::try_from(port).ok());
                ((tier, port["name"].as_str().expect("a name").to_owned()), number.expect("a port"))
            })
        });
        Self { policies, ports: ports.collect(), ends: ends.into() }
    }

    /// The rows that are not as they should be. A port is one of the tier that is talked to, by its name, or a number.
    fn wrong(&self, rows: &[Row]) -> Vec<String> {
        let mut wrong = Vec::new();
        for row in rows {
            let &(from, to, port, expected) = row;
            let tier = if to == "another worker" { "worker" } else { to };
            let (name, protocol) = port.split_once('/').unwrap_or((port, "TCP"));
            let own = self.ports.iter().find(|((of, called), _)| *of == tier && called == name).map(|(_, port)| *port);
            let number = own.or_else(|| name.parse().ok()).unwrap_or_else(|| panic!("{to} has no port {name}"));
            if are_allowed(&self.policies, &self.ends[from], &self.ends[to], number, protocol) != expected {
                wrong.push(format!("{from} to {to} at {port} is {}", if expected { "cut" } else { "let through" }));
            }
        }
        wrong
    }
}

/// What the charts call the operator's pods.
fn operator_labels() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/install.yaml");
    let text = std::fs::read_to_string(path).expect("the rendered charts");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("the operator's Deployment");
    assert_eq!(deployment["metadata"]["namespace"], "shardset-system");
    deployment["spec"]["template"]["metadata"]["labels"].clone()
}

/// From whom, to whom, at which port, and whether it shall be.
type Row = (&'static str, &'static str, &'static str, bool);

/// What the parts do: whoever is cut off here makes the set stand still.
const NEEDED: &[Row] = &[
    // Parts of requests, and the membership with them.
    ("gateway", "worker", "otlp", true),
    // Streams that move.
    ("worker", "another worker", "otlp", true),
    // How far a worker is, and what the membership is.
    ("operator", "worker", "otlp", true),
    // By which epoch a gateway routes.
    ("operator", "gateway", "admin", true),
    // The watch on the membership.
    ("gateway", "outside", "443", true),
    ("gateway", "outside", "6443", true),
    ("gateway", "names", "53/UDP", true),
    ("gateway", "names", "53", true),
    ("worker", "names", "53/UDP", true),
    ("worker", "names", "53", true),
    // Totals for the backends, wherever they are.
    ("worker", "outside", "443", true),
    ("worker", "prometheus", "9090", true),
    ("worker", "outside", "4318", true),
];

/// What nobody needs.
const NEEDLESS: &[Row] = &[
    ("pod", "worker", "otlp", false),
    ("outside", "worker", "otlp", false),
    ("worker of another set", "worker", "otlp", false),
    ("worker of another namespace", "worker", "otlp", false),
    ("somebody's operator", "worker", "otlp", false),
    ("pod of the operator's namespace", "worker", "otlp", false),
    ("gateway", "worker", "admin", false),
    ("gateway", "worker of another set", "4317", false),
    ("gateway", "outside", "80", false),
    ("gateway", "prometheus", "9090", false),
    ("gateway", "outside", "4318", false),
    ("worker", "gateway", "otlp-grpc", false),
    ("worker", "worker of another set", "4317", false),
    ("worker", "outside", "6443", false),
    ("worker", "outside", "80", false),
    ("worker", "outside", "443/UDP", false),
];

#[test]
fn policies_allow_what_the_parts_do_and_everybody_who_sends_or_scrapes() {
    let everybody: &[Row] = &[
        ("shop", "gateway", "otlp-grpc", true),
        ("outside", "gateway", "otlp-grpc", true),
        ("outside", "gateway", "otlp-http", true),
        ("prometheus", "gateway", "admin", true),
        ("prometheus", "worker", "admin", true),
        ("prometheus", "worker", "scrape", true),
    ];
    let stage = Stage::new(json!({ "enabled": true }));
    assert_eq!(stage.policies.len(), 2);
    assert_eq!(stage.wrong(&[NEEDED, NEEDLESS, everybody].concat()), Vec::<String>::new());
    // A port that nobody may reach is one that was forgotten here.
    let reached: BTreeSet<(&str, &str)> = [NEEDED, everybody].concat().iter().map(|row| (row.1, row.2)).collect();
    let is_reached = |tier: &str, port: &str| {
        reached.contains(&(tier, port)) || (tier == "worker" && reached.contains(&("another worker", port)))
    };
    let forgotten: Vec<_> = stage.ports.keys().filter(|(tier, port)| !is_reached(tier, port)).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

#[test]
fn peers_that_are_named_are_the_only_ones_who_send_and_scrape() {
    let prometheus = json!({
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "monitoring" } },
        "podSelector": { "matchLabels": { "app": "prometheus" } },
    });
    let stage = Stage::new(json!({
        "enabled": true,
        "senders": [
            { "namespaceSelector": { "matchLabels": { "team": "a" } } },
            { "ipBlock": { "cidr": "10.9.0.0/16", "except": ["10.9.1.0/24"] } },
        ],
        "scrapers": [prometheus],
        "apiServerPorts": [16443],
        "extraEgress": [{ "to": [{ "ipBlock": { "cidr": "192.0.2.0/24" } }], "ports": [{ "port": 3128 }] }],
    }));
    let rows: &[Row] = &[
        ("shop", "gateway", "otlp-grpc", true),
        ("shop", "gateway", "otlp-http", true),
        ("factory", "gateway", "otlp-http", true),
        ("canteen of the factory", "gateway", "otlp-http", false),
        ("outside", "gateway", "otlp-grpc", false),
        ("pod", "gateway", "otlp-grpc", false),
        ("prometheus", "gateway", "otlp-grpc", false),
        ("prometheus", "gateway", "admin", true),
        ("prometheus", "worker", "admin", true),
        ("prometheus", "worker", "scrape", true),
        ("prometheus", "worker", "otlp", false),
        ("pod", "worker", "admin", false),
        ("pod", "worker", "scrape", false),
        ("shop", "gateway", "admin", false),
        ("gateway", "outside", "16443", true),
        ("gateway", "outside", "6443", false),
        ("worker", "outside", "3128", true),
        ("worker", "factory", "3128", false),
        ("gateway", "outside", "3128", false),
    ];
    let of_api_server = |row: &&Row| row.0 == "gateway" && row.1 == "outside";
    let needed: Vec<Row> = NEEDED.iter().filter(|row| !of_api_server(row)).copied().collect();
    assert_eq!(stage.wrong(&[&needed, NEEDLESS, rows].concat()), Vec::<String>::new());
}

#[test]
fn workers_that_sign_what_they_write_may_ask_who_they_are() {
    let url = "http://proxy.example:8005/workspaces/ws-1/api/v1/remote_write";
    let mut stage = Stage::new(json!({ "enabled": true }));
    let mut allowed = |sigv4: Value| {
        let set = set(json!({
            "networkPolicy": { "enabled": true },
            "export": { "remoteWrite": [{ "url": url, "sigv4": sigv4 }] },
        }));
        let of = Blueprint { set: &set, image: "", operator_namespace: "shardset-system", workers: 1, size: None };
        let policies = objects(of).into_iter().filter(|object| object.kind == Kind::NetworkPolicy);
        stage.policies = policies.map(|policy| serde_json::from_value(policy.body).expect("a policy")).collect();
        [([169, 254, 170, 23], 80), ([169, 254, 169, 254], 80), ([192, 0, 2, 1], 443), ([192, 0, 2, 1], 80)]
            .map(|(ip, port)| are_allowed(&stage.policies, &stage.ends["worker"], &End::outside(ip), port, "TCP"))
    };
    assert_eq!(allowed(json!({ "region": "eu-west-1" })), [true, true, true, false]);
    assert_eq!(allowed(Value::Null), [false; 4]);
}

#[test]
fn a_set_that_does_not_ask_for_policies_has_none() {
    for off in [json!({}), json!({ "enabled": false, "scrapers": [{ "podSelector": {} }] })] {
        assert!(Stage::new(off).policies.is_empty());
    }
}

#[test]
fn no_backends_and_no_api_server_are_no_ports_and_not_all_of_them() {
    let mut stage = Stage::new(json!({ "enabled": true, "apiServerPorts": [] }));
    assert!(!are_allowed(&stage.policies, &stage.ends["gateway"], &stage.ends["outside"], 443, "TCP"));
    let set = set(json!({ "networkPolicy": { "enabled": true } }));
    let of = Blueprint { set: &set, image: "", operator_namespace: "shardset-system", workers: 1, size: None };
    let policies = objects(of).into_iter().filter(|object| object.kind == Kind::NetworkPolicy);
    stage.policies = policies.map(|policy| serde_json::from_value(policy.body).expect("a policy")).collect();
    for port in [80, 443, 9090] {
        assert!(!are_allowed(&stage.policies, &stage.ends["worker"], &stage.ends["outside"], port, "TCP"), "{port}");
    }
}
