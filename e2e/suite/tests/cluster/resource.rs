//! The resource as tools use it: kubectl, a HorizontalPodAutoscaler, a second field manager.

use anyhow::ensure;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use shardset_crds::MetricsShardSet;
use shardset_suite::install::kubectl;
use shardset_suite::set::Set;
use shardset_suite::space::within;

#[tokio::test]
async fn kubectl_explains_lists_and_scales_it() -> anyhow::Result<()> {
    within(async |space| {
        let set = Set::new(&space, "demo", 2, json!({})).await?;
        set.serves(2).await?;
        let explained = kubectl(&["explain", "metricsshardset.spec.workers.replicas"])?;
        ensure!(explained.contains("How many shards, and so workers, there should be."), "{explained}");
        let everything = kubectl(&["explain", "mss", "--recursive"])?;
        ensure!(everything.contains("dedupeWindowSeconds") && !everything.contains("<no description>"), "{everything}");

        let namespace = ["--namespace", &space.name];
        let listed = kubectl(&[&["get", "shardset", "--no-headers"][..], &namespace].concat())?;
        let columns: Vec<&str> = listed.split_whitespace().collect();
        ensure!(columns[..6] == ["demo", "2", "2", "1", "Serving", "0"], "{listed}");
        let selected = ["get", "mss", "--field-selector", "spec.rebalance.mode=Automatic", "--output", "name"];
        let selected = kubectl(&[&selected[..], &namespace].concat())?;
        ensure!(selected.trim() == "metricsshardset.shardset.dev/demo", "{selected}");

        kubectl(&[&["scale", "mss/demo", "--replicas", "1"][..], &namespace].concat())?;
        set.serves(1).await?;
        let wait = ["wait", "mss/demo", "--for", "condition=Ready", "--timeout", "30s"];
        kubectl(&[&wait[..], &namespace].concat()).map(drop)
    })
    .await
}

#[tokio::test]
async fn a_horizontal_pod_autoscaler_scales_it_to_and_fro() -> anyhow::Result<()> {
    within(async |space| {
        let set = Set::new(&space, "demo", 1, json!({})).await?;
        set.serves(1).await?;
        // There are no metrics here: what an autoscaler does without them is to keep the number within its bounds.
        let autoscaler = |least: u32, most: u32| {
            json!({
                "metadata": { "name": "demo" },
                "spec": {
                    "scaleTargetRef": { "apiVersion": "shardset.dev/v1alpha1", "kind": "MetricsShardSet", "name": "demo" },
                    "minReplicas": least,
                    "maxReplicas": most,
                    "metrics": [{ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 } } }],
                },
            })
        };
        for (least, most, expected) in [(3, 5, 3), (1, 2, 2)] {
            space.apply::<HorizontalPodAutoscaler>(autoscaler(least, most)).await?;
            set.serves(expected).await?;
        }
        let scale = space.api::<MetricsShardSet>().get_scale("demo").await?;
        let selector = scale.status.and_then(|status| status.selector).unwrap_or_default();
        let pods = space.pods(&selector).await?;
        ensure!(pods.len() == 2, "the selector {selector} finds {} pods, and there are 2 workers", pods.len());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn another_manager_may_own_what_the_operator_does_not_say() -> anyhow::Result<()> {
    within(async |space| {
        let set = Set::new(&space, "demo", 1, json!({})).await?;
        set.serves(1).await?;
        let patch = json!({
            "apiVersion": "shardset.dev/v1alpha1",
            "kind": "MetricsShardSet",
            "metadata": { "name": "demo" },
            "spec": { "gateway": { "replicas": 1 } },
        });
        let sets = space.api::<MetricsShardSet>();
        sets.patch("demo", &PatchParams::apply("another"), &Patch::Apply(&patch)).await?;
        // The suite applies its own fields once more, and takes nothing of the other's away.
        let set = Set::new(&space, &set.name, 2, json!({})).await?;
        set.serves(2).await?;
        ensure!(set.get().await?.spec.gateway.replicas == 1, "the other manager's field is lost");
        Ok(())
    })
    .await
}
