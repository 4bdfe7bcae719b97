//! The largest membership: a thousand shards in one slice, published and taken by a gateway.

use anyhow::ensure;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use shardset_membership::{Record, WorkerAt};
use shardset_model::{Membership, Phase};
use shardset_slice::{format, names};
use shardset_suite::set::Set;
use shardset_suite::space::within;

#[tokio::test]
async fn a_thousand_shards_are_published_in_one_slice_and_routed_by() -> anyhow::Result<()> {
    within(async |space| {
        let set = Set::new(&space, "demo", 1, json!({ "gateway": { "replicas": 1 } })).await?;
        set.serves(1).await?;
        // The operator would publish its own membership over this one, so the gateway of another set follows it.
        let gateway = space.api::<Deployment>().get(&names::gateway("demo")).await?;
        let mut gateway = serde_json::to_value(gateway)?;
        gateway["metadata"] = json!({ "name": "large" });
        gateway["spec"]["selector"] = json!({ "matchLabels": { "app": "large" } });
        gateway["spec"]["template"]["metadata"]["labels"] = json!({ "app": "large" });
        let args = gateway["spec"]["template"]["spec"]["containers"][0]["args"].as_array_mut();
        args.into_iter()
            .flatten()
            .filter(|arg| **arg == "--shard-set=demo")
            .for_each(|arg| *arg = "--shard-set=large".into());
        space.apply::<Deployment>(gateway).await?;

        let slices = space.api::<EndpointSlice>();
        let worker = |shard: u32| WorkerAt {
            shard,
            address: format!("10.99.{}.{}:4317", shard / 250, shard % 250 + 1).parse().expect("an address"),
            uid: None,
        };
        let membership = Membership::new(7, 1000, 999, Phase::Moving)?;
        let record = Record::new(membership, (0..1000).map(worker).collect())?;
        let mut slice = format::write("large", &record, |_| Endpoint::default());
        slice.metadata.name = Some(names::membership("large"));
        slices.create(&PostParams::default(), &slice).await?;
        let pods = async || space.pods("app=large").await;
        let epoch = async || -> anyhow::Result<(u64, u64)> {
            let pod = pods().await?.pop().and_then(|pod| pod.metadata.name).unwrap_or_default();
            let says: serde_json::Value = serde_json::from_str(&space.ask(&pod, 9465, "status").await?)?;
            Ok((says["epoch"].as_u64().unwrap_or(0), says["shards"].as_u64().unwrap_or(0)))
        };
        space
            .until("the gateway routes by it", 60, async || {
                let now = epoch().await?;
                ensure!(now == (7, 1000), "{now:?}");
                Ok(())
            })
            .await?;
        // An older epoch, a format of the future, and nobody: each is refused, and the last good membership stays.
        let refused = [
            json!({ "metadata": { "annotations": { "shardset.dev/epoch": "6" } } }),
            json!({ "metadata": { "annotations": { "shardset.dev/epoch": "8", "shardset.dev/format": "2" } } }),
            json!({ "metadata": { "annotations": { "shardset.dev/format": "1" } }, "endpoints": [] }),
        ];
        for patch in refused {
            slices.patch(&names::membership("large"), &PatchParams::default(), &Patch::Merge(&patch)).await?;
        }
        space
            .until("each is counted", 30, async || {
                let pod = pods().await?.pop().and_then(|pod| pod.metadata.name).unwrap_or_default();
                let text = space.ask(&pod, 9465, "metrics").await?;
                for reason in ["older_epoch", "unknown_format", "empty"] {
                    let count = format!("shardset_membership_refused_total{{reason=\"{reason}\"}} ");
                    ensure!(text.contains(&count), "{reason} is not counted");
                }
                Ok(())
            })
            .await?;
        ensure!(epoch().await? == (7, 1000), "what is refused is not taken");
        Ok(())
    })
    .await
}
