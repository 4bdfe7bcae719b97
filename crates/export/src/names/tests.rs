//! Names against the worked examples of the specification, of otlptranslator and of Claude Code's dashboards.

use shardset_model::MetricKind;

use super::{Family, FamilyType};
use crate::fixtures::{COUNTER, EXPONENTIAL, HISTOGRAM, UP_DOWN, metric};
use crate::{Strategy, Translation};

const GAUGE: MetricKind = MetricKind::Gauge;

/// Name, unit, kind, and the name it gets; empty where it can have none.
type Row = (&'static str, &'static str, MetricKind, &'static str);

fn check(strategy: Strategy, namespace: &str, table: &[Row]) {
    let translation = Translation { strategy, namespace: namespace.to_owned(), ..Translation::default() };
    for &(name, unit, kind, expected) in table {
        let family = Family::of(&metric(name, unit, kind), &translation);
        let got = family.as_ref().map_or("", Family::name);
        assert_eq!(got, expected, "{name:?} in {unit:?} as {kind:?} under {strategy}");
    }
}

#[test]
fn claude_code_metrics_get_the_names_that_dashboards_use() {
    check(
        Strategy::UnderscoreEscapingWithSuffixes,
        "",
        &[
            ("claude_code.session.count", "", COUNTER, "claude_code_session_count_total"),
            ("claude_code.lines_of_code.count", "", COUNTER, "claude_code_lines_of_code_count_total"),
            ("claude_code.pull_request.count", "", COUNTER, "claude_code_pull_request_count_total"),
            ("claude_code.commit.count", "", COUNTER, "claude_code_commit_count_total"),
            ("claude_code.cost.usage", "USD", COUNTER, "claude_code_cost_usage_USD_total"),
            ("claude_code.token.usage", "tokens", COUNTER, "claude_code_token_usage_tokens_total"),
            ("claude_code.code_edit_tool.decision", "", COUNTER, "claude_code_code_edit_tool_decision_total"),
            ("claude_code.active_time.total", "s", COUNTER, "claude_code_active_time_seconds_total"),
        ],
    );
    check(
        Strategy::NoUtf8EscapingWithSuffixes,
        "",
        &[
            ("claude_code.cost.usage", "USD", COUNTER, "claude_code.cost.usage_USD_total"),
            ("claude_code.active_time.total", "s", COUNTER, "claude_code.active_time_seconds_total"),
        ],
    );
}

#[test]
fn the_default_strategy_names_by_words_unit_and_type() {
    check(
        Strategy::UnderscoreEscapingWithSuffixes,
        "",
        &[
            ("http.server.request.duration", "s", HISTOGRAM, "http_server_request_duration_seconds"),
            ("system.cpu.utilization", "1", GAUGE, "system_cpu_utilization_ratio"),
            ("system.network.io", "By", COUNTER, "system_network_io_bytes_total"),
            ("foo", "{packet}/s", GAUGE, "foo_per_second"),
            ("2xx.count", "1", COUNTER, "_2xx_count_total"),
            ("a..b__c", "", GAUGE, "a_b_c"),
            ("_a_", "", GAUGE, "a"),
            ("requests", "", COUNTER, "requests_total"),
            ("requests_total", "", COUNTER, "requests_total"),
            ("total.requests", "", COUNTER, "requests_total"),
            ("total", "", COUNTER, "total"),
            ("requests_total", "", GAUGE, "requests_total"),
            ("items", "1", COUNTER, "items_total"),
            ("items", "1", UP_DOWN, "items"),
            ("cpu_usage_ratio", "1", GAUGE, "cpu_usage_ratio"),
            ("response_time_seconds", "s", GAUGE, "response_time_seconds"),
            ("seconds.of.day", "s", GAUGE, "seconds_of_day"),
            ("throughput", "By/s", GAUGE, "throughput_bytes_per_second"),
            ("throughput", "m/s", GAUGE, "throughput_meters_per_second"),
            ("throughput", "1/min", GAUGE, "throughput_per_min"),
            ("custom_metric", "custom_unit", GAUGE, "custom_metric_custom_unit"),
            ("custom_metric", "custom_", GAUGE, "custom_metric_custom_"),
            ("custom_metric", "custom_/s", GAUGE, "custom_metric_custom_per_second"),
            ("custom_metric", "unit@with#special/chars", GAUGE, "custom_metric_unit_with_special_per_chars"),
            ("request.size", "By", EXPONENTIAL, "request_size_bytes"),
            ("latency", "ms", MetricKind::Summary, "latency_milliseconds"),
            ("ns:rule", "", GAUGE, "ns:rule"),
            ("métrique", "", GAUGE, "m_trique"),
            ("@#$%", "", GAUGE, ""),
            ("@#$%", "", COUNTER, "total"),
            ("", "", GAUGE, ""),
        ],
    );
    check(
        Strategy::UnderscoreEscapingWithSuffixes,
        "app",
        &[("requests", "1/s", COUNTER, "app_requests_per_second_total"), ("123_a", "", COUNTER, "app_123_a_total")],
    );
}

#[test]
fn without_suffixes_only_characters_change() {
    check(
        Strategy::UnderscoreEscapingWithoutSuffixes,
        "",
        &[
            ("simple_metric", "s", COUNTER, "simple_metric"),
            ("metric@with#special$chars", "", GAUGE, "metric_with_special_chars"),
            ("metric@@##name", "", GAUGE, "metric_name"),
            ("metric__name", "", GAUGE, "metric__name"),
            ("123metric", "", GAUGE, "_123metric"),
            ("_", "", GAUGE, "_"),
            ("@#$%", "", GAUGE, ""),
        ],
    );
    check(
        Strategy::UnderscoreEscapingWithoutSuffixes,
        "test@namespace!!??",
        &[("metric", "", GAUGE, "test_namespace_metric")],
    );
}

#[test]
fn without_escaping_names_are_kept_and_suffixes_appended() {
    check(
        Strategy::NoUtf8EscapingWithSuffixes,
        "",
        &[
            ("requêsts", "", COUNTER, "requêsts_total"),
            ("requêsts", "1/s", GAUGE, "requêsts_per_second"),
            ("cpu_usagé", "1", GAUGE, "cpu_usagé_ratio"),
            ("cpu_usage_ratio", "1", GAUGE, "cpu_usage_ratio"),
            ("respønse_time", "ms", GAUGE, "respønse_time_milliseconds"),
            ("requests_total", "", COUNTER, "requests_total"),
            ("cpu_seconds_total", "s", COUNTER, "cpu_seconds_total"),
            ("@#$%", "", COUNTER, "@#$%_total"),
            ("total", "", COUNTER, "total_total"),
        ],
    );
    check(
        Strategy::NoUtf8EscapingWithSuffixes,
        "ñamespace",
        &[("requêsts", "1/s", COUNTER, "ñamespace_requêsts_per_second_total")],
    );
    check(Strategy::NoTranslation, "", &[("a.b", "s", COUNTER, "a.b"), ("", "", GAUGE, "")]);
    check(Strategy::NoTranslation, "n", &[("a.b", "s", COUNTER, "n_a.b")]);
}

#[test]
fn a_family_tells_type_unit_and_help() {
    let family = Family::of(&metric("system.network.io", "By/s", UP_DOWN), &Translation::default()).unwrap();
    assert_eq!(family.name(), "system_network_io_bytes_per_second");
    assert_eq!((family.kind(), family.unit(), family.help()), (FamilyType::Gauge, "bytes_per_second", "what it is"));
    let spaced = Translation { namespace: "ns".into(), ..Translation::default() };
    assert_eq!(Family::target_info(&spaced).name(), "ns_target_info");
}

#[test]
fn a_name_of_nothing_is_refused_by_that_name() {
    let refused = Family::of(&metric("@", "", GAUGE), &Translation::default()).unwrap_err();
    assert_eq!(refused.to_string(), "the metric name \"@\" has no character that a Prometheus name may have");
}
