//! The Services: of the workers, so that they have names and Kubernetes keeps slices of them, and of the gateways, for senders.

use serde_json::{Value, json};
use shardset_crds::{IpFamily, ServiceType};

use super::pod::{ADMIN_PORT, OTLP_GRPC_PORT, OTLP_HTTP_PORT, extend};
use super::{Blueprint, Kind, Object, Tier, selector};

pub(super) fn of_both_tiers(of: Blueprint<'_>) -> Vec<Object> {
    let name = of.name();
    let mut workers = json!({ "spec": {
        "clusterIP": "None",
        "selector": selector(&name, Tier::Worker),
        // Whoever restarts is found before it is ready: it is asked how far it is, and told the membership.
        "publishNotReadyAddresses": true,
        "ports": [port("otlp", OTLP_GRPC_PORT), port("admin", ADMIN_PORT)],
    } });
    if let Some(family) = of.set.spec.workers.ip_family {
        let family = match family {
            IpFamily::IPv4 => "IPv4",
            IpFamily::IPv6 => "IPv6",
        };
        // Gateways take newer addresses from this Service's slices, which are of its families.
        extend(&mut workers["spec"], json!({ "ipFamilyPolicy": "SingleStack", "ipFamilies": [family] }));
    }
    let service = &of.set.spec.gateway.service;
    let kind = match service.kind {
        ServiceType::ClusterIP => "ClusterIP",
        ServiceType::NodePort => "NodePort",
        ServiceType::LoadBalancer => "LoadBalancer",
    };
    let mut gateways = json!({ "spec": {
        "type": kind,
        "selector": selector(&name, Tier::Gateway),
        "ports": [port("otlp-grpc", OTLP_GRPC_PORT), port("otlp-http", OTLP_HTTP_PORT)],
    } });
    if !service.annotations.is_empty() {
        gateways["annotations"] = json!(service.annotations);
    }
    vec![of.object(Kind::Service, Tier::Worker, workers), of.object(Kind::Service, Tier::Gateway, gateways)]
}

fn port(name: &str, number: u16) -> Value {
    json!({ "name": name, "port": number, "targetPort": name, "protocol": "TCP" })
}
