//! Volumes for claims: a folder each, which ends with its claim.
//!
//! The part that a cloud has for its disks. A claim of the default class gets a `local` volume once its pod has a node (a
//! `hostPath` one would not be given to the pod's group); a volume that was released is removed where its class says so, and a claim
//! that wants more is told that it has it. Sizes are words only: nothing stops a pod from writing more.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::api::Api;
use crate::parts::node;
use crate::place::Place;

/// The class that a claim gets which names none.
const CLASS: &str = "standard";
const CLASSES: &str = "/apis/storage.k8s.io/v1/storageclasses";
const VOLUMES: &str = "/api/v1/persistentvolumes";
const CLAIMS: &str = "/api/v1/persistentvolumeclaims";
/// What the class names as its provisioner, so that claims name it too.
const PROVISIONER: &str = "shardset.invalid/folders";
const PAUSE: Duration = Duration::from_millis(300);

/// Makes the default class.
pub(crate) async fn make_class(api: &Api) -> anyhow::Result<()> {
    let class = json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": { "name": CLASS, "annotations": { "storageclass.kubernetes.io/is-default-class": "true" } },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": true,
    });
    api.create(CLASSES, &class).await
}

/// Makes and removes volumes for ever. What fails is written down, once, and tried again: a test may have stopped the API server.
pub(crate) async fn provide(api: &Api, place: &Place) -> anyhow::Result<Infallible> {
    let mut log = File::create(place.logs.join("volumes.log"))?;
    let mut failures = Vec::new();
    loop {
        let failed = round(api, &place.volumes()).await;
        if failed != failures {
            log.write_all(format!("{}\n", failed.join("\n")).as_bytes()).context("write the log of volumes")?;
            failures = failed;
        }
        sleep(PAUSE).await;
    }
}

/// Does what can be done, and returns what could not.
async fn round(api: &Api, folder: &Path) -> Vec<String> {
    let (volumes, claims) = match (list(api, VOLUMES).await, list(api, CLAIMS).await) {
        (Ok(volumes), Ok(claims)) => (volumes, claims),
        (Err(error), _) | (_, Err(error)) => return vec![format!("{error:#}")],
    };
    let mut outcomes = Vec::new();
    for claim in claims.iter().filter(|claim| waits(claim)) {
        outcomes.push(make(api, folder, claim).await);
    }
    for volume in volumes.iter().filter(|volume| is_ours(volume)) {
        if is_over(volume) {
            outcomes.push(remove(api, volume).await);
        } else if let Some(claim) = claims.iter().find(|claim| is_bound(claim, volume)) {
            outcomes.push(grow(api, claim, volume).await);
        }
    }
    outcomes.into_iter().filter_map(|outcome| Some(format!("{:#}", outcome.err()?))).collect()
}

async fn list(api: &Api, path: &str) -> anyhow::Result<Vec<Value>> {
    match api.get(path).await?["items"].take() {
        Value::Array(items) => Ok(items),
        _ => Ok(Vec::new()),
    }
}

async fn make(api: &Api, folder: &Path, claim: &Value) -> anyhow::Result<()> {
    let class = text(&claim["spec"]["storageClassName"]);
    let class = api.get(&format!("{CLASSES}/{class}")).await?;
    let path = folder.join(name_for(claim));
    fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
    api.create(VOLUMES, &volume_for(claim, &class, &path)).await
}

/// The folder first: it is the volume that says where it is.
async fn remove(api: &Api, volume: &Value) -> anyhow::Result<()> {
    let path = text(&volume["spec"]["local"]["path"]);
    if Path::new(path).exists() {
        fs::remove_dir_all(path).with_context(|| format!("remove {path}"))?;
    }
    api.remove(&format!("{VOLUMES}/{}", text(&volume["metadata"]["name"]))).await
}

/// First the volume, then the claim, as the claim's owner is to see what is there already.
async fn grow(api: &Api, claim: &Value, volume: &Value) -> anyhow::Result<()> {
    let wanted = &claim["spec"]["resources"]["requests"]["storage"];
    if &volume["spec"]["capacity"]["storage"] != wanted {
        let path = format!("{VOLUMES}/{}", text(&volume["metadata"]["name"]));
        api.change(&path, &json!({ "spec": { "capacity": { "storage": wanted } } })).await?;
    }
    if &claim["status"]["capacity"]["storage"] != wanted {
        let (space, name) = (text(&claim["metadata"]["namespace"]), text(&claim["metadata"]["name"]));
        let path = format!("/api/v1/namespaces/{space}/persistentvolumeclaims/{name}/status");
        api.change(&path, &json!({ "status": { "capacity": { "storage": wanted } } })).await?;
    }
    Ok(())
}

/// Whether it is our turn: the controller manager writes the provisioner down when the claim may have its volume.
fn waits(claim: &Value) -> bool {
    claim["metadata"]["annotations"]["volume.kubernetes.io/storage-provisioner"] == PROVISIONER
        && claim["status"]["phase"] == "Pending"
        && claim["spec"]["volumeName"].is_null()
        && claim["metadata"]["deletionTimestamp"].is_null()
}

fn is_ours(volume: &Value) -> bool {
    volume["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"] == PROVISIONER
}

fn is_over(volume: &Value) -> bool {
    volume["status"]["phase"] == "Released" && volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
}

fn is_bound(claim: &Value, volume: &Value) -> bool {
    claim["spec"]["volumeName"] == volume["metadata"]["name"] && claim["status"]["phase"] == "Bound"
}

/// One name for each life of a claim, so what is made twice is made once.
fn name_for(claim: &Value) -> String {
    format!("pvc-{}", text(&claim["metadata"]["uid"]))
}

fn volume_for(claim: &Value, class: &Value, path: &Path) -> Value {
    let (metadata, spec) = (&claim["metadata"], &claim["spec"]);
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name_for(claim),
            "annotations": { "pv.kubernetes.io/provisioned-by": PROVISIONER },
        },
        "spec": {
            "capacity": { "storage": spec["resources"]["requests"]["storage"] },
            "accessModes": spec["accessModes"],
            "storageClassName": spec["storageClassName"],
            "persistentVolumeReclaimPolicy": class["reclaimPolicy"],
            "local": { "path": path },
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [
                { "key": "kubernetes.io/hostname", "operator": "In", "values": [node::NAME] },
            ] }] } },
        },
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Value {
        json!({
            "metadata": {
                "namespace": "default",
                "name": "data-worker-0",
                "uid": "7",
                "annotations": { "volume.kubernetes.io/storage-provisioner": PROVISIONER },
            },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": CLASS,
                "resources": { "requests": { "storage": "1Gi" } },
            },
            "status": { "phase": "Pending" },
        })
    }

    #[test]
    fn a_volume_is_as_its_claim_and_its_class_say() {
        let volume = volume_for(&claim(), &json!({ "reclaimPolicy": "Retain" }), Path::new("/v/pvc-7"));
        assert_eq!(volume["metadata"]["name"], "pvc-7");
        assert_eq!(volume["spec"]["capacity"]["storage"], "1Gi");
        assert_eq!(volume["spec"]["claimRef"]["name"], "data-worker-0");
        assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], "Retain");
        assert_eq!(volume["spec"]["local"]["path"], "/v/pvc-7");
        assert!(is_ours(&volume));
    }

    #[test]
    fn only_a_claim_whose_turn_it_is_waits_for_us() {
        assert!(waits(&claim()));
        let mut without_a_node = claim();
        without_a_node["metadata"]["annotations"] = Value::Null;
        assert!(!waits(&without_a_node));
        let mut bound = claim();
        bound["spec"]["volumeName"] = json!("pvc-7");
        assert!(!waits(&bound));
    }

    #[test]
    fn only_a_released_volume_whose_class_says_so_is_over() {
        let volume = |phase: &str, policy: &str| json!({ "status": { "phase": phase }, "spec": { "persistentVolumeReclaimPolicy": policy } });
        assert!(is_over(&volume("Released", "Delete")));
        assert!(!is_over(&volume("Released", "Retain")));
        assert!(!is_over(&volume("Bound", "Delete")));
    }
}
