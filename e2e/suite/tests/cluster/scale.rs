//! The number of workers changes under load: nothing is lost, nothing is counted twice, and no counter resets.

use anyhow::ensure;
use serde_json::json;
use shardset_suite::load::Load;
use shardset_suite::prometheus::Prometheus;
use shardset_suite::set::Set;
use shardset_suite::space::within;

#[tokio::test]
async fn no_counter_resets_while_the_number_of_workers_goes_from_3_to_5_to_2_to_4() -> anyhow::Result<()> {
    within(async |space| {
        let prometheus = Prometheus::start(&space).await?;
        let more = json!({ "export": { "remoteWrite": [prometheus.destination()] } });
        let set = Set::new(&space, "demo", 3, more).await?;
        set.serves(3).await?;
        let load =
            Load::start(&set, &prometheus, &["--duration", "60s", "--rate", "1000", "--patience", "60s"]).await?;
        prometheus.has_totals().await?;
        for shards in [5, 2, 4] {
            set.scale(shards).await?;
            set.serves(shards.try_into()?).await?;
        }
        load.is_exact(180).await?;
        let fallen = prometheus.fallen().await?;
        ensure!(fallen.is_empty(), "{} counters were reset: {fallen:?}", fallen.len());
        Ok(())
    })
    .await
}
