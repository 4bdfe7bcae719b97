//! What the charts say to a Prometheus: whom it is to scrape, when to alert, and what the dashboard shows.
#![cfg(feature = "real-parts")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use shardset_e2e::charts::{find, names, read, render};
use shardset_e2e::otlp::{self, Delta};
use shardset_e2e::prometheus::Prometheus;
use shardset_e2e::shardset::Shardset;
use shardset_e2e::tool;

#[test]
fn monitors_select_pods_that_there_are_and_ports_that_they_have() -> anyhow::Result<()> {
    let flags = ["--set", "serviceMonitor.enabled=true,podMonitor.enabled=true,podMonitor.totals.enabled=true"];
    let objects = render(&flags)?;
    let monitor = &find(&objects, "PodMonitor", "shardset-sets")?["spec"];
    // What the operator renders; its own tests compare it with this file.
    let rendered: Vec<Value> = serde_saphyr::from_multiple(&read("operator/tests/golden/least.yaml")?)?;
    let pod = |kind: &str| -> anyhow::Result<Value> {
        let of_kind = rendered.iter().find(|object| object["kind"] == kind).context("it is rendered")?;
        Ok(of_kind["spec"]["template"].clone())
    };
    let tiers = [("worker", pod("StatefulSet")?), ("gateway", pod("Deployment")?)];
    let endpoints = monitor["podMetricsEndpoints"].as_array().context("endpoints")?;
    ensure!(endpoints.len() == 2, "{endpoints:?}");
    for (port, expected) in [("admin", &["worker", "gateway"][..]), ("scrape", &["worker"])] {
        let endpoint = endpoints.iter().find(|endpoint| endpoint["port"] == port).context("an endpoint")?;
        let has = |pod: &Value| {
            let ports = pod["spec"]["containers"][0]["ports"].as_array();
            ports.into_iter().flatten().any(|one| one["name"] == port)
        };
        let having: Vec<&str> = tiers.iter().filter(|(_, pod)| has(pod)).map(|(tier, _)| *tier).collect();
        ensure!(having == expected, "{port} is a port of {having:?}");
        for label in sources(&endpoint["relabelings"]).iter().filter_map(|label| label.strip_prefix(OF_POD)) {
            for (tier, pod) in &tiers {
                let labels = pod["metadata"]["labels"].as_object().context("labels")?;
                let is_it = |name: &String| name.replace(|c: char| !c.is_ascii_alphanumeric(), "_") == label;
                ensure!(labels.keys().any(is_it), "a {tier} has no label {label}");
            }
        }
    }
    for (tier, pod) in &tiers {
        for expression in monitor["selector"]["matchExpressions"].as_array().context("expressions")? {
            let (value, key) = (&pod["metadata"]["labels"], expression["key"].as_str().unwrap_or_default());
            let is_in = expression["values"].as_array().is_none_or(|values| values.contains(&value[key]));
            ensure!(value[key].is_string() && is_in, "a {tier} is not selected by {expression}");
        }
    }
    let service = find(&objects, "Service", "shardset-operator")?;
    let monitored = &find(&objects, "ServiceMonitor", "shardset-operator")?["spec"]["endpoints"][0]["port"];
    ensure!(service["spec"]["ports"][0]["name"] == *monitored, "{service}");
    Ok(())
}

#[tokio::test]
async fn totals_that_are_scraped_do_not_say_which_worker_told_them() -> anyhow::Result<()> {
    let objects = render(&["--set", "podMonitor.enabled=true,podMonitor.totals.enabled=true"])?;
    let endpoints = &find(&objects, "PodMonitor", "shardset-sets")?["spec"]["podMetricsEndpoints"];
    let is_totals = |endpoint: &&Value| endpoint["port"] == "scrape";
    let endpoint = endpoints.as_array().into_iter().flatten().find(is_totals).context("an endpoint")?;
    let mut shardset = Shardset::start(&["--export-interval", "500ms"]).await?;
    // As the Prometheus operator makes it: labels that say of which pod a target is, and then what the monitor says.
    let labels = json!({
        "namespace": "metrics", "container": "worker", "pod": "demo-worker-0", "endpoint": "scrape",
        "__meta_kubernetes_pod_name": "demo-worker-0", format!("{OF_POD}shardset_dev_set"): "demo",
    });
    let prometheus = Prometheus::start_configured(json!([{
        "job_name": "podMonitor/shardset-system/shardset-sets/1",
        "honor_labels": endpoint["honorLabels"],
        "relabel_configs": relabelings(&endpoint["relabelings"])?,
        "metric_relabel_configs": relabelings(&endpoint["metricRelabelings"])?,
        "static_configs": [{ "targets": [shardset.scrape.to_string()], "labels": labels }],
    }]))
    .await?;
    let now = otlp::now();
    let delta = Delta { metric: "scraped", who: "a", start: now, time: now + 1, value: 7.0 };
    let answer = shardset.send_json(otlp::request(&[delta])).await?;
    ensure!(answer.status().is_success(), "it answers {}", answer.status());
    let total = prometheus.settles_at("scraped_total", 7.0).await?;
    let labels: BTreeMap<&str, &str> =
        total.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected =
        [("__name__", "scraped_total"), ("job", "e2e"), ("namespace", "metrics"), ("set", "demo"), ("who", "a")];
    ensure!(labels == BTreeMap::from(expected), "{labels:?}");
    // What a Prometheus says of its targets is told apart all the same.
    let up = prometheus.query("up", None).await?;
    ensure!(up.first().is_some_and(|up| up.labels["instance"] == "worker/demo-worker-0"), "{up:?}");
    shardset.is_well().await
}

/// Relabelings as Prometheus has them, of those of a monitor.
fn relabelings(of_monitor: &Value) -> anyhow::Result<Value> {
    let text = of_monitor.to_string().replace("\"sourceLabels\"", "\"source_labels\"");
    Ok(serde_json::from_str(&text.replace("\"targetLabel\"", "\"target_label\""))?)
}

/// What a Prometheus calls a label of a pod before relabeling.
const OF_POD: &str = "__meta_kubernetes_pod_label_";

/// The labels that relabelings read.
fn sources(relabelings: &Value) -> Vec<String> {
    let all = relabelings.as_array().into_iter().flatten();
    let sources = all.flat_map(|one| one["sourceLabels"].as_array().cloned().unwrap_or_default());
    sources.filter_map(|label| Some(label.as_str()?.to_owned())).collect()
}

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() -> anyhow::Result<()> {
    let off =
        "prometheusRule.enabled=true,prometheusRule.disabled={ShardsetMoveStuck},prometheusRule.runbookUrl=https://x";
    let some = alerts(&["--set", off])?;
    ensure!(some.iter().all(|alert| alert["alert"] != "ShardsetMoveStuck"), "it is disabled");
    ensure!(
        some.iter().all(|alert| alert["annotations"]["runbook_url"]
            .as_str()
            .is_some_and(|url| url.starts_with("https://x/S")))
    );
    let mut pages = BTreeSet::new();
    for alert in alerts(&["--set", "prometheusRule.enabled=true"])? {
        let page = alert["annotations"]["runbook_url"].as_str().context("no runbook")?.to_owned();
        let (text, name) = (read(&page)?, alert["alert"].as_str().context("no name")?);
        let parts = [format!("# {name}\n"), "\n## Look at\n".to_owned(), "\n## Do\n".to_owned()];
        ensure!(parts.iter().all(|part| text.contains(part.as_str())), "{page} lacks one of {parts:?}");
        ensure!(
            ["critical", "warning", "info"].iter().any(|severity| alert["labels"]["severity"] == *severity),
            "{alert}"
        );
        pages.insert(page);
    }
    let there: BTreeSet<String> = names("docs/runbooks")?.into_iter().collect();
    ensure!(
        there == pages,
        "pages without an alert, or alerts without a page: {:?}",
        there.symmetric_difference(&pages)
    );
    Ok(())
}

#[test]
fn alerts_and_dashboard_speak_of_metrics_that_there_are() -> anyhow::Result<()> {
    let known =
        ["docs/metrics.md", "operator/src/metrics.rs"].map(read).into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let known: BTreeSet<String> = known.iter().flat_map(|text| metrics(text)).collect();
    let mut asked: Vec<String> =
        alerts(&["--set", "prometheusRule.enabled=true"])?.iter().map(|alert| alert["expr"].to_string()).collect();
    asked.extend(panels()?);
    ensure!(asked.len() > 40, "{asked:?}");
    for name in asked.iter().flat_map(|text| metrics(text)) {
        ensure!(known.contains(&name), "nothing tells {name}");
    }
    Ok(())
}

#[test]
fn prometheus_takes_the_alerts_and_the_queries_of_the_dashboard() -> anyhow::Result<()> {
    let mut rules = alerts(&["--set", "prometheusRule.enabled=true"])?;
    for (number, query) in panels()?.iter().enumerate() {
        let query = query.replace("$__rate_interval", "5m");
        rules.push(json!({ "record": format!("panel_{number}"), "expr": query }));
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("rules.yaml");
    // JSON is YAML.
    fs::write(&file, json!({ "groups": [{ "name": "all", "rules": rules }] }).to_string())?;
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", &file.display().to_string()])
}

/// An alert, series by the minute, and whether it fires at minute 90.
type Fires<'a> = (&'a str, &'a [(&'a str, &'a str)], bool);

#[rustfmt::skip]
const FIRES: &[Fires<'_>] = &[
    ("ShardsetOperatorAbsent", &[], true),
    ("ShardsetOperatorAbsent", &[("shardset_operator_leader{namespace='shardset-system', pod='a'}", "0x100")], true),
    ("ShardsetOperatorAbsent", &[("shardset_operator_leader{namespace='shardset-system', pod='a'}", "1x100")], false),
    ("ShardsetOperatorBlocked", &[("shardset_operator_turns_total{namespace='shardset-system', outcome='blocked'}", "0+9x100")], true),
    ("ShardsetOperatorBlocked", &[("shardset_operator_turns_total{namespace='shardset-system', outcome='done'}", "0+9x100")], false),
    ("ShardsetOperatorContested", &[("shardset_operator_writes_total{namespace='shardset-system', object='Service'}", "0+30x100")], true),
    ("ShardsetOperatorContested", &[("shardset_operator_writes_total{namespace='shardset-system', object='MetricsShardSet'}", "0+60x100")], false),
    ("ShardsetOperatorSlow", &[("shardset_operator_turn_seconds_bucket{namespace='shardset-system', le='4.096'}", "0x100"), ("shardset_operator_turn_seconds_bucket{namespace='shardset-system', le='8.192'}", "0+9x100"), ("shardset_operator_turn_seconds_bucket{namespace='shardset-system', le='+Inf'}", "0+9x100")], true),
    ("ShardsetOperatorSlow", &[("shardset_operator_turn_seconds_bucket{namespace='shardset-system', le='4.096'}", "0+9x100"), ("shardset_operator_turn_seconds_bucket{namespace='shardset-system', le='+Inf'}", "0+9x100")], false),
    ("ShardsetMoveStuck", &[("shardset_operator_moving{namespace='n', set='s'}", "1x100")], true),
    ("ShardsetMoveStuck", &[("shardset_operator_moving{namespace='n', set='s'}", "0x80 1x20")], false),
    ("ShardsetWorkerMissing", &[("shardset_operator_shards{namespace='n', set='s'}", "2x100"), ("shardset_worker_epoch{namespace='n', set='s', shard='0'}", "1x100")], true),
    ("ShardsetWorkerMissing", &[("shardset_operator_shards{namespace='n', set='s'}", "1x100"), ("shardset_worker_epoch{namespace='n', set='s', shard='0'}", "1x100")], false),
    ("ShardsetWorkerMissing", &[("shardset_operator_shards{namespace='n', set='s'}", "1x100"), ("shardset_worker_epoch{namespace='n', set='t', shard='0'}", "1x100")], true),
    ("ShardsetWorkerEpochBehind", &[("shardset_operator_epoch{namespace='n', set='s'}", "3x100"), ("shardset_worker_epoch{namespace='n', set='s', shard='0'}", "0x100")], true),
    ("ShardsetWorkerEpochBehind", &[("shardset_operator_epoch{namespace='n', set='s'}", "3x100"), ("shardset_worker_epoch{namespace='n', set='s', shard='0'}", "3x100")], false),
    ("ShardsetGatewayEpochBehind", &[("shardset_operator_epoch{namespace='n', set='s'}", "3x100"), ("shardset_gateway_membership_epoch{namespace='n', set='s', pod='a'}", "2x100")], true),
    ("ShardsetGatewayEpochBehind", &[("shardset_operator_epoch{namespace='n', set='s'}", "3x100"), ("shardset_gateway_membership_epoch{namespace='n', set='s', pod='a'}", "2x86 3x14")], false),
    ("ShardsetMembershipRefused", &[("shardset_membership_refused_total{namespace='n', set='s', pod='a', reason='malformed'}", "0+1x100")], true),
    ("ShardsetMembershipRefused", &[("shardset_membership_refused_total{namespace='n', set='s', pod='a', reason='missing'}", "0+1x100")], false),
    ("ShardsetCertificateEnding", &[("shardset_tls_certificate_not_before_seconds{namespace='n', pod='a', purpose='peers'}", "0x100"), ("shardset_tls_certificate_not_after_seconds{namespace='n', pod='a', purpose='peers'}", "5500x100")], true),
    ("ShardsetCertificateEnding", &[("shardset_tls_certificate_not_before_seconds{namespace='n', pod='a', purpose='peers'}", "0x100"), ("shardset_tls_certificate_not_after_seconds{namespace='n', pod='a', purpose='peers'}", "8000x100")], false),
    ("ShardsetRequestsTurnedAway", &[("shardset_gateway_requests_total{namespace='n', set='s', outcome='unavailable'}", "0+9x100"), ("shardset_gateway_requests_total{namespace='n', set='s', outcome='accepted'}", "0+90x100")], true),
    ("ShardsetRequestsTurnedAway", &[("shardset_gateway_requests_total{namespace='n', set='s', outcome='unavailable'}", "0+1x100"), ("shardset_gateway_requests_total{namespace='n', set='s', outcome='accepted'}", "0+90x100")], false),
    ("ShardsetStreamLimitReached", &[("shardset_worker_points_refused_total{namespace='n', set='s', shard='0', reason='stream_limit'}", "0+1x100")], true),
    ("ShardsetPointsRefused", &[("shardset_worker_points_refused_total{namespace='n', set='s', shard='0', reason='stream_limit'}", "0+1x100")], false),
    ("ShardsetPointsRefused", &[("shardset_worker_points_refused_total{namespace='n', set='s', shard='0', reason='too_old'}", "0+1x100")], true),
    ("ShardsetPointsForeign", &[("shardset_worker_points_foreign_total{namespace='n', set='s', shard='0'}", "0+1x100")], true),
    ("ShardsetDiskUnwritable", &[("shardset_worker_journal_unwritable{namespace='n', set='s', shard='0', pod='a'}", "0x80 1x20")], true),
    ("ShardsetDiskSlow", &[("shardset_worker_journal_commit_seconds_bucket{namespace='n', set='s', shard='0', pod='a', le='0.1024'}", "0+96x100"), ("shardset_worker_journal_commit_seconds_bucket{namespace='n', set='s', shard='0', pod='a', le='0.2048'}", "0+99x100"), ("shardset_worker_journal_commit_seconds_bucket{namespace='n', set='s', shard='0', pod='a', le='+Inf'}", "0+99x100")], true),
    ("ShardsetDiskSlow", &[("shardset_worker_journal_commit_seconds_bucket{namespace='n', set='s', shard='0', pod='a', le='0.0512'}", "0+99x100"), ("shardset_worker_journal_commit_seconds_bucket{namespace='n', set='s', shard='0', pod='a', le='+Inf'}", "0+99x100")], false),
    // Nothing has ever been taken, and something waits.
    ("ShardsetDestinationBehind", &[("shardset_export_requests_in_flight{namespace='n', set='s', pod='a', destination='d'}", "1x100")], true),
    ("ShardsetDestinationBehind", &[("shardset_export_requests_in_flight{namespace='n', set='s', pod='a', destination='d'}", "1x100"), ("shardset_export_last_success_timestamp_seconds{namespace='n', set='s', pod='a', destination='d'}", "60x100")], true),
    ("ShardsetDestinationBehind", &[("shardset_export_requests_in_flight{namespace='n', set='s', pod='a', destination='d'}", "1x100"), ("shardset_export_last_success_timestamp_seconds{namespace='n', set='s', pod='a', destination='d'}", "0+60x100")], false),
    // Nothing has been sent for long because nothing is to be sent.
    ("ShardsetDestinationBehind", &[("shardset_export_requests_in_flight{namespace='n', set='s', pod='a', destination='d'}", "0x100"), ("shardset_export_last_success_timestamp_seconds{namespace='n', set='s', pod='a', destination='d'}", "60x100")], false),
    ("ShardsetSamplesDropped", &[("shardset_export_samples_dropped_total{namespace='n', set='s', destination='d', reason='r'}", "0+1x100")], true),
    ("ShardsetShardsUneven", &[("shardset_worker_streams{namespace='n', set='s', shard='0', state='live'}", "90000x100"), ("shardset_worker_streams{namespace='n', set='s', shard='1', state='live'}", "10000x100"), ("shardset_worker_streams{namespace='n', set='s', shard='2', state='live'}", "10000x100")], true),
    ("ShardsetShardsUneven", &[("shardset_worker_streams{namespace='n', set='s', shard='0', state='live'}", "90000x100"), ("shardset_worker_streams{namespace='n', set='s', shard='1', state='live'}", "60000x100")], false),
];

#[test]
fn an_alert_fires_for_what_it_is_about_and_for_nothing_else() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let rules = alerts(&["--set", "prometheusRule.enabled=true"])?;
    let groups = json!({ "groups": [{ "name": "all", "rules": &rules }] });
    fs::write(folder.path().join("rules.yaml"), groups.to_string())?;
    let test = |(alert, series, fires): &Fires<'_>| {
        let series: Vec<Value> =
            series.iter().map(|(series, values)| json!({ "series": series, "values": values })).collect();
        let expected = if *fires { json!([{ "value": 1 }]) } else { json!([]) };
        json!({ "name": format!("{alert} {fires} {series:?}"), "interval": "1m", "input_series": series, "promql_expr_test": [{
            "expr": format!("sum(ALERTS{{alertname='{alert}', alertstate='firing'}})"),
            "eval_time": "90m",
            "exp_samples": expected,
        }] })
    };
    for rule in &rules {
        let fires = FIRES.iter().any(|(alert, _, fires)| *fires && rule["alert"] == *alert);
        ensure!(fires, "nothing makes {} fire", rule["alert"]);
    }
    let tests: Vec<Value> = FIRES.iter().map(test).collect();
    let file = folder.path().join("tests.yaml");
    fs::write(&file, json!({ "rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests }).to_string())?;
    promtool(&["test", "rules", &file.display().to_string()])
}

fn alerts(flags: &[&str]) -> anyhow::Result<Vec<Value>> {
    let objects = render(flags)?;
    let groups = find(&objects, "PrometheusRule", "shardset-operator")?["spec"]["groups"].as_array().cloned();
    let rules =
        groups.unwrap_or_default().into_iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
    Ok(rules.collect())
}

/// The queries of the dashboard.
fn panels() -> anyhow::Result<Vec<String>> {
    let objects = render(&["--set", "dashboard.enabled=true"])?;
    let dashboard = find(&objects, "ConfigMap", "shardset-dashboard")?;
    ensure!(dashboard["metadata"]["labels"]["grafana_dashboard"] == "1", "Grafana's sidecar would not find it");
    let dashboard: Value = serde_json::from_str(dashboard["data"]["shardset.json"].as_str().context("no dashboard")?)?;
    let targets = dashboard["panels"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    Ok(targets.filter_map(|target| Some(target["expr"].as_str()?.to_owned())).collect())
}

/// The metrics that a text names, by their families.
fn metrics(text: &str) -> Vec<String> {
    let words =
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("shardset_"));
    let family =
        |word: &str| ["_total", "_bucket"].iter().fold(word, |word, end| word.trim_end_matches(end)).to_owned();
    words.map(family).collect()
}

fn promtool(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(tool("SHARDSET_E2E_PROMETHEUS")?.join("promtool")).args(arguments).output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{said}");
    Ok(())
}
