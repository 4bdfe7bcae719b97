//! NetworkPolicies that a network enforces: with those of a set and of the operator, everything goes on, and others are kept out.
//!
//! The cluster's own network enforces none. The policy controller of kube-router, which has nothing of ours in it, does so for the time of
//! the test, and looks at pods that a policy selects only.

use std::process::Command;

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;
use shardset_e2e::child::Running;
use shardset_e2e::tool;
use shardset_suite::install;
use shardset_suite::load::{Load, accepted};
use shardset_suite::node::folder;
use shardset_suite::prometheus::Prometheus;
use shardset_suite::set::{Set, lay_over};
use shardset_suite::space::{Space, within};

use super::{ALONE, lasting};

/// What the node is called.
const NODE: &str = "node";
/// The cluster's addresses of services.
const SERVICES: &str = "10.96.0.0/16";
/// Where it has its rules; without these all others are nobody's.
const CHAINS: [&str; 3] = ["KUBE-ROUTER-INPUT", "KUBE-ROUTER-FORWARD", "KUBE-ROUTER-OUTPUT"];

/// Whoever enforces policies.
struct Enforcer(Running);

impl Enforcer {
    fn start() -> anyhow::Result<Self> {
        let mut command = Command::new("kube-router");
        command.arg("--kubeconfig").arg(tool("KUBECONFIG")?).args(["--hostname-override", NODE]);
        command.args(["--run-firewall=true", "--run-router=false", "--run-service-proxy=false"]);
        command.args(["--run-loadbalancer=false", "--service-cluster-ip-range", SERVICES, "--health-port", "0"]);
        Ok(Self(Running::start("kube-router", command, &folder()?)?))
    }

    /// Its rules stay when it ends, and would meet whoever gets the addresses of these pods.
    fn end(mut self) -> anyhow::Result<()> {
        self.0.is_running()?;
        drop(self);
        for chain in CHAINS {
            let flushed = Command::new("iptables").args(["--wait", "--flush", chain]).output()?;
            ensure!(flushed.status.success(), "{chain}: {}", String::from_utf8_lossy(&flushed.stderr));
        }
        Ok(())
    }
}

async fn address_of(space: &Space, pod: &str) -> anyhow::Result<String> {
    let pod = space.api::<Pod>().get(pod).await?;
    pod.status.and_then(|status| status.pod_ip).context("it has no address yet")
}

/// Waits until whoever has a role is answered at an address, or until it is not.
async fn is_let_in(space: &Space, role: &str, address: &str, expected: bool) -> anyhow::Result<()> {
    space
        .until(&format!("{role} is let in at {address}: {expected}"), 60, async || {
            let points = accepted(space, role, address).await?;
            ensure!((points > 0) == expected, "{points} points were accepted");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn with_policies_that_are_enforced_everything_goes_on_and_strangers_are_kept_out() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    within(async |space| {
        let enforcer = Enforcer::start()?;
        let outcome = enforced(&space).await;
        let is_back = install::upgrade(&[]);
        enforcer.end()?;
        outcome.and(is_back)
    })
    .await
}

async fn enforced(space: &Space) -> anyhow::Result<()> {
    install::upgrade(&["networkPolicy.enabled=true"])?;
    install::is_ready(&space.client).await?;
    let prometheus = Prometheus::start(space).await?;
    let mut spec = prometheus.export();
    lay_over(
        &mut spec,
        json!({ "networkPolicy": {
        "enabled": true,
        "senders": [{ "podSelector": { "matchLabels": { "role": "sender" } } }],
        "scrapers": [{ "podSelector": { "matchLabels": { "role": "scraper" } } }],
    } }),
    );
    let set = Set::new(space, "demo", 2, spec).await?;
    set.serves(2).await?;
    let gateway = space.pods("app.kubernetes.io/component=gateway").await?.first().context("a gateway")?.name_any();
    let gateway = format!("{}:4317", address_of(space, &gateway).await?);
    is_let_in(space, "stranger", &gateway, false).await?;
    is_let_in(space, "sender", &gateway, true).await?;
    // Those who may send may do so to gateways only.
    let worker = format!("{}:4317", address_of(space, "demo-worker-0").await?);
    is_let_in(space, "sender", &worker, false).await?;

    let load = Load::start(&set, &prometheus, &lasting("40s")).await?;
    prometheus.has_totals().await?;
    for shards in [3, 2] {
        set.scale(shards).await?;
        set.serves(shards.try_into()?).await?;
    }
    // It comes back with another address.
    space.api::<Pod>().delete("demo-worker-1", &DeleteParams::default().grace_period(0)).await?;
    set.serves(2).await?;
    load.is_exact(180).await?;
    prometheus.nothing_was_reset().await
}
