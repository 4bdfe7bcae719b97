//! The tier of gateways: how many, and how senders reach them.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Pod, schema};

/// The gateways. They keep no state; any number may run.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    /// How many gateways.
    #[serde(default = "schema::gateways")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: i32,
    /// The Service that senders talk to, NAME-gateway: OTLP/gRPC at port 4317, OTLP/HTTP at port 4318.
    #[serde(default)]
    pub service: GatewayService,
    /// How the pods look and where they run.
    #[serde(default)]
    pub pod: Pod,
}

/// The Service that senders talk to.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayService {
    /// From where it can be reached.
    #[serde(default, rename = "type")]
    pub kind: ServiceType,
    /// What the provider of a load balancer wants to know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::annotations")]
    pub annotations: BTreeMap<String, String>,
}

/// From where a Service can be reached.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default, JsonSchema)]
pub enum ServiceType {
    /// From within the cluster.
    #[default]
    ClusterIP,
    /// At a port of every node too.
    NodePort,
    /// At a load balancer too.
    LoadBalancer,
}

impl Default for Gateway {
    fn default() -> Self {
        Self { replicas: schema::gateways(), service: GatewayService::default(), pod: Pod::default() }
    }
}
