//! Sets side by side, and the end of one.

use anyhow::{anyhow, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use shardset_crds::MetricsShardSet;
use shardset_suite::load::Load;
use shardset_suite::prometheus::Prometheus;
use shardset_suite::set::{Set, condition};
use shardset_suite::space::{Space, within};

#[tokio::test]
async fn two_sets_of_one_namespace_know_nothing_of_each_other() -> anyhow::Result<()> {
    within(async |space| {
        let prometheus = Prometheus::start(&space).await?;
        let export = prometheus.export();
        // One's name begins with the other's: whoever looks for names must not take one for the other.
        let first = Set::new(&space, "demo", 1, export.clone()).await?;
        let second = Set::new(&space, "demo-worker", 1, export).await?;
        first.serves(1).await?;
        second.serves(1).await?;
        let flags = ["--duration", "20s", "--rate", "300"];
        let load = Load::start(&second, &prometheus, &flags).await?;
        prometheus.has_totals().await?;
        first.scale(2).await?;
        first.serves(2).await?;
        load.is_exact(120).await?;
        ensure!(second.status().await?.epoch == 1 && first.status().await?.streams == 0, "they are mixed up");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn volumes_grow_in_place_also_those_of_workers_that_come_later() -> anyhow::Result<()> {
    within(async |space| {
        // Where they can not, as on kind, the next test sees what is said of it.
        if default_class(&space).await?.allow_volume_expansion != Some(true) {
            return Ok(());
        }
        let set = Set::new(&space, "demo", 1, json!({})).await?;
        set.serves(1).await?;
        let uid = async || -> anyhow::Result<_> { Ok(space.api::<Pod>().get("demo-worker-0").await?.metadata.uid) };
        let before = uid().await?;
        set.change(json!({ "spec": { "workers": { "storage": { "size": "128Mi" }, "replicas": 2 } } })).await?;
        set.serves(2).await?;
        space
            .until("both volumes are larger", 60, async || {
                for claim in ["data-demo-worker-0", "data-demo-worker-1"] {
                    let claim = space.api::<PersistentVolumeClaim>().get(claim).await?;
                    let capacity = claim.status.and_then(|status| status.capacity?.remove("storage"));
                    ensure!(capacity.as_ref().is_some_and(|size| size.0 == "128Mi"), "{capacity:?}");
                }
                Ok(())
            })
            .await?;
        ensure!(uid().await? == before, "no worker restarts for it");
        ensure!(condition(&set.status().await?, "Degraded") == "False", "{:?}", set.status().await?.conditions);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn that_a_volume_can_not_grow_is_said_and_keeps_nothing_else_from_being_done() -> anyhow::Result<()> {
    within(async |space| {
        let classes: Api<StorageClass> = Api::all(space.client.clone());
        let like = default_class(&space).await?;
        // Called after the namespace, so that two runs do not meet.
        let metadata = ObjectMeta { name: Some(format!("{}-fixed", space.name)), ..ObjectMeta::default() };
        let fixed = StorageClass { metadata, allow_volume_expansion: Some(false), ..like };
        let class = classes.create(&PostParams::default(), &fixed).await?.name_any();
        let tested = async {
            let storage = json!({ "workers": { "storage": { "storageClassName": class } } });
            let set = Set::new(&space, "demo", 1, storage).await?;
            set.serves(1).await?;
            set.change(json!({ "spec": { "workers": { "storage": { "size": "128Mi" }, "replicas": 2 } } })).await?;
            let status = space
                .until("two shards serve, and that a volume can not be larger is said", 60, async || {
                    let status = set.status().await?;
                    let degraded = status.conditions.iter().find(|condition| condition.type_ == "Degraded");
                    let why = degraded.map_or("", |degraded| &degraded.message);
                    let is_said = why.contains("the volume of data-demo-worker-") && why.contains("can not be larger");
                    ensure!(is_said && status.shards == 2 && status.ready_replicas == 2, "{status:?}");
                    Ok(status)
                })
                .await?;
            ensure!(condition(&status, "Available") == "True", "{:?}", status.conditions);
            let grows = json!({ "allowVolumeExpansion": true });
            classes.patch(&class, &PatchParams::default(), &Patch::Merge(grows)).await?;
            set.serves(2).await?;
            Ok(())
        };
        let outcome = tested.await;
        classes.delete(&class, &DeleteParams::default()).await?;
        outcome
    })
    .await
}

/// The class of volumes that ask for none.
async fn default_class(space: &Space) -> anyhow::Result<StorageClass> {
    let classes: Api<StorageClass> = Api::all(space.client.clone());
    let is_default = |class: &StorageClass| {
        class.annotations().get("storageclass.kubernetes.io/is-default-class").is_some_and(|is| is == "true")
    };
    let mut all = classes.list(&ListParams::default()).await?.into_iter();
    all.find(is_default).ok_or_else(|| anyhow!("the cluster has no default storage class"))
}

#[tokio::test]
async fn a_set_that_is_deleted_leaves_nothing_but_the_volumes_it_was_to_leave() -> anyhow::Result<()> {
    within(async |space| {
        let delete = json!({ "workers": { "storage": { "retention": { "whenDeleted": "Delete" } } } });
        for (name, retention, left) in [("keeps", json!({}), 1), ("deletes", delete, 0)] {
            let set = Set::new(&space, name, 1, retention).await?;
            set.serves(1).await?;
            space.api::<MetricsShardSet>().delete(name, &DeleteParams::background()).await?;
            let of_set = ListParams::default().labels(&format!("shardset.dev/set={name}"));
            space
                .until("everything is gone", 60, async || {
                    let pods = space.pods(&format!("shardset.dev/set={name}")).await?.len();
                    let others = space.api::<StatefulSet>().list(&of_set).await?.items.len()
                        + space.api::<EndpointSlice>().list(&of_set).await?.items.len();
                    let claims = space.api::<PersistentVolumeClaim>().list(&of_set).await?.items.len();
                    if pods == 0 && others == 0 && claims == left {
                        return Ok(());
                    }
                    Err(anyhow!("{name}: {pods} pods, {others} others and {claims} claims are left"))
                })
                .await?;
        }
        Ok(())
    })
    .await
}
