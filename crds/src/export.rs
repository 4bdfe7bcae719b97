//! Where the cumulative series go, and how often.
//!
//! Secrets are named and never written here; they are mounted into the workers' pods.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// Where the cumulative series go, and how often.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "(has(self.remoteWrite) && size(self.remoteWrite) > 0) || (has(self.otlp) && size(self.otlp) > 0) || has(self.prometheus)",
        "export must have at least one destination: remoteWrite, otlp or prometheus"
    ),
    validation = (
        "self.heartbeatSeconds >= self.intervalSeconds",
        "heartbeatSeconds must be at least intervalSeconds"
    )
)]
pub struct Export {
    /// Backends that take Prometheus remote write 1.0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["url".into()]))]
    #[schemars(length(max = 8))]
    pub remote_write: Vec<RemoteWrite>,
    /// Backends that take OTLP. Streams go there under the names and attributes that they came with, as cumulative points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["url".into()]))]
    #[schemars(length(max = 8))]
    pub otlp: Vec<Otlp>,
    /// Lets a Prometheus scrape the workers, at /metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<Prometheus>,
    /// Seconds between samples of one series.
    #[serde(default = "schema::interval")]
    #[schemars(range(min = 1, max = 3600))]
    pub interval_seconds: i32,
    /// After how many seconds a series that does not change is repeated.
    #[serde(default = "schema::heartbeat")]
    #[schemars(range(min = 1, max = 3600))]
    pub heartbeat_seconds: i32,
    /// Attributes of the resource that become labels of its series.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::attribute_names")]
    pub promote_resource_attributes: Vec<String>,
    /// Labels that every series gets unless it has them already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 32))]
    pub external_labels: Vec<ExternalLabel>,
}

/// A label of every series.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalLabel {
    /// The label's name.
    #[schemars(length(max = 128), regex(pattern = "^[a-zA-Z_][a-zA-Z0-9_]*$"))]
    pub name: String,
    /// Its value.
    #[schemars(length(min = 1, max = 1024))]
    pub value: String,
}

/// A backend that takes Prometheus remote write 1.0.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "[has(self.bearerToken), has(self.basicAuth), has(self.sigv4)].filter(given, given).size() <= 1",
    "remoteWrite must have at most one of bearerToken, basicAuth and sigv4"
))]
pub struct RemoteWrite {
    /// Where it is and how it is reached.
    #[serde(flatten)]
    pub backend: Backend,
    /// Signatures of AWS, which Amazon Managed Service for Prometheus asks for. The credentials are those that AWS gives to the workers'
    /// pods: IRSA or EKS Pod Identity by `workers.pod.serviceAccountName`, or the node's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigv4: Option<SigV4>,
}

/// A backend that takes OTLP.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "!(has(self.bearerToken) && has(self.basicAuth))",
        "otlp must have at most one of bearerToken and basicAuth"
    ),
    validation = (
        "self.protocol != 'grpc' || !isURL(self.url) || url(self.url).getEscapedPath() in ['', '/']",
        "url must have no path where protocol is grpc"
    ),
    validation = (
        "self.protocol == 'grpc' || !isURL(self.url) || !(url(self.url).getEscapedPath() in ['', '/'])",
        "url must have a path where protocol is http/protobuf, such as /v1/metrics"
    )
)]
pub struct Otlp {
    /// Where it is and how it is reached.
    #[serde(flatten)]
    pub backend: Backend,
    /// How it takes OTLP: grpc or http/protobuf.
    pub protocol: OtlpProtocol,
    /// How requests are compressed: gzip or none.
    #[serde(default)]
    pub compression: Compression,
}

/// How a backend takes OTLP, by the names of OpenTelemetry's own settings.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, JsonSchema)]
pub enum OtlpProtocol {
    /// By gRPC.
    #[serde(rename = "grpc")]
    Grpc,
    /// By HTTP, in protobuf.
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
}

/// How OTLP requests are compressed.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// By gzip.
    #[default]
    Gzip,
    /// Not at all.
    None,
}

/// What all backends that are written to have.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backend {
    /// Where it is: for remote write such as `https://mimir.example/api/v1/push`; for OTLP by grpc `http://collector:4317`, by http/protobuf with
    /// its path, such as `http://collector:4318/v1/metrics` or `http://prometheus:9090/api/v1/otlp/v1/metrics`.
    #[x_kube(validation = (
        "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != ''",
        "url must be an http or https URL with a host"
    ))]
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,
    /// After how many seconds a request is given up and sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 600))]
    pub timeout_seconds: Option<i32>,
    /// A key of a Secret whose value is sent as a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<SecretKey>,
    /// A name and a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
    /// Headers (of grpc: metadata) that are sent with every request, such as X-Scope-OrgID.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 32))]
    pub headers: Vec<Header>,
    /// Whom to trust, and who we are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<BackendTls>,
}

impl Export {
    /// Everything that is written to.
    pub fn backends(&self) -> impl Iterator<Item = &Backend> {
        self.remote_write.iter().map(|one| &one.backend).chain(self.otlp.iter().map(|one| &one.backend))
    }
}

/// Signatures of AWS (Signature Version 4).
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SigV4 {
    /// The region of the workspace; the one in the URL where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = "^[a-z]{2}(-[a-z]+)+-[0-9]+$"))]
    pub region: Option<String>,
    /// The ARN of a role to assume, where the workspace is another account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = "^arn:[a-z-]+:iam::[0-9]{12}:role/.+$"))]
    pub role_arn: Option<String>,
}

/// A header.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Its name.
    #[schemars(length(max = 128), regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub name: String,
    /// Its value; no secret, which this is no place for.
    #[schemars(length(max = 4096))]
    pub value: String,
}

/// A key of a Secret in the resource's namespace.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// HTTP basic authentication.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BasicAuth {
    /// The user's name.
    #[schemars(length(min = 1, max = 256))]
    pub username: String,
    /// The key of a Secret whose value is the password.
    pub password: SecretKey,
}

/// TLS towards a backend.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "has(self.certificate) == has(self.privateKey)",
    "certificate and privateKey must be given together"
))]
pub struct BackendTls {
    /// Certificates to trust instead of the system's roots, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<SecretKey>,
    /// Who we are: a certificate with its chain, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<SecretKey>,
    /// The certificate's key, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<SecretKey>,
}

/// What a Prometheus scrapes.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Prometheus {
    /// The port of each worker's pod.
    #[serde(default = "schema::scrape_port")]
    #[schemars(range(min = 1024, max = 65535))]
    pub port: i32,
}
