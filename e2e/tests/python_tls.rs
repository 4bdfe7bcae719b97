//! TLS towards senders: the OpenTelemetry Python SDK with a certificate of its own.
#![cfg(feature = "real-parts")]

use anyhow::ensure;
use shardset_e2e::certificates::Authority;
use shardset_e2e::prometheus::Prometheus;
use shardset_e2e::sdk::Sdk;
use shardset_e2e::shardset::Shardset;
use shardset_e2e::totals;

#[tokio::test]
async fn an_sdk_sends_with_tls_and_a_certificate_of_its_own_over_both_protocols() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new()?;
    let gateway = authority.issue_files(folder.path(), "gateway", &["localhost", "127.0.0.1"])?;
    let sender = authority.issue_files(folder.path(), "sender", &["sender"])?;
    let prometheus = Prometheus::start().await?;
    let [certificate, key, authorities] = gateway.paths();
    let flags = [
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-client-ca-file",
        &authorities,
        "--export-interval",
        "500ms",
        "--remote-write",
        &prometheus.write_url(),
    ];
    let shardset = Shardset::start(&flags).await?;
    let [certificate, key, authorities] = sender.paths();
    let environment = [
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", authorities.as_str()),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &certificate),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &key),
        // Where a machine has one set, the HTTP exporter's library takes it for the exporter's own.
        ("REQUESTS_CA_BUNDLE", &authorities),
    ];
    for (protocol, address) in [("grpc", shardset.grpc), ("http/protobuf", shardset.http)] {
        let endpoint = format!("https://localhost:{}", address.port());
        let recorded = Sdk::Python.run_in(&environment, "instruments", &[protocol, &endpoint])?;
        totals::check(&prometheus, &recorded, protocol).await?;
    }
    ensure!(reqwest::get(Shardset::url(shardset.http, "/v1/metrics")).await.is_err(), "a plain request is answered");
    let failed = shardset.own_metrics().await?.values("shardset_gateway_handshakes_failed_total", &[]);
    ensure!(failed.iter().sum::<f64>() == 1.0, "handshakes that failed: {failed:?}");
    Ok(())
}
