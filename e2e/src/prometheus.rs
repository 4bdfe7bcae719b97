//! A real Prometheus that is written to (or that scrapes), and what it answers.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::certificates::Files;
use crate::child::Running;
use crate::{ports, tool, wait};

const PATIENCE: Duration = Duration::from_secs(30);

/// The name of its file about TLS.
const WEB_CONFIGURATION: &str = "web.yml";

/// Metrics of `shardset load` that are no counters.
pub const MAY_FALL: [&str; 2] = ["load_queue_length", "load_temperature_celsius"];

/// A running Prometheus 3 with its receivers of remote write and OTLP on.
pub struct Prometheus {
    /// Where it is reached.
    pub address: SocketAddr,
    folder: TempDir,
    running: Running,
    /// What a client of it has to show and to trust, where it speaks TLS.
    tls: Option<Files>,
}

/// One series of an answer.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Series {
    /// Its labels, the name among them.
    #[serde(rename = "metric")]
    pub labels: BTreeMap<String, String>,
    /// Samples: time in seconds, value.
    #[serde(default, rename = "values")]
    samples: Vec<(f64, String)>,
    #[serde(default, rename = "value")]
    sample: Option<(f64, String)>,
    #[serde(default)]
    histogram: Option<(f64, Value)>,
    #[serde(default)]
    histograms: Vec<(f64, Value)>,
}

impl Prometheus {
    /// Starts it with nothing to scrape.
    ///
    /// # Errors
    ///
    /// When it does not start, or is not ready in time.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_scraping(&[]).await
    }

    /// Starts it with these targets to scrape, every second.
    ///
    /// # Errors
    ///
    /// When it does not start, or is not ready in time.
    pub async fn start_scraping(targets: &[SocketAddr]) -> anyhow::Result<Self> {
        let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
        Self::start_configured(json!([{ "job_name": "shardset", "static_configs": [{ "targets": targets }] }])).await
    }

    /// Starts it with these `scrape_configs`.
    ///
    /// # Errors
    ///
    /// When it does not start, or is not ready in time.
    pub async fn start_configured(scrape_configs: Value) -> anyhow::Result<Self> {
        Self::start_in(tempfile::tempdir()?, json!({ "scrape_configs": scrape_configs })).await
    }

    /// Starts it as its documentation asks of one that takes OTLP: what came a while ago is taken too.
    ///
    /// # Errors
    ///
    /// When it does not start, or is not ready in time.
    pub async fn start_for_otlp() -> anyhow::Result<Self> {
        let storage = json!({ "tsdb": { "out_of_order_time_window": "30m" } });
        Self::start_in(tempfile::tempdir()?, json!({ "storage": storage })).await
    }

    /// Starts it with nothing to scrape; its data and its log stay under `parent`.
    ///
    /// # Errors
    ///
    /// When it does not start, or is not ready in time.
    pub async fn start_under(parent: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("prometheus-").disable_cleanup(true).tempdir_in(parent)?;
        Self::start_in(folder, json!({})).await
    }

    /// Starts it with TLS only, for clients with a certificate. `client` is what is shown when it is asked here. Both are read again whenever
    /// it starts again, at the latest.
    ///
    /// # Errors
    ///
    /// When it does not start, or is not ready in time.
    pub async fn start_with_tls(server: &Files, client: &Files) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let tls = json!({
            "cert_file": server.certificate,
            "key_file": server.private_key,
            "client_ca_file": server.authority,
            "client_auth_type": "RequireAndVerifyClientCert",
        });
        fs::write(folder.path().join(WEB_CONFIGURATION), json!({ "tls_server_config": tls }).to_string())?;
        Self::start_as(folder, json!({}), Some(client.clone())).await
    }

    async fn start_in(folder: TempDir, configuration: Value) -> anyhow::Result<Self> {
        Self::start_as(folder, configuration, None).await
    }

    async fn start_as(folder: TempDir, mut configuration: Value, tls: Option<Files>) -> anyhow::Result<Self> {
        configuration["global"] = json!({ "scrape_interval": "1s" });
        // YAML is a superset of JSON.
        fs::write(folder.path().join("prometheus.yml"), configuration.to_string())?;
        let address = ports::free();
        let mut started = Self { address, running: run(address, &folder)?, folder, tls };
        started.ready().await?;
        Ok(started)
    }

    /// Starts it again, with the same address and data.
    ///
    /// # Errors
    ///
    /// When it does not start, or is not ready in time.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.running = run(self.address, &self.folder)?;
        self.ready().await
    }

    /// Asks it to stop and waits for its end.
    ///
    /// # Errors
    ///
    /// When it does not end in time.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.running.terminate(PATIENCE).await?;
        Ok(())
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The URL to write to.
    pub fn write_url(&self) -> String {
        format!("{}/api/v1/write", self.url())
    }

    /// The URL to send OTLP to.
    pub fn otlp_url(&self) -> String {
        format!("{}/api/v1/otlp/v1/metrics", self.url())
    }

    /// Answers a PromQL expression, now or at a time in seconds.
    ///
    /// # Errors
    ///
    /// When it does not answer, or finds the expression wrong.
    pub async fn query(&self, expression: &str, at: Option<f64>) -> anyhow::Result<Vec<Series>> {
        let mut url = reqwest::Url::parse(&format!("{}/api/v1/query", self.url()))?;
        url.query_pairs_mut().append_pair("query", expression);
        if let Some(at) = at {
            url.query_pairs_mut().append_pair("time", &format!("{at:.3}"));
        }
        let answer: Value = serde_json::from_str(&self.get(url.as_str()).await?.text().await?)?;
        ensure!(answer["status"] == "success", "{expression}: {answer}");
        Ok(serde_json::from_value(answer["data"]["result"].clone())?)
    }

    /// The one series that a selector finds, with the samples of the last five minutes; waits until it is `complete`.
    ///
    /// # Errors
    ///
    /// When it is not complete in time, or there are two.
    pub async fn series(&self, selector: &str, complete: impl Fn(&Series) -> bool) -> anyhow::Result<Series> {
        wait::until(selector, PATIENCE, async || {
            let found = self.query(&format!("{selector}[5m]"), None).await?;
            match found.as_slice() {
                [series] if complete(series) => Ok(series.clone()),
                [series] => bail!("not complete: {series:?}"),
                _ => bail!("{} series: {found:?}", found.len()),
            }
        })
        .await
    }

    /// Waits until `selector` finds one series, and its last sample is `value`.
    ///
    /// # Errors
    ///
    /// When it does not come to that in time.
    pub async fn settles_at(&self, selector: &str, value: f64) -> anyhow::Result<Series> {
        self.series(selector, |series| series.last().is_some_and(|(_, last)| last == value)).await
    }

    /// `increase()` over five minutes, as seen at the time of a series' last sample: nothing is extrapolated there.
    ///
    /// # Errors
    ///
    /// When there is not one answer.
    pub async fn increase(&self, selector: &str, series: &Series) -> anyhow::Result<f64> {
        let (last, _) = series.last().context("a sample")?;
        let found = self.query(&format!("increase({selector}[5m])"), Some(last)).await?;
        match found.as_slice() {
            [series] => series.value().context("a number"),
            _ => bail!("{} series: {found:?}", found.len()),
        }
    }

    /// Counters of `shardset load` that fell within the last `seconds`, with how often.
    ///
    /// # Errors
    ///
    /// When it does not answer, or there are no such counters.
    pub async fn fallen(&self, seconds: u64) -> anyhow::Result<Vec<Series>> {
        let found = self.query("group by (__name__) ({__name__=~\"(claude_code|load)_.+\"})", None).await?;
        let names = found.iter().filter_map(|series| series.labels.get("__name__"));
        let counters: Vec<&String> = names.filter(|name| !MAY_FALL.contains(&name.as_str())).collect();
        ensure!(!counters.is_empty(), "no counter of `shardset load` is there");
        let mut all = Vec::new();
        // Series of two names may have the same labels, and `resets` drops the name.
        for name in counters {
            let expression = format!("resets({{__name__=\"{name}\"}}[{seconds}s]) > 0");
            let mut fallen = self.query(&expression, None).await?;
            fallen.iter_mut().for_each(|series| drop(series.labels.insert("__name__".to_owned(), name.clone())));
            all.extend(fallen);
        }
        Ok(all)
    }

    async fn get(&self, url: &str) -> anyhow::Result<reqwest::Response> {
        let mut client = reqwest::Client::builder();
        if let Some(tls) = &self.tls {
            let identity = [fs::read(&tls.certificate)?, fs::read(&tls.private_key)?].concat();
            let authorities = reqwest::Certificate::from_pem_bundle(&fs::read(&tls.authority)?)?;
            client = client.identity(reqwest::Identity::from_pem(&identity)?).tls_certs_only(authorities);
        }
        Ok(client.build()?.get(url).send().await?)
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let url = format!("{}/-/ready", self.url());
        wait::until("Prometheus is ready", PATIENCE, async || {
            if let Err(ended) = self.running.is_running() {
                return Ok(Err(ended));
            }
            let response = self.get(&url).await?;
            ensure!(response.status().is_success(), "it answers {}", response.status());
            Ok(Ok(()))
        })
        .await?
    }
}

impl Series {
    /// All samples: time in seconds, value.
    pub fn samples(&self) -> Vec<(f64, f64)> {
        self.samples.iter().map(|(at, value)| (*at, value.parse().unwrap_or(f64::NAN))).collect()
    }

    /// The last sample of a range.
    pub fn last(&self) -> Option<(f64, f64)> {
        self.samples().pop()
    }

    /// The value of an instant.
    pub fn value(&self) -> Option<f64> {
        self.sample.as_ref()?.1.parse().ok()
    }

    /// Count and sum of the newest native histogram.
    pub fn histogram(&self) -> Option<(f64, f64)> {
        let (_, histogram) = self.histograms.last().or(self.histogram.as_ref())?;
        let number = |field: &str| histogram[field].as_str()?.parse().ok();
        Some((number("count")?, number("sum")?))
    }

    /// Buckets of the newest native histogram: lower and upper bound, count.
    pub fn buckets(&self) -> Option<Vec<(f64, f64, f64)>> {
        let (_, histogram) = self.histograms.last().or(self.histogram.as_ref())?;
        let number = |value: &Value| value.as_str()?.parse().ok();
        let bucket = |bucket: &Value| Some((number(&bucket[1])?, number(&bucket[2])?, number(&bucket[3])?));
        histogram["buckets"].as_array()?.iter().map(bucket).collect()
    }
}

fn run(address: SocketAddr, folder: &TempDir) -> anyhow::Result<Running> {
    let mut command = Command::new(tool("SHARDSET_E2E_PROMETHEUS")?.join("prometheus"));
    command.current_dir(folder.path()).args(["--web.enable-remote-write-receiver", "--web.enable-otlp-receiver"]);
    command.arg(format!("--web.listen-address={address}"));
    if folder.path().join(WEB_CONFIGURATION).exists() {
        command.arg(format!("--web.config.file={WEB_CONFIGURATION}"));
    }
    command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]);
    Running::start("prometheus", command, folder.path())
}
