//! The number of workers changes under load: nothing is lost, nothing is counted twice, and no counter resets.

use shardset_suite::load::under_load;
use shardset_suite::space::within;

#[tokio::test]
async fn no_counter_resets_while_the_number_of_workers_goes_from_3_to_5_to_2_to_4() -> anyhow::Result<()> {
    within(async |space| {
        let flags = ["--duration", "60s", "--rate", "1000", "--patience", "60s"];
        let (set, prometheus, load) = under_load(&space, 3, &flags).await?;
        for shards in [5, 2, 4] {
            set.scale(shards).await?;
            set.serves(shards.try_into()?).await?;
        }
        load.is_exact(180).await?;
        prometheus.nothing_was_reset().await
    })
    .await
}
