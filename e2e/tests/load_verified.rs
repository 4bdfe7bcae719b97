//! The load generator's books against what is shown: exact, over all three protocols, with clients that misbehave.
#![cfg(feature = "real-parts")]

use std::time::Duration;

use shardset_e2e::shardset::{Shardset, load, mischief};

const PATIENCE: Duration = Duration::from_secs(150);

#[tokio::test]
async fn what_was_accepted_is_what_a_scrape_shows() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let shardset = Shardset::start(&["--workers", "3", "--export-interval", "1s"]).await?;
    let scrape = Shardset::url(shardset.scrape, "/metrics");
    let load =
        load(&shardset, &scrape, &mischief(&["--points", "20000", "--sessions", "100", "--seed", "1"]), folder.path())?;
    load.succeed(PATIENCE).await?;
    Ok(())
}

#[tokio::test]
async fn every_routing_key_counts_the_same() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for key in ["resource", "service", "metric", "attributes:session.id,type"] {
        let shardset = Shardset::start(&["--routing-key", key, "--export-interval", "500ms"]).await?;
        let scrape = Shardset::url(shardset.scrape, "/metrics");
        let flags = mischief(&["--points", "2000", "--sessions", "20", "--seed", "3"]);
        load(&shardset, &scrape, &flags, folder.path())?.succeed(PATIENCE).await?;
    }
    Ok(())
}
