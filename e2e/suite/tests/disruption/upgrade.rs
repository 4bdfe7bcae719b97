//! The operator is upgraded: alone, and from the charts and the resource that users have, with a set that was made then.

use std::time::Duration;

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams, ObjectMeta, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use shardset_crds::MetricsShardSet;
use shardset_e2e::wait;
use shardset_suite::install::{
    NAMESPACE, OPERATOR, RESOURCE, bring_back, install_previous, is_ready, kubectl, uninstall, upgrade,
    upgrade_resource,
};
use shardset_suite::load::{Load, under_load};
use shardset_suite::node::folder;
use shardset_suite::prometheus::Prometheus;
use shardset_suite::set::{Set, lay_over};
use shardset_suite::space::{Space, within};

use crate::{ALONE, lasting, none_restarted, restarts};

/// All pods of all sets.
const OF_SETS: &str = "shardset.dev/set";

#[tokio::test]
async fn an_upgrade_of_the_operator_restarts_no_worker_and_no_gateway() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    within(async |space| {
        let (set, _prometheus, load) = under_load(&space, 2, &lasting("20s")).await?;
        let uids = async |of: &str| -> anyhow::Result<Vec<_>> {
            Ok(space.pods(of).await?.iter().map(ResourceExt::uid).collect())
        };
        let before = uids("shardset.dev/set").await?;
        let operators: Api<Pod> = Api::namespaced(space.client.clone(), NAMESPACE);
        let of_operator = ListParams::default().labels("app.kubernetes.io/component=operator");
        let old = operators.list(&of_operator).await?;
        upgrade(&["logLevel=debug"])?;
        space
            .until("the operators are others", 90, async || {
                let now = operators.list(&of_operator).await?;
                let is_new = |pod: &Pod| old.iter().all(|before| before.uid() != pod.uid());
                ensure!(now.items.len() == 2 && now.iter().all(is_new), "{} of them are there", now.items.len());
                Ok(())
            })
            .await?;
        set.scale(3).await?;
        set.serves(3).await?;
        let after = uids("shardset.dev/set").await?;
        ensure!(before.iter().all(|uid| after.contains(uid)), "a pod was restarted");
        load.is_exact(120).await.map(drop)
    })
    .await
}

/// Where the resource has the port that is scraped, which is made a new field. So there always is one, with a default.
const SCRAPED: &str =
    "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/export/properties/prometheus/properties";

#[tokio::test]
async fn a_set_that_was_made_with_the_charts_of_before_lives_through_the_upgrade_to_those_of_today()
-> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    // The resource goes, and with it every set: not on a cluster that is somebody's.
    folder()?;
    within(async |space| {
        let outcome = from_before(&space).await;
        // Whatever came of it: the next test wants today's operator, with no rights but its own.
        let back = match lends(false) {
            Ok(()) => bring_back(&space.client).await,
            Err(error) => Err(error),
        };
        outcome.and(back)
    })
    .await
}

async fn from_before(space: &Space) -> anyhow::Result<()> {
    no_sets_are_left(&space.client).await?;
    uninstall(&space.client).await?;
    kubectl(&["delete", "crd", RESOURCE, "--timeout=60s"])?;
    install_previous()?;
    lacks_a_field(&space.client).await?;
    lends(true)?;
    is_ready(&space.client).await?;

    let prometheus = Prometheus::start(space).await?;
    let set = rich(space, &prometheus).await?;
    set.serves(2).await?;
    let load = Load::start(&set, &prometheus, &lasting("40s")).await?;
    prometheus.has_totals().await?;
    let others = apply_others(space).await?;
    let names: Vec<&str> = others.iter().map(|(name, _)| *name).chain(["demo"]).collect();
    let mut before = Vec::new();
    for name in &names {
        before.push(stored(space, name).await?);
    }
    let pods = restarts(space, OF_SETS).await?;

    upgrade_resource()?;
    lends(false)?;
    // A new version is another image, with which operators restart.
    upgrade(&["podAnnotations.of=today"])?;
    is_ready(&space.client).await?;

    for (name, before) in names.iter().zip(&before) {
        is_the_same(space, name, before).await?;
    }
    apply_others(space).await?;
    rich(space, &prometheus).await?;
    for (name, before) in names.iter().zip(&before) {
        let generation = stored(space, name).await?["metadata"]["generation"].clone();
        ensure!(generation == before["metadata"]["generation"], "{name} is changed by what was applied before");
    }
    set.serves(2).await?;
    set.scale(3).await?;
    set.serves(3).await?;
    none_restarted(space, OF_SETS, &pods).await?;
    load.is_exact(180).await?;
    prometheus.nothing_was_reset().await
}

/// Sets of earlier tests go in the background.
async fn no_sets_are_left(client: &Client) -> anyhow::Result<()> {
    let sets: Api<MetricsShardSet> = Api::all(client.clone());
    let left = async || {
        let left = sets.list(&ListParams::default()).await?;
        let left: Vec<_> = left.iter().map(|set| format!("{:?}/{}", set.namespace(), set.name_any())).collect();
        ensure!(left.is_empty(), "they would go with the resource: {left:?}");
        Ok(())
    };
    wait::until("no sets are left", Duration::from_secs(90), left).await
}

/// Applies the resource without that field in the name of Helm, which so has never had it there.
async fn lacks_a_field(client: &Client) -> anyhow::Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut definition = definitions.get(RESOURCE).await?;
    let applied = definition.managed_fields().iter().find(|fields| fields.operation.as_deref() == Some("Apply"));
    let helm = applied.and_then(|fields| fields.manager.clone()).context("nobody has applied the resource")?;
    let ObjectMeta { name, annotations, labels, .. } = definition.metadata;
    definition.metadata = ObjectMeta { name, annotations, labels, ..ObjectMeta::default() };
    definition.status = None;
    let mut definition = serde_json::to_value(definition)?;
    let scraped = definition.pointer_mut(SCRAPED).and_then(Value::as_object_mut).context("no such fields")?;
    scraped.remove("port").context("no such field")?;
    definitions.patch(RESOURCE, &PatchParams::apply(&helm), &Patch::Apply(&definition)).await?;
    Ok(())
}

/// Today's operator with the role of before may lack a right: it is lent all, until it has today's role.
fn lends(all: bool) -> anyhow::Result<()> {
    const LENT: &str = "suite-lent";
    kubectl(&["delete", "clusterrolebinding", LENT, "--ignore-not-found"])?;
    if all {
        let account = format!("--serviceaccount={NAMESPACE}:{OPERATOR}");
        kubectl(&["create", "clusterrolebinding", LENT, "--clusterrole=cluster-admin", &account])?;
    }
    Ok(())
}

/// A set that says all that can be said about one that serves here.
async fn rich(space: &Space, prometheus: &Prometheus) -> anyhow::Result<Set> {
    let pod = json!({
        "resources": { "requests": { "cpu": "10m", "memory": "32Mi" }, "limits": { "memory": "512Mi" } },
        "nodeSelector": { "kubernetes.io/os": "linux" },
        "tolerations": [{ "key": "telemetry", "operator": "Exists", "effect": "NoSchedule" }],
        "affinity": { "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 1,
            "podAffinityTerm": { "topologyKey": "kubernetes.io/hostname", "labelSelector": { "matchLabels": { "team": "a" } } },
        }] } },
        "topologySpreadConstraints": [{
            "maxSkew": 2,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": { "matchLabels": { "team": "a" } },
        }],
        "annotations": { "example.com/note": "kept" },
        "labels": { "team": "a" },
        "env": [{ "name": "TEAM", "value": "a" }],
    });
    let mut spec = json!({
        "routing": { "key": "attributes", "attributes": ["session.id", "service.name"] },
        "workers": {
            "storage": { "storageClassName": default_class()?, "retention": { "whenDeleted": "Delete", "whenScaled": "Retain" } },
            "durability": "Interval",
            "streams": {
                "max": 100_000, "idleSeconds": 600, "forgetAfterSeconds": 7200, "dedupeWindowSeconds": 200, "writers": "Many",
            },
            "pod": pod,
        },
        "gateway": { "replicas": 1, "service": { "type": "NodePort", "annotations": { "example.com/note": "kept" } }, "pod": pod },
        "export": {
            "heartbeatSeconds": 30,
            "promoteResourceAttributes": ["service.version"],
            "externalLabels": [{ "name": "cluster", "value": "suite" }],
        },
        "rebalance": { "mode": "Automatic", "handoffTimeoutSeconds": 120, "onTimeout": "Wait" },
    });
    lay_over(&mut spec, prometheus.export());
    let destination = &mut spec["export"]["remoteWrite"][0];
    lay_over(destination, json!({ "timeoutSeconds": 20, "headers": [{ "name": "X-Scope-OrgID", "value": "suite" }] }));
    Set::new(space, "demo", 2, spec).await
}

fn default_class() -> anyhow::Result<String> {
    let name = kubectl(&["get", "storageclass", "--output", "jsonpath={.items[0].metadata.name}"])?;
    ensure!(!name.is_empty(), "no storage class");
    Ok(name)
}

/// Sets of what excludes that. They are stored, and no node takes their pods.
async fn apply_others(space: &Space) -> anyhow::Result<Vec<(&'static str, Set)>> {
    let nowhere = json!({
        "image": "registry.example/shardset:v0", "imagePullPolicy": "Always", "imagePullSecrets": [{ "name": "registry" }],
        "nodeSelector": { "suite/node": "none" }, "serviceAccountName": "default", "priorityClassName": "system-cluster-critical",
        "podSecurityContext": { "runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": { "type": "RuntimeDefault" } },
        "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
    });
    let key = |key: &str| json!({ "name": "backend", "key": key });
    let tls = json!({ "authority": key("ca.crt"), "certificate": key("tls.crt"), "privateKey": key("tls.key") });
    let basic = json!({ "username": "suite", "password": key("password") });
    let tiers = |workers: Value| {
        let mut spec = json!({ "workers": { "pod": nowhere }, "gateway": { "pod": nowhere } });
        lay_over(&mut spec["workers"], workers);
        spec
    };
    let mut secret =
        tiers(json!({ "autoscaling": { "minReplicas": 1, "maxReplicas": 9, "targetStreamsPerShard": 50_000 } }));
    secret["export"] = json!({ "prometheus": null, "remoteWrite": [
        { "url": "https://a.example/push", "bearerToken": key("token"), "tls": tls },
        { "url": "https://b.example/push", "basicAuth": basic },
    ] });
    let mut fleeting = tiers(json!({ "storage": { "size": null, "ephemeral": { "sizeLimit": "64Mi" } } }));
    fleeting["rebalance"] = json!({ "mode": "Manual", "onTimeout": "Proceed" });
    let secret = Set::new(space, "secret", 1, secret).await?;
    let fleeting = Set::new(space, "fleeting", 1, fleeting).await?;
    Ok(vec![("secret", secret), ("fleeting", fleeting)])
}

/// A set as the API server has it, with nothing left out that our types do not know.
async fn stored(space: &Space, name: &str) -> anyhow::Result<Value> {
    let path = format!("/apis/shardset.dev/v1alpha1/namespaces/{}/metricsshardsets/{name}", space.name);
    Ok(space.client.request(http::Request::get(path).body(Vec::new())?).await?)
}

/// Whether a set is what it was, but for the defaults of fields that it could not have.
async fn is_the_same(space: &Space, name: &str, before: &Value) -> anyhow::Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(space.client.clone());
    let definition = definitions.get(RESOURCE).await?;
    let versions = definition.status.and_then(|status| status.stored_versions).context("a definition has a status")?;
    ensure!(versions == ["v1alpha1"], "{versions:?} are stored");
    let schema = definition.spec.versions.into_iter().next().and_then(|version| version.schema);
    let schema = serde_json::to_value(schema.and_then(|schema| schema.open_api_v3_schema).context("no schema")?)?;
    let mut expected = before["spec"].clone();
    fill_in(&schema["properties"]["spec"], &mut expected);
    let scraped = &before["spec"]["export"]["prometheus"];
    ensure!(scraped.is_null() || scraped.get("port").is_none(), "the port is a field of before");
    let now = stored(space, name).await?;
    ensure!(now["spec"] == expected, "{name}: it was {before}, and is {now}");
    ensure!(now["metadata"]["uid"] == before["metadata"]["uid"], "{name} is another one");
    ensure!(scraped.is_null() || now["spec"]["export"]["prometheus"]["port"] == 9464, "{name} has no default: {now}");
    Ok(())
}

/// Puts defaults where nothing is, as the API server does.
fn fill_in(schema: &Value, value: &mut Value) {
    if let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object_mut()) {
        for (name, of) in properties {
            if let Some(default) = of.get("default") {
                object.entry(name.clone()).or_insert_with(|| default.clone());
            }
            if let Some(value) = object.get_mut(name) {
                fill_in(of, value);
            }
        }
    }
    for value in value.as_array_mut().into_iter().flatten() {
        fill_in(&schema["items"], value);
    }
}
