//! The OpenTelemetry JavaScript SDK, as Claude Code uses it, into a real Prometheus.
#![cfg(feature = "real-parts")]

use shardset_e2e::prometheus::Prometheus;
use shardset_e2e::sdk::{Recorded, Sdk};
use shardset_e2e::shardset::Shardset;
use shardset_e2e::totals;

const PROTOCOLS: [&str; 3] = ["grpc", "http/protobuf", "http/json"];

/// Names of Claude Code's metrics at Prometheus: what its dashboards ask for.
const CLAUDE_CODE: [(&str, &str); 8] = [
    ("claude_code.session.count", "claude_code_session_count_total"),
    ("claude_code.lines_of_code.count", "claude_code_lines_of_code_count_total"),
    ("claude_code.pull_request.count", "claude_code_pull_request_count_total"),
    ("claude_code.commit.count", "claude_code_commit_count_total"),
    ("claude_code.cost.usage", "claude_code_cost_usage_USD_total"),
    ("claude_code.token.usage", "claude_code_token_usage_tokens_total"),
    ("claude_code.code_edit_tool.decision", "claude_code_code_edit_tool_decision_total"),
    ("claude_code.active_time.total", "claude_code_active_time_seconds_total"),
];

async fn start() -> anyhow::Result<(Prometheus, Shardset)> {
    let prometheus = Prometheus::start().await?;
    let shardset = Shardset::start(&["--export-interval", "500ms", "--remote-write", &prometheus.write_url()]).await?;
    Ok((prometheus, shardset))
}

fn endpoint(shardset: &Shardset, protocol: &str) -> String {
    Shardset::url(if protocol == "grpc" { shardset.grpc } else { shardset.http }, "")
}

#[tokio::test]
async fn a_session_that_counts_once_and_ends_is_seen_by_increase() -> anyhow::Result<()> {
    let (prometheus, shardset) = start().await?;
    for protocol in PROTOCOLS {
        let recorded = Sdk::JavaScript.run("claude_code", &[protocol, &endpoint(&shardset, protocol), protocol])?;
        assert_eq!(recorded.len(), 12, "series of one session");
        for Recorded { instrument, attributes, sum, .. } in recorded {
            let (_, name) = CLAUDE_CODE.iter().find(|(otel, _)| *otel == instrument).expect("a name of the table");
            let selector = totals::selector(name, &attributes);
            let series = prometheus.settles_at(&selector, sum).await?;
            assert_eq!(series.labels["job"], "claude-code");
            assert_eq!(series.samples()[0].1, 0.0, "{selector} begins with a sample of zero");
            assert_eq!(prometheus.increase(&selector, &series).await?, sum, "increase({selector})");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_instrument_totals_what_was_recorded_over_idle_gaps() -> anyhow::Result<()> {
    let (prometheus, shardset) = start().await?;
    for protocol in PROTOCOLS {
        let recorded = Sdk::JavaScript.run("instruments", &[protocol, &endpoint(&shardset, protocol)])?;
        totals::check(&prometheus, &recorded, protocol).await?;
    }
    Ok(())
}

#[tokio::test]
async fn one_point_sent_by_three_protocols_is_one_series_and_counts_once() -> anyhow::Result<()> {
    let (prometheus, shardset) = start().await?;
    let [grpc, http] = [shardset.grpc, shardset.http].map(|address| Shardset::url(address, ""));
    for Recorded { instrument, attributes, sum, count } in Sdk::JavaScript.run("same_point", &[&grpc, &http])? {
        let (name, total) = match instrument.as_str() {
            "same.double" => ("same_double_seconds_total", sum),
            "same.int" => ("same_int_total", sum),
            _ => ("same_histogram_count", count),
        };
        // Whatever its labels are, there is one series of this name; and it is found by the attributes as they were set.
        prometheus.settles_at(name, total).await?;
        prometheus.settles_at(&totals::selector(name, &attributes), total).await?;
    }
    Ok(())
}
