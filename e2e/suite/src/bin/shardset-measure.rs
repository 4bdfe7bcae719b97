//! How fast the parts on a cluster are, as a Markdown table on stdout: from publication to routing, a whole rebalance, what the operator
//! takes of memory for a hundred sets, and what it writes for sets at rest.
//!
//! Run by `cargo xtask e2e --cluster local --measure`; of this program single parts are named behind it (`routed rebalance sets`).
//! Figures of a machine of two cores that also is the whole cluster.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use shardset_crds::MetricsShardSet;
use shardset_e2e::tool;
use shardset_model::Phase;
use shardset_suite::install::{NAMESPACE, OPERATOR, metric_of_leader};
use shardset_suite::load::Load;
use shardset_suite::prometheus::Prometheus;
use shardset_suite::set::{Set, lay_over};
use shardset_suite::space::{Space, within};
use tokio::time::{Instant, sleep};

const STREAMS: u32 = 200_000;
const SETS: u32 = 100;
const AT_REST: Duration = Duration::from_secs(60);

/// What the operator writes, as its metrics call it.
const KINDS: [&str; 13] = [
    "ConfigMap",
    "Deployment",
    "EndpointSlice",
    "MetricsShardSet",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "Role",
    "RoleBinding",
    "Service",
    "ServiceAccount",
    "StatefulSet",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let parts: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    say("| what | budget | measured |\n| --- | --- | --- |");
    if is_wanted("routed") {
        within(routed).await?;
    }
    if is_wanted("rebalance") {
        within(rebalance).await?;
    }
    if is_wanted("sets") {
        within(sets).await?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "it explains what is said on stdout")]
fn explain(line: &str) {
    eprintln!("{line}");
}

/// Changes between one worker and two, each of two publications; what the gateways say of how soon they routed by each.
async fn routed(space: Space) -> anyhow::Result<()> {
    let set = Set::new(&space, "demo", 1, json!({})).await?;
    set.serves(1).await?;
    for _ in 0..8 {
        set.scale(2).await?;
        set.serves(2).await?;
        set.scale(1).await?;
        set.serves(1).await?;
    }
    let mut buckets: Vec<(f64, f64)> = Vec::new();
    for gateway in space.pods("shardset.dev/set=demo,app.kubernetes.io/component=gateway").await? {
        let metrics = space.ask(&gateway.name_any(), 9465, "metrics").await?;
        let of_histogram = metrics.lines().filter_map(|line| {
            let rest = line.strip_prefix("shardset_gateway_membership_publish_seconds_bucket{le=\"")?;
            let (bound, count) = rest.split_once("\"} ")?;
            Some((bound.parse().unwrap_or(f64::INFINITY), count.parse().ok()?))
        });
        for (place, (bound, count)) in of_histogram.enumerate() {
            match buckets.get_mut(place) {
                Some(bucket) => bucket.1 += count,
                None => buckets.push((bound, count)),
            }
        }
    }
    let all = buckets.last().context("no publications")?.1;
    let below =
        |share: f64| buckets.iter().find(|(_, count)| *count >= all * share).map_or(f64::NAN, |(bound, _)| bound * 1e3);
    let (median, p99) = (below(0.5), below(0.99));
    say(&format!(
        "| published to routed by, {all} publications, p99 | 100 ms | below {p99:.0} ms (median below {median:.0}) |"
    ));
    Ok(())
}

/// Three workers with many streams become five.
async fn rebalance(space: Space) -> anyhow::Result<()> {
    let prometheus = Prometheus::start(&space).await?;
    let mut spec = prometheus.export();
    lay_over(&mut spec, json!({ "workers": { "storage": { "size": "2Gi" } }, "export": { "intervalSeconds": 15 } }));
    let set = Set::new(&space, "demo", 3, spec).await?;
    set.serves(3).await?;
    let points = (STREAMS + STREAMS / 4).to_string();
    let flags = ["--points", &points, "--rate", "20000", "--interval", "60s", "--lifetime", "1", "--patience", "60s"];
    Load::plain(&set, &prometheus, &flags).await?.is_exact(240).await?;
    let streams = space
        .until("the streams are counted", 60, async || {
            let streams = set.status().await?.streams;
            ensure!(streams >= STREAMS.into(), "{streams} streams");
            Ok(streams)
        })
        .await?;
    let asked = Instant::now();
    set.scale(5).await?;
    let workers = "shardset.dev/set=demo,app.kubernetes.io/component=worker";
    let running = space
        .until("all pods run", 60, async || {
            let status = set.status().await?;
            ensure!(space.pods(workers).await?.len() == 5 && status.ready_replicas >= 3, "{}", status.ready_replicas);
            let running = space.pods(workers).await?.iter().filter(|pod| is_running(pod)).count();
            ensure!(running == 5, "{running} pods run");
            Ok(asked.elapsed())
        })
        .await?;
    space
        .until("the move is over", 120, async || {
            let record = set.published().await?;
            let membership = record.membership();
            ensure!(membership.shards().get() == 5 && membership.phase() == Phase::Stable, "{membership:?}");
            Ok(())
        })
        .await?;
    let (all, after) = (asked.elapsed().as_secs_f64(), (asked.elapsed() - running).as_secs_f64());
    say(&format!(
        "| 3 to 5 workers, {streams} streams, from kubectl scale to Stable | 10 s once pods run | {after:.1} s once pods ran ({all:.1} s in all) |"
    ));
    Ok(())
}

fn is_running(pod: &k8s_openapi::api::core::v1::Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"))
}

/// Many sets, in a namespace that may have no pods: what an operator does for them it does, and no node is needed.
async fn sets(space: Space) -> anyhow::Result<()> {
    others_are_gone(&space).await?;
    let quota = json!({ "metadata": { "name": "no-pods" }, "spec": { "hard": { "pods": "0" } } });
    space.apply::<ResourceQuota>(quota).await?;
    for number in 0..SETS {
        Set::new(&space, &format!("set-{number}"), 3, json!({})).await?;
    }
    sleep(AT_REST / 2).await;
    let (before, asked) = (written().await?, asked_to_write()?.len());
    let turns = metric_of_leader("shardset_operator_turns_total").await?;
    sleep(AT_REST).await;
    let turns = metric_of_leader("shardset_operator_turns_total").await? - turns;
    let mut after = written().await?;
    after.retain(|kind, count| {
        *count -= before.get(kind).unwrap_or(&0.0);
        *count != 0.0
    });
    let writes = after.remove("all").unwrap_or(0.0);
    say(&format!("| writes of the operator in {turns} looks at {SETS} sets that do not change | 0 | {writes} |"));
    if writes != 0.0 {
        explain(&format!("written, by kind: {after:?}"));
        asked_to_write()?.iter().skip(asked).for_each(|line| explain(line));
    }
    let stats = "/api/v1/nodes/node/proxy/stats/summary";
    let text = space.client.request_text(http::Request::get(stats).body(Vec::new())?).await?;
    let stats: Value = serde_json::from_str(&text)?;
    let pods = stats["pods"].as_array().context("the node's pods")?;
    let is_operator = |pod: &&Value| {
        pod["podRef"]["namespace"] == NAMESPACE
            && pod["podRef"]["name"].as_str().is_some_and(|name| name.starts_with(OPERATOR))
    };
    let memory = pods.iter().filter(is_operator).filter_map(|pod| pod["containers"][0]["memory"]["rssBytes"].as_u64());
    let most = memory.max().context("no operator on the node")? as f64 / f64::from(1 << 20);
    say(&format!("| resident memory of an operator with {SETS} sets | 64 MiB | {most:.1} MiB |"));
    Ok(())
}

/// Waits until there is no set but those that are counted. A namespace that is deleted keeps its sets until their pods have ended, which
/// may take as long as their grace, and the operator writes how they stand meanwhile.
async fn others_are_gone(space: &Space) -> anyhow::Result<()> {
    let sets: Api<MetricsShardSet> = Api::all(space.client.clone());
    space
        .until("the sets of the parts before are gone", 180, async || {
            let left = sets.list(&ListParams::default()).await?.items;
            ensure!(left.is_empty(), "{} are left", left.len());
            Ok(())
        })
        .await
}

/// What the operator that acts has written, by kind.
async fn written() -> anyhow::Result<BTreeMap<&'static str, f64>> {
    let mut written = BTreeMap::new();
    for kind in KINDS {
        let series = format!("shardset_operator_writes_total{{object=\"{kind}\"}}");
        written.insert(kind, metric_of_leader(&series).await?);
    }
    // A kind that is not listed here must not be missed.
    written.insert("all", metric_of_leader("shardset_operator_writes_total").await?);
    Ok(written)
}

/// The requests of the operator that write, but for its lease, as the cluster that was made for this wrote them down; none elsewhere.
fn asked_to_write() -> anyhow::Result<Vec<String>> {
    let Ok(cluster) = tool("SHARDSET_CLUSTER_DIR") else { return Ok(Vec::new()) };
    let operator = format!("system:serviceaccount:{NAMESPACE}:{OPERATOR}");
    let mut asked = Vec::new();
    for line in fs::read_to_string(cluster.join("audit.log"))?.lines() {
        // The last line may be written just now.
        let Ok(request) = serde_json::from_str::<Value>(line) else { continue };
        let (verb, of) = (request["verb"].as_str().unwrap_or_default(), &request["objectRef"]);
        let writes = !["get", "list", "watch"].contains(&verb) && of["resource"] != "leases";
        if writes && request["user"]["username"] == operator {
            let [at, code] = [&request["requestReceivedTimestamp"], &request["responseStatus"]["code"]];
            asked.push(format!("{at} {verb} {}/{} {} {code}", of["resource"], of["subresource"], of["name"]));
        }
    }
    Ok(asked)
}
