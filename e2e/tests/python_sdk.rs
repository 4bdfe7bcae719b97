//! The OpenTelemetry Python SDK into a real Prometheus: everything delta, and the last flush left to the exit of the process.
#![cfg(feature = "real-parts")]

use shardset_e2e::prometheus::Prometheus;
use shardset_e2e::sdk::Sdk;
use shardset_e2e::shardset::Shardset;
use shardset_e2e::totals;

#[tokio::test]
async fn every_instrument_totals_what_was_recorded_until_the_process_exits() -> anyhow::Result<()> {
    let prometheus = Prometheus::start().await?;
    let shardset = Shardset::start(&["--export-interval", "500ms", "--remote-write", &prometheus.write_url()]).await?;
    for (protocol, address) in [("grpc", shardset.grpc), ("http/protobuf", shardset.http)] {
        let recorded = Sdk::Python.run("instruments", &[protocol, &Shardset::url(address, "")])?;
        assert!(recorded.iter().any(|series| series.sum == 100.0), "what was recorded just before the exit");
        totals::check(&prometheus, &recorded, protocol).await?;
    }
    Ok(())
}
