//! What a seed means, read from the bytes by a reader that is not ours.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;
use shardset_model::UnixMillis;

use super::{Export, Fleet, Mischief};
use crate::settings::{Extras, MischiefRates, Protocol, ProtocolMix, Settings};

const BASE: UnixMillis = UnixMillis(1_800_000_000_000);

fn exports(settings: &Settings, count: usize) -> Vec<Export> {
    let mut fleet = Fleet::new(settings, BASE);
    (0..count).map(|_| fleet.next_export()).collect()
}

fn all_kinds() -> Settings {
    Settings {
        extras: Extras::SOME,
        gzip: 0.3,
        mischief: MischiefRates { send_twice: 0.1, race: 0.1, abandon: 0.1 },
        ..Settings::default()
    }
}

#[test]
fn one_seed_means_one_sequence_of_requests() {
    assert_eq!(exports(&all_kinds(), 500), exports(&all_kinds(), 500));
    let other = Settings { seed: 2, ..all_kinds() };
    assert_ne!(exports(&all_kinds(), 1), exports(&other, 1));
}

#[test]
fn requests_come_in_order_of_time_and_at_the_asked_rate() {
    // Over several lifetimes: at first all sessions are new, and a new session says more than an old one.
    let settings = Settings { rate: Some(1000.0), interval: Duration::from_secs(1), ..Settings::default() };
    let exports = exports(&settings, 10_000);
    assert!(exports.is_sorted_by_key(|export| export.due));
    let points: u64 = exports.iter().map(|export| export.points).sum();
    let rate = points as f64 / exports.last().unwrap().due.as_secs_f64();
    assert!((rate / 1000.0 - 1.0).abs() < 0.1, "{rate} points/s");
}

#[test]
fn protocols_compression_and_mischief_come_in_their_shares() {
    let exports = exports(&all_kinds(), 5000);
    let share = |holds: &dyn Fn(&Export) -> bool| exports.iter().filter(|export| holds(export)).count() as f64 / 5000.0;
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson] {
        assert!((0.25..0.42).contains(&share(&|export| export.protocol == protocol)));
    }
    assert!((0.2..0.4).contains(&share(&|export| export.gzip)));
    assert!((0.08..0.12).contains(&share(&|export| matches!(export.mischief, Mischief::Abandon(_)))));
    assert!((0.06..0.12).contains(&share(&|export| export.mischief == Mischief::SendTwice)));
}

/// What the bytes say, by any OTLP reader: the sums of each stream of the first eight metrics, under its identity.
fn sums(exports: &[Export]) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for export in exports {
        let request = ExportMetricsServiceRequest::decode(export.body.clone()).unwrap();
        for scope in request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics) {
            assert_eq!(scope.scope.as_ref().unwrap().name, "com.anthropic.claude_code");
            for metric in &scope.metrics {
                read::sums(metric, &mut sums);
            }
        }
    }
    sums
}

mod read {
    use std::collections::BTreeMap;

    use opentelemetry_proto::tonic::common::v1::any_value;
    use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};

    use crate::metric::canonical;

    pub(super) fn sums(metric: &Metric, sums: &mut BTreeMap<String, f64>) {
        let Some(metric::Data::Sum(sum)) = &metric.data else { panic!("Claude Code has sums only") };
        assert!(sum.is_monotonic && sum.aggregation_temporality == 1);
        for point in &sum.data_points {
            assert!(point.start_time_unix_nano <= point.time_unix_nano);
            let labels: Vec<(String, String)> = point.attributes.iter().map(pair).collect();
            let labels = canonical(labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            let Some(number_data_point::Value::AsDouble(value)) = point.value else { panic!("doubles only") };
            *sums.entry(format!("{} {labels}", metric.name)).or_default() += value;
        }
    }

    fn pair(attribute: &opentelemetry_proto::tonic::common::v1::KeyValue) -> (String, String) {
        let Some(any_value::Value::StringValue(value)) = attribute.value.as_ref().and_then(|any| any.value.clone())
        else {
            panic!("strings only")
        };
        (attribute.key.clone(), value)
    }
}

#[test]
fn the_bytes_say_what_the_ledger_is_told() {
    let settings =
        Settings { protocols: ProtocolMix { grpc: 1, http_protobuf: 1, http_json: 0 }, ..Settings::default() };
    let exports = exports(&settings, 2000);
    let mut expected: HashMap<String, f64> = HashMap::new();
    for recorded in exports.iter().flat_map(|export| &export.recorded) {
        let name = &recorded.stream;
        let labels = [name.session.split(','), name.attributes.split(',')].into_iter().flatten();
        let labels: Vec<(&str, &str)> = labels.filter_map(|label| label.split_once('=')).collect();
        let key = format!("{} {}", name.metric.name, crate::metric::canonical(labels.into_iter()));
        *expected.entry(key).or_default() += recorded.numbers[0];
    }
    let found = sums(&exports);
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().all(|(name, sum)| expected[name] == *sum));
}

#[test]
fn a_relay_carries_the_same_points_in_fewer_requests() {
    let alone = Settings { protocols: "grpc".parse().unwrap(), ..Settings::default() };
    let relayed = Settings { batch: 10, ..alone.clone() };
    let of_clients = sums(&exports(&alone, 500));
    let of_relays = sums(&exports(&relayed, 50));
    assert_eq!(of_clients, of_relays);
}

#[test]
fn sessions_come_and_go() {
    let settings = Settings { sessions: Some(10), interval: Duration::from_secs(1), ..Settings::default() };
    let mut fleet = Fleet::new(&settings, BASE);
    for _ in 0..1000 {
        fleet.next_export();
    }
    assert_eq!(fleet.sessions(), 10);
    assert!((60..140).contains(&fleet.sessions_started()), "{}", fleet.sessions_started());
}
