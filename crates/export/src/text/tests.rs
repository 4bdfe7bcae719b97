//! Whole expositions, byte for byte.

use shardset_model::{
    Buckets, Context, Exemplar, ExponentialPoint, HistogramPoint, MetricKind, Quantile, SummaryPoint, UnixNanos, Value,
};

use super::{Exposition, TextFormat};
use crate::fixtures::{COUNTER, EXPONENTIAL, HISTOGRAM, UP_DOWN, frames, metric, stream, stream_of};
use crate::{Family, Labels, NotEncodable, Strategy, Translation};

use TextFormat::{OpenMetrics, Prometheus};

type Told<'a> = (&'a (Family, Labels), Value<'a>);

fn text(format: TextFormat, streams: &[Told<'_>], exemplars: &[Exemplar<'_>]) -> String {
    let mut exposition = Exposition::new(format);
    for ((family, labels), value) in streams {
        exposition.append(family, labels, *value, exemplars).unwrap();
    }
    exposition.finish()
}

const LATENCY: HistogramPoint<'static> =
    HistogramPoint { count: 9, sum: Some(4.5), min: None, max: None, bounds: &[0.5, 1.0], counts: &[1, 2, 6] };

#[test]
fn a_family_has_one_head_and_all_its_streams() {
    let first = stream("claude_code.cost.usage", "USD", COUNTER, &[("model", "opus")]);
    let second = stream("claude_code.cost.usage", "USD", COUNTER, &[]);
    let gauge = stream("queue", "", UP_DOWN, &[]);
    let streams = [(&first, Value::Double(1.25)), (&second, Value::Int(3)), (&gauge, Value::Int(-4))];
    assert_eq!(
        text(Prometheus, &streams, &[]),
        "# TYPE claude_code_cost_usage_USD_total counter\n\
         # HELP claude_code_cost_usage_USD_total what it is\n\
         claude_code_cost_usage_USD_total{job=\"api\",model=\"opus\"} 1.25\n\
         claude_code_cost_usage_USD_total{job=\"api\"} 3\n\
         # TYPE queue gauge\n\
         # HELP queue what it is\n\
         queue{job=\"api\"} -4\n"
    );
    assert_eq!(
        text(OpenMetrics, &streams, &[]),
        "# TYPE claude_code_cost_usage_USD counter\n\
         # UNIT claude_code_cost_usage_USD USD\n\
         # HELP claude_code_cost_usage_USD what it is\n\
         claude_code_cost_usage_USD_total{job=\"api\",model=\"opus\"} 1.25\n\
         claude_code_cost_usage_USD_total{job=\"api\"} 3\n\
         # TYPE queue gauge\n\
         # HELP queue what it is\n\
         queue{job=\"api\"} -4\n\
         # EOF\n"
    );
}

#[test]
fn histograms_and_summaries_are_told_in_both_formats() {
    let latency = stream("latency", "s", HISTOGRAM, &[("route", "/")]);
    let summary = stream("size", "", MetricKind::Summary, &[]);
    let quantiles = &[Quantile { quantile: 0.5, value: 7.0 }];
    let summary_value = Value::Summary(SummaryPoint { count: 3, sum: 21.0, quantiles });
    let streams = [(&latency, Value::Histogram(LATENCY)), (&summary, summary_value)];
    assert_eq!(
        text(Prometheus, &streams, &[]),
        "# TYPE latency_seconds histogram\n\
         # HELP latency_seconds what it is\n\
         latency_seconds_bucket{job=\"api\",route=\"/\",le=\"0.5\"} 1\n\
         latency_seconds_bucket{job=\"api\",route=\"/\",le=\"1\"} 3\n\
         latency_seconds_bucket{job=\"api\",route=\"/\",le=\"+Inf\"} 9\n\
         latency_seconds_sum{job=\"api\",route=\"/\"} 4.5\n\
         latency_seconds_count{job=\"api\",route=\"/\"} 9\n\
         # TYPE size summary\n\
         # HELP size what it is\n\
         size{job=\"api\",quantile=\"0.5\"} 7\n\
         size_sum{job=\"api\"} 21\n\
         size_count{job=\"api\"} 3\n"
    );
    assert!(text(OpenMetrics, &streams, &[]).contains("le=\"1.0\"} 3\n"));
}

#[test]
fn exemplars_are_told_in_openmetrics_only() {
    let trace_id = [0xab; 16];
    let time = UnixNanos(1_700_000_000_007_000_000);
    let exemplar = |value| Exemplar { time, value, trace_id: &trace_id, span_id: &[1; 8], filtered_attributes: &[] };
    let latency = stream("latency", "s", HISTOGRAM, &[]);
    let exemplars = [exemplar(0.75)];
    let told = text(OpenMetrics, &[(&latency, Value::Histogram(LATENCY))], &exemplars);
    let trace = "ab".repeat(16);
    assert_eq!(
        told.lines().filter(|line| line.contains(" # ")).collect::<Vec<_>>(),
        [format!(
            "latency_seconds_bucket{{job=\"api\",le=\"1.0\"}} 3 \
             # {{span_id=\"0101010101010101\",trace_id=\"{trace}\"}} 0.75 1700000000.007"
        )]
    );
    let requests = stream("requests", "", COUNTER, &[]);
    assert!(text(OpenMetrics, &[(&requests, Value::Int(1))], &exemplars).contains("} 0.75 1700000000.007\n"));
    assert!(!text(Prometheus, &[(&requests, Value::Int(1))], &exemplars).contains(" # "));
    let gauge = stream("g", "", MetricKind::Gauge, &[]);
    assert!(!text(OpenMetrics, &[(&gauge, Value::Int(1))], &exemplars).contains("0.75"));
}

#[test]
fn an_exponential_histogram_is_told_in_buckets_of_powers_of_two() {
    let sizes = stream("sizes", "", EXPONENTIAL, &[]);
    let point = ExponentialPoint {
        count: 11,
        sum: Some(20.0),
        min: None,
        max: None,
        scale: 1,
        zero_count: 1,
        zero_threshold: 0.0,
        positive: Buckets { offset: 0, counts: &[1, 2, 3] },
        negative: Buckets { offset: 0, counts: &[4] },
    };
    assert_eq!(
        text(Prometheus, &[(&sizes, Value::Exponential(point))], &[]),
        "# TYPE sizes histogram\n\
         # HELP sizes what it is\n\
         sizes_bucket{job=\"api\",le=\"-1\"} 4\n\
         sizes_bucket{job=\"api\",le=\"0\"} 5\n\
         sizes_bucket{job=\"api\",le=\"2\"} 8\n\
         sizes_bucket{job=\"api\",le=\"4\"} 11\n\
         sizes_bucket{job=\"api\",le=\"+Inf\"} 11\n\
         sizes_sum{job=\"api\"} 20\n\
         sizes_count{job=\"api\"} 11\n"
    );
}

#[test]
fn whatever_a_sender_writes_stays_within_its_line() {
    let context = Context { description: "a \\ \"b\"\nc".into(), ..metric("m", "", UP_DOWN) };
    let odd = stream_of(context, &[("path", "C:\\x\n\"y\"")]);
    let line = "m{path=\"C:\\\\x\\n\\\"y\\\"\"} 1\n";
    assert_eq!(
        text(Prometheus, &[(&odd, Value::Int(1))], &[]),
        format!("# TYPE m gauge\n# HELP m a \\\\ \"b\"\\nc\n{line}")
    );
    assert_eq!(
        text(OpenMetrics, &[(&odd, Value::Int(1))], &[]),
        format!("# TYPE m gauge\n# HELP m a \\\\ \\\"b\\\"\\nc\n{line}# EOF\n")
    );
}

#[test]
fn names_in_utf8_stand_in_quotes() {
    let translation = Translation { strategy: Strategy::NoUtf8EscapingWithSuffixes, ..Translation::default() };
    let context = metric("http.requêsts", "", COUNTER);
    let family = Family::of(&context, &translation).unwrap();
    let identity = |attributes| shardset_model::Identity { context: std::sync::Arc::new(context.clone()), attributes };
    let labels = Labels::of(&identity(frames(&[("url.path", "/")])), &translation);
    let without = Labels::of(&identity(frames(&[])), &translation);
    assert_eq!(
        text(Prometheus, &[(&(family.clone(), labels), Value::Int(1)), (&(family, without), Value::Int(2))], &[]),
        "# TYPE \"http.requêsts_total\" counter\n\
         # HELP \"http.requêsts_total\" what it is\n\
         {\"http.requêsts_total\",\"url.path\"=\"/\"} 1\n\
         {\"http.requêsts_total\"} 2\n"
    );
}

#[test]
fn a_counter_without_its_suffix_is_of_unknown_type_in_openmetrics() {
    let translation = Translation { strategy: Strategy::UnderscoreEscapingWithoutSuffixes, ..Translation::default() };
    let family = Family::of(&metric("requests", "", COUNTER), &translation).unwrap();
    let (_, labels) = stream("requests", "", COUNTER, &[]);
    let stream = (family, labels);
    assert!(text(OpenMetrics, &[(&stream, Value::Int(1))], &[]).starts_with("# TYPE requests unknown\n"));
    assert!(text(Prometheus, &[(&stream, Value::Int(1))], &[]).starts_with("# TYPE requests counter\n"));
}

#[test]
fn target_info_is_an_info_where_there_is_that_type() {
    let translation = Translation::default();
    let labels = Labels::of_target(&frames(&[("service.name", "api"), ("os.type", "linux")]), &translation).unwrap();
    let target = (Family::target_info(&translation), labels);
    let line = "target_info{job=\"api\",os_type=\"linux\"} 1\n";
    assert_eq!(
        text(OpenMetrics, &[(&target, Value::Int(1))], &[]),
        format!("# TYPE target info\n# HELP target Target metadata\n{line}# EOF\n")
    );
    assert_eq!(
        text(Prometheus, &[(&target, Value::Int(1))], &[]),
        format!("# TYPE target_info gauge\n# HELP target_info Target metadata\n{line}")
    );
}

#[test]
fn a_name_with_two_types_is_told_with_the_first() {
    let gauge = stream("x", "", UP_DOWN, &[]);
    let summary = stream("x", "", MetricKind::Summary, &[]);
    let value = Value::Summary(SummaryPoint { count: 1, sum: 1.0, quantiles: &[] });
    let mut exposition = Exposition::new(Prometheus);
    exposition.append(&gauge.0, &gauge.1, Value::Int(1), &[]).unwrap();
    let before = exposition.clone();
    assert_eq!(exposition.append(&summary.0, &summary.1, value, &[]), Err(NotEncodable::TypeConflict));
    assert_eq!(exposition.append(&gauge.0, &gauge.1, value, &[]), Err(NotEncodable::Mismatch));
    assert_eq!(exposition, before);
    assert!(gauge.0.text_order() < summary.0.text_order());
}

#[test]
fn text_taken_in_pieces_is_the_same_text() {
    let requests = stream("requests", "", COUNTER, &[]);
    let queue = stream("queue", "", UP_DOWN, &[]);
    let streams = [(&requests, Value::Int(1)), (&requests, Value::Int(2)), (&queue, Value::Int(3))];
    let mut exposition = Exposition::new(OpenMetrics);
    let mut pieces = String::new();
    for ((family, labels), value) in streams {
        exposition.append(family, labels, value, &[]).unwrap();
        assert!(!exposition.is_empty());
        pieces.push_str(&exposition.take());
        assert_eq!(exposition.len(), 0);
    }
    pieces.push_str(&exposition.finish());
    assert_eq!(pieces, text(OpenMetrics, &streams, &[]));
}

#[test]
fn a_scraper_gets_openmetrics_where_it_asks_for_it() {
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    for (accept, format) in
        [(prometheus, OpenMetrics), ("text/plain", Prometheus), ("*/*", Prometheus), ("", Prometheus)]
    {
        assert_eq!(TextFormat::accepted(accept), format, "{accept:?}");
    }
}
