//! TLS: towards senders, and between the pods of a set.
//!
//! Secrets are named and never written here; they are mounted into the pods, and what changes in them is read without a restart.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SecretKey;

/// TLS towards senders, and between the pods of the set. Towards backends it stands with each destination of `export`.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Gateways receive with TLS, on both ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive: Option<ReceiveTls>,
    /// Gateways, workers and the operator reach workers with TLS, and both ends show a certificate. To bring it to a set that runs,
    /// let it be Preferred first, and Required once the pods are replaced; the way back is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<PeersTls>,
}

/// TLS towards senders.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiveTls {
    /// A Secret of the type kubernetes.io/tls, with the keys tls.crt and tls.key: the gateways' certificate, with the name by which
    /// senders know them.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
    /// Take requests only of senders with a certificate of these authorities: a key of a Secret, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_authority: Option<SecretKey>,
}

/// TLS between the pods of the set.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeersTls {
    /// A Secret with the keys tls.crt, tls.key and ca.crt, as cert-manager makes them: the certificate of the set's pods, for servers and
    /// clients, with the DNS name `SET-worker.NAMESPACE.svc`, and its authority, which should have no other purpose. The operator
    /// needs one of the same authority (the chart's value `peerTls.secretName`).
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
    /// Required lets nothing go without TLS. Preferred takes and makes connections without it too, where the other end has none yet.
    #[serde(default)]
    pub mode: PeersTlsMode,
}

/// Whether pods insist on TLS.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default, JsonSchema)]
pub enum PeersTlsMode {
    /// Nothing goes without.
    #[default]
    Required,
    /// With those that can.
    Preferred,
}
