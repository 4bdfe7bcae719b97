//! Who may talk to the pods of a set, and to whom they may talk.
//!
//! Peers have a schema here, unlike what is said about pods: it is small, and a peer that is misspelt would shut out whom it was to
//! let in.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema;

/// NetworkPolicies of the pods: the connections that the set needs, and no others. Policies add up, so another one in the
/// namespace may allow more. They do something only where the cluster's network enforces them.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// Whether there are any.
    #[serde(default)]
    pub enabled: bool,
    /// Who may send points to the gateways, at ports 4317 and 4318, as in a NetworkPolicy. Left out: everybody. A load balancer may
    /// hide who sends behind the address of a node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::peers")]
    pub senders: Vec<Value>,
    /// Who may scrape workers and gateways, at port 9465 and at that of export.prometheus, as in a NetworkPolicy. Left out:
    /// everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::peers")]
    pub scrapers: Vec<Value>,
    /// Ports of the API server, which gateways watch. No label selects it, so they are open to every address.
    #[serde(default = "schema::api_server_ports")]
    #[schemars(schema_with = "schema::ports")]
    pub api_server_ports: Vec<i32>,
    /// More rules for what workers may reach, as in a NetworkPolicy. The ports that stand in the URLs of remoteWrite and otlp are
    /// open to every address already; a Service that forwards to another port needs that one here, and so does a proxy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::any_objects")]
    pub extra_egress: Vec<Value>,
}

impl Default for NetworkPolicy {
    fn default() -> Self {
        Self {
            enabled: false,
            senders: Vec::new(),
            scrapers: Vec::new(),
            api_server_ports: schema::api_server_ports(),
            extra_egress: Vec::new(),
        }
    }
}
