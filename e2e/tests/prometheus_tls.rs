//! Remote write to a Prometheus that speaks TLS and asks for certificates.
#![cfg(feature = "real-parts")]

use anyhow::ensure;
use shardset_e2e::certificates::Authority;
use shardset_e2e::otlp::{self, Delta};
use shardset_e2e::prometheus::Prometheus;
use shardset_e2e::shardset::Shardset;

#[tokio::test]
async fn totals_reach_prometheus_over_tls_and_go_on_when_all_certificates_are_others() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let issue = || {
        let authority = Authority::new()?;
        let server = authority.issue_files(folder.path(), "server", &["127.0.0.1"])?;
        anyhow::Ok((server, authority.issue_files(folder.path(), "client", &["shardset"])?))
    };
    let (server, client) = issue()?;
    let mut prometheus = Prometheus::start_with_tls(&server, &client).await?;
    ensure!(reqwest::get(prometheus.url()).await.is_err(), "who has no certificate is answered");
    let [certificate, key, authorities] = client.paths();
    let table = format!(
        "[[remote-write]]\nurl = \"{}\"\ntls = {{ ca-file = \"{authorities}\", cert-file = \"{certificate}\", key-file = \"{key}\" }}\n",
        prometheus.write_url()
    );
    let file = folder.path().join("shardset.toml");
    std::fs::write(&file, table)?;
    let mut shardset =
        Shardset::start(&["--export-interval", "500ms", "--config", &file.display().to_string()]).await?;
    let begin = otlp::now() - 10_000;
    let send = async |shardset: &Shardset, nth: u64| -> anyhow::Result<()> {
        let delta =
            Delta { metric: "visits", who: "a", start: begin + nth * 1000, time: begin + (nth + 1) * 1000, value: 2.0 };
        let answer = shardset.send_json(otlp::request(&[delta])).await?;
        ensure!(answer.status().is_success(), "it answers {}", answer.status());
        Ok(())
    };
    send(&shardset, 0).await?;
    prometheus.settles_at("visits_total", 2.0).await?;

    // Its connections end with it. It comes back with certificates of another authority, and takes none of the old one's.
    prometheus.stop().await?;
    issue()?;
    prometheus.start_again().await?;
    send(&shardset, 1).await?;
    let series = prometheus.settles_at("visits_total", 4.0).await?;
    let zeros = series.samples().iter().filter(|(_, value)| *value == 0.0).count();
    ensure!(zeros == 1, "{series:?}");
    shardset.stop().await
}
