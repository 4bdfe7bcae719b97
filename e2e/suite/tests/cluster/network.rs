//! NetworkPolicies of a set: they come and go as the set says, and the API server takes them. What they allow is in the operator's own
//! tests, and what a network makes of them in `disruption/policies.rs`.

use anyhow::{anyhow, ensure};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};
use shardset_crds::MetricsShardSet;
use shardset_suite::set::{Set, condition};
use shardset_suite::space::{Space, within};

/// The names of a namespace's policies, in their order, once they are these.
async fn until_there_are(space: &Space, expected: &[&str]) -> anyhow::Result<Vec<NetworkPolicy>> {
    space
        .until(&format!("the policies are {expected:?}"), 60, async || {
            let policies = space.api::<NetworkPolicy>().list(&ListParams::default()).await?.items;
            let names: Vec<String> = policies.iter().map(ResourceExt::name_any).collect();
            ensure!(names == expected, "{names:?}");
            Ok(policies)
        })
        .await
}

fn asked(policy: Value) -> Value {
    json!({ "spec": { "networkPolicy": policy } })
}

#[tokio::test]
async fn network_policies_come_and_go_as_the_set_says_and_others_stay() -> anyhow::Result<()> {
    within(async |space| {
        // It has the labels and the name of one of the set's own, and is somebody else's.
        let of_others = json!({
            "metadata": { "name": "demo-gateway", "labels": { "shardset.dev/set": "demo", "app.kubernetes.io/component": "gateway" } },
            "spec": { "podSelector": {}, "ingress": [{}] },
        });
        space.apply::<NetworkPolicy>(of_others).await?;
        let set = Set::new(&space, "demo", 1, json!({})).await?;
        set.serves(1).await?;
        until_there_are(&space, &["demo-gateway"]).await?;
        space.api::<NetworkPolicy>().delete("demo-gateway", &DeleteParams::default()).await?;

        let own = json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": space.name } } });
        set.change(asked(json!({ "enabled": true, "senders": [own] }))).await?;
        let policies = until_there_are(&space, &["demo-gateway", "demo-worker"]).await?;
        let uids: Vec<_> = policies.iter().map(ResourceExt::uid).collect();
        let ingress = policies[0].spec.as_ref().and_then(|spec| spec.ingress.as_ref()?.first()?.from.clone());
        ensure!(json!(ingress) == json!([own]), "{ingress:?}");
        set.serves(1).await?;

        // One that is deleted comes again, and a changed wish changes it.
        space.api::<NetworkPolicy>().delete("demo-worker", &DeleteParams::default()).await?;
        let again = until_there_are(&space, &["demo-gateway", "demo-worker"]).await?;
        ensure!(again[0].uid() == uids[0] && again[1].uid() != uids[1], "{uids:?}");
        set.change(asked(json!({ "senders": null, "apiServerPorts": [6443] }))).await?;
        space
            .until("the policy follows", 30, async || {
                let spec = json!(space.api::<NetworkPolicy>().get("demo-gateway").await?.spec);
                let ports = json!([{ "port": 6443, "protocol": "TCP" }]);
                ensure!(spec["ingress"][0]["from"].is_null() && spec["egress"][2]["ports"] == ports, "{spec}");
                Ok(())
            })
            .await?;

        set.change(asked(json!({ "enabled": false }))).await?;
        until_there_are(&space, &[]).await?;
        set.change(asked(json!({ "enabled": true }))).await?;
        until_there_are(&space, &["demo-gateway", "demo-worker"]).await?;
        set.serves(1).await?;
        space.api::<MetricsShardSet>().delete("demo", &DeleteParams::background()).await?;
        until_there_are(&space, &[]).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn what_no_policy_could_be_is_refused_and_says_why() -> anyhow::Result<()> {
    within(async |space| {
        // Nothing is rolled out for it: a set that is not enabled has no policies.
        let set = Set::new(&space, "demo", 1, json!({})).await?;
        let peer = |peer: Value| json!({ "senders": [peer] });
        let table = [
            ("everything", peer(json!({ "podSelector": {}, "namespaceSelector": {} })), None),
            ("addresses", peer(json!({ "ipBlock": { "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"] } })), None),
            ("addresses of six", peer(json!({ "ipBlock": { "cidr": "fd00::/8" } })), None),
            ("nobody", peer(json!({})), Some("a peer must have either ipBlock, or podSelector")),
            (
                "two kinds of peers in one",
                peer(json!({ "ipBlock": { "cidr": "10.0.0.0/8" }, "podSelector": {} })),
                Some("a peer must have either ipBlock, or podSelector"),
            ),
            (
                "an address that is no block",
                peer(json!({ "ipBlock": { "cidr": "10.0.0.1" } })),
                Some("must be a block of addresses"),
            ),
            (
                "an exception that is no block",
                peer(json!({ "ipBlock": { "cidr": "10.0.0.0/8", "except": ["some"] } })),
                Some("must be a block of addresses"),
            ),
            (
                "an exception from elsewhere",
                peer(json!({ "ipBlock": { "cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"] } })),
                Some("except must lie within cidr"),
            ),
            (
                "an operator that is none",
                peer(json!({ "podSelector": { "matchExpressions": [{ "key": "a", "operator": "Is" }] } })),
                Some("supported values"),
            ),
            ("no port", json!({ "apiServerPorts": [0] }), Some("greater than or equal to 1")),
            ("one port twice", json!({ "apiServerPorts": [443, 443] }), Some("Duplicate value")),
        ];
        let mut wrong = Vec::new();
        for (what, policy, expected) in table {
            let said = set.change(asked(policy)).await.map(drop).map_err(|error| format!("{error:#}"));
            match (&said, expected) {
                (Ok(()), None) => {}
                (Err(said), Some(expected)) if said.contains(expected) => {}
                _ => wrong.push(format!("{what}: {said:?}")),
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        let misspelt = asked(json!({ "senders": [{ "podSelecter": {} }] }));
        let patch = kube::api::Patch::Merge(&misspelt);
        let strict = kube::api::PatchParams {
            field_validation: Some(kube::api::ValidationDirective::Strict),
            ..kube::api::PatchParams::default()
        };
        let said = space.api::<MetricsShardSet>().patch("demo", &strict, &patch).await.map(drop);
        ensure!(format!("{said:?}").contains("unknown field"), "{said:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_rule_that_only_the_api_server_can_judge_degrades_the_set_until_it_is_mended() -> anyhow::Result<()> {
    within(async |space| {
        let set = Set::new(&space, "demo", 1, json!({})).await?;
        set.serves(1).await?;
        set.change(asked(json!({ "enabled": true, "extraEgress": [{ "ports": [{ "port": "no port" }] }] }))).await?;
        space
            .until("the set is degraded", 60, async || {
                let status = set.status().await?;
                let degraded = status.conditions.iter().find(|one| one.type_ == "Degraded");
                let message = degraded.map(|one| one.message.clone()).unwrap_or_default();
                let is_so = condition(&status, "Degraded") == "True" && message.contains("NetworkPolicy demo-worker");
                if is_so { Ok(()) } else { Err(anyhow!("{:?}", status.conditions)) }
            })
            .await?;
        // The rest goes on meanwhile.
        set.scale(2).await?;
        space
            .until("streams are at two workers", 60, async || {
                let status = set.status().await?;
                ensure!(status.shards == 2 && condition(&status, "Degraded") == "True", "{status:?}");
                Ok(())
            })
            .await?;
        set.change(asked(json!({ "extraEgress": null }))).await?;
        set.serves(2).await?;
        until_there_are(&space, &["demo-gateway", "demo-worker"]).await.map(drop)
    })
    .await
}
