//! Points come in by every protocol, and totals arrive in a Prometheus in the cluster.

use anyhow::ensure;
use kube::ResourceExt;
use shardset_suite::load::Load;
use shardset_suite::prometheus::Prometheus;
use shardset_suite::set::Set;
use shardset_suite::space::within;

#[tokio::test]
async fn what_was_accepted_over_grpc_and_http_is_what_prometheus_shows() -> anyhow::Result<()> {
    within(async |space| {
        let prometheus = Prometheus::start(&space).await?;
        let export = prometheus.export();
        let set = Set::new(&space, "demo", 2, export).await?;
        set.serves(2).await?;
        let load = Load::start(&set, &prometheus, &["--points", "5000", "--rate", "1000"]).await?;
        load.is_exact(120).await?;
        let mut metrics = String::new();
        for gateway in space.pods("shardset.dev/set=demo,app.kubernetes.io/component=gateway").await? {
            metrics.push_str(&space.ask(&gateway.name_any(), 9465, "metrics").await?);
        }
        for protocol in ["grpc", "http_protobuf", "http_json"] {
            let accepted = format!("protocol=\"{protocol}\"");
            ensure!(metrics.lines().any(|line| line.contains(&accepted)), "{protocol} was not used");
        }
        let status = set.status().await?;
        ensure!(status.gateway.at_epoch == 2, "{:?}", status.gateway);
        Ok(())
    })
    .await
}
