//! How fast the parts on a cluster are, as a Markdown table on stdout: from publication to routing, a whole rebalance, what the operator
//! takes of memory for a hundred sets, and what it writes for sets at rest.
//!
//! Run by `cargo xtask e2e --cluster local --measure`. Figures of a machine of two cores that also is the whole cluster.

use std::time::Duration;

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::ResourceExt;
use serde_json::{Value, json};
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

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    say("| what | budget | measured |\n| --- | --- | --- |");
    within(routed).await?;
    within(rebalance).await?;
    within(sets).await
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn say(line: &str) {
    println!("{line}");
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
    let quota = json!({ "metadata": { "name": "no-pods" }, "spec": { "hard": { "pods": "0" } } });
    space.apply::<ResourceQuota>(quota).await?;
    for number in 0..SETS {
        Set::new(&space, &format!("set-{number}"), 3, json!({})).await?;
    }
    sleep(AT_REST / 2).await;
    let writes = metric_of_leader("shardset_operator_writes_total").await?;
    let turns = metric_of_leader("shardset_operator_turns_total").await?;
    sleep(AT_REST).await;
    let writes = metric_of_leader("shardset_operator_writes_total").await? - writes;
    let turns = metric_of_leader("shardset_operator_turns_total").await? - turns;
    say(&format!("| writes of the operator in {turns} looks at {SETS} sets that do not change | 0 | {writes} |"));
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
