//! The StatefulSet of the workers.
//!
//! All pods start and stop at once (`Parallel`): a shard that can not start must not keep the others down. Pods are replaced by
//! the operator (`OnDelete`), one at a time and never in a move.

use serde_json::{Value, json};
use shardset_crds::{Retain, Storage};

use super::config::{CONFIG_PATH, Secrets, config};
use super::pod::{ADMIN_PORT, Container, OTLP_GRPC_PORT, field, port, template};
use super::{Blueprint, Kind, Object, Tier, selector, tls};

const DATA: &str = "data";
const DATA_PATH: &str = "/data";

/// A worker keeps what it has at its stop, some seconds for a million streams, and delivers for 10 s before.
const GRACE_SECONDS: u32 = 120;
/// A million streams recover within 3 s; a hundred times that is a disk that is slow, and no reason to begin again.
const START_SECONDS: u32 = 300;

/// The annotation by which pods with other settings are other pods.
const CONFIG_HASH: &str = "shardset.dev/config-hash";

pub(super) fn stateful_set(of: Blueprint<'_>) -> Object {
    let name = of.name();
    let workers = &of.set.spec.workers;
    let mut spec = json!({
        "replicas": of.workers,
        "serviceName": Tier::Worker.name(&name),
        "podManagementPolicy": "Parallel",
        "updateStrategy": { "type": "OnDelete" },
        // Nobody rolls back by it: the set is the record.
        "revisionHistoryLimit": 2,
        "selector": { "matchLabels": selector(&name, Tier::Worker) },
        "template": pods(of),
    });
    if workers.storage.size.is_some() {
        spec["volumeClaimTemplates"] = json!([claim(of, &workers.storage)]);
        spec["persistentVolumeClaimRetentionPolicy"] = retention(&workers.storage);
    }
    of.object(Kind::StatefulSet, Tier::Worker, json!({ "spec": spec }))
}

fn pods(of: Blueprint<'_>) -> Value {
    let (workers, export) = (&of.set.spec.workers, &of.set.spec.export);
    let secrets = Secrets::of(export);
    let mut mounts = vec![
        json!({ "name": "config", "mountPath": CONFIG_PATH, "readOnly": true }),
        json!({ "name": DATA, "mountPath": DATA_PATH }),
    ];
    let mut volumes = vec![json!({ "name": "config", "configMap": { "name": Tier::Worker.name(&of.name()) } })];
    if let Some((volume, mount)) = secrets.volume() {
        volumes.push(volume);
        mounts.push(mount);
    }
    if let Some(ephemeral) = &workers.storage.ephemeral {
        let limit = ephemeral.size_limit.as_ref().map_or(json!({}), |limit| json!({ "sizeLimit": limit }));
        volumes.push(json!({ "name": DATA, "emptyDir": limit }));
    }
    let mut ports = vec![port("otlp", OTLP_GRPC_PORT), port("admin", ADMIN_PORT)];
    let mut args = vec![
        "worker".to_owned(),
        format!("--config={CONFIG_PATH}/worker.toml"),
        format!("--shard-set=$(SHARDSET_NAMESPACE)/{}", of.name()),
        format!("--listen=[::]:{OTLP_GRPC_PORT}"),
        format!("--admin=[::]:{ADMIN_PORT}"),
        format!("--data-dir={DATA_PATH}"),
    ];
    if let Some(scrape) = &export.prometheus {
        args.push(format!("--scrape=[::]:{}", scrape.port));
        ports.push(port("scrape", u16::try_from(scrape.port).expect("the schema allows ports only")));
    }
    let mut container = Container {
        args,
        env: vec![
            field("SHARDSET_SHARD", "metadata.labels['apps.kubernetes.io/pod-index']"),
            field("SHARDSET_NAMESPACE", "metadata.namespace"),
        ],
        ports,
        mounts,
        volumes,
        grace: GRACE_SECONDS,
        start: START_SECONDS,
        token: false,
    };
    tls::of_worker(of, &mut container);
    template(of, Tier::Worker, &workers.pod, container, json!({ CONFIG_HASH: config(of.set).hash() }))
}

/// A StatefulSet can not change its claims: a larger size goes to each claim itself, when that is there.
fn claim(of: Blueprint<'_>, storage: &Storage) -> Value {
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": of.size.or(storage.size.as_ref()) } },
    });
    if let Some(class) = &storage.storage_class_name {
        spec["storageClassName"] = json!(class);
    }
    json!({ "metadata": { "name": DATA, "labels": selector(&of.name(), Tier::Worker) }, "spec": spec })
}

fn retention(storage: &Storage) -> Value {
    let text = |retain| match retain {
        Retain::Retain => "Retain",
        Retain::Delete => "Delete",
    };
    let retention = storage.retention.clone().unwrap_or_default();
    json!({ "whenDeleted": text(retention.when_deleted), "whenScaled": text(retention.when_scaled) })
}
