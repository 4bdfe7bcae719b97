//! A real Prometheus in a pod of a test's namespace, which is written to, and is asked through the API server.

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::{Pod, Service};
use serde_json::{Value, json};
use shardset_e2e::prometheus::{MAY_FALL, Series};

use crate::PROMETHEUS_IMAGE;
use crate::space::Space;

const PORT: u16 = 9090;

/// A Prometheus.
pub struct Prometheus {
    space: Space,
    address: String,
}

impl Prometheus {
    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// It does not get ready.
    pub async fn start(space: &Space) -> anyhow::Result<Self> {
        let labels = json!({ "app": "prometheus" });
        let service = json!({
            "metadata": { "name": "prometheus" },
            "spec": { "selector": labels, "ports": [{ "name": "http", "port": PORT }] },
        });
        let service: Service = space.apply(service).await?;
        let address = service.spec.and_then(|spec| spec.cluster_ip).context("a Service has an address")?;
        let args = [
            "--web.enable-remote-write-receiver",
            "--config.file=/dev/null",
            "--storage.tsdb.path=/data",
            "--log.level=warn",
        ];
        let container = json!({
            "name": "prometheus",
            "image": PROMETHEUS_IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "args": args,
            "ports": [{ "containerPort": PORT }],
            "readinessProbe": { "httpGet": { "path": "/-/ready", "port": PORT }, "periodSeconds": 1 },
            "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
            "securityContext": restricted_container(),
        });
        let pod = json!({
            "metadata": { "name": "prometheus", "labels": labels },
            "spec": {
                "containers": [container],
                "securityContext": restricted_pod(),
                "volumes": [{ "name": "data", "emptyDir": {} }],
                "automountServiceAccountToken": false,
            },
        });
        space.apply::<Pod>(pod).await?;
        let started = Self { space: space.clone(), address };
        space.until("Prometheus is ready", 60, async || started.query("vector(1)").await.map(drop)).await?;
        Ok(started)
    }

    /// Its base URL, within the cluster.
    pub fn url(&self) -> String {
        format!("http://{}:{PORT}", self.address)
    }

    /// The part of a set's spec that lets its totals be written here.
    pub fn export(&self) -> Value {
        json!({ "export": { "remoteWrite": [{ "url": format!("{}/api/v1/write", self.url()) }] } })
    }

    /// Answers a PromQL expression, now, without the API server: for whoever is on the pods' network.
    ///
    /// # Errors
    ///
    /// When it does not answer, or finds the expression wrong.
    pub async fn query_directly(&self, expression: &str) -> anyhow::Result<Vec<Series>> {
        let url = format!("{}/api/v1/query?query={}", self.url(), encoded(expression));
        answer(expression, &reqwest::get(url).await?.text().await?)
    }

    /// Answers a PromQL expression, now.
    ///
    /// # Errors
    ///
    /// When it does not answer, or finds the expression wrong.
    pub async fn query(&self, expression: &str) -> anyhow::Result<Vec<Series>> {
        let query = encoded(expression);
        let namespace = &self.space.name;
        let path =
            format!("/api/v1/namespaces/{namespace}/services/prometheus:{PORT}/proxy/api/v1/query?query={query}");
        let text = self.space.client.request_text(http::Request::get(path).body(Vec::new())?).await?;
        answer(expression, &text)
    }

    /// Whether no counter of `shardset load` was reset.
    ///
    /// # Errors
    ///
    /// Which were, or it does not answer, or there are no such counters.
    pub async fn nothing_was_reset(&self) -> anyhow::Result<()> {
        let found = self.query("group by (__name__) ({__name__=~\"(claude_code|load)_.+\"})").await?;
        let names = found.iter().filter_map(|series| series.labels.get("__name__"));
        let counters: Vec<&String> = names.filter(|name| !MAY_FALL.contains(&name.as_str())).collect();
        ensure!(!counters.is_empty(), "no counter of `shardset load` is there");
        let mut all = Vec::new();
        for name in counters {
            all.extend(self.query(&format!("resets({{__name__=\"{name}\"}}[10m]) > 0")).await?);
        }
        ensure!(all.is_empty(), "{} counters were reset: {all:?}", all.len());
        Ok(())
    }

    /// Waits until the first totals are there.
    ///
    /// # Errors
    ///
    /// None are in time.
    pub async fn has_totals(&self) -> anyhow::Result<()> {
        self.space
            .until("the first totals", 60, async || {
                let found = self.query("count(claude_code_session_count_total)").await?;
                found.first().context("nothing arrived").map(drop)
            })
            .await
    }
}

fn encoded(expression: &str) -> String {
    expression.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn answer(expression: &str, text: &str) -> anyhow::Result<Vec<Series>> {
    let answer: Value = serde_json::from_str(text)?;
    ensure!(answer["status"] == "success", "{expression}: {answer}");
    Ok(serde_json::from_value(answer["data"]["result"].clone())?)
}

/// What the restricted profile asks of a pod.
pub(crate) fn restricted_pod() -> Value {
    json!({
        "runAsNonRoot": true,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": { "type": "RuntimeDefault" },
    })
}

/// What the restricted profile asks of a container.
pub(crate) fn restricted_container() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    })
}
