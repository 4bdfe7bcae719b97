//! Streams come and go, and with the last one goes everything that was kept for it.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;
use shardset_export::Translation;
use shardset_model::{Context, Identity, MetricKind, Temporality};

use super::{Catalog, Count};

fn attribute(key: &str, value: &str) -> Vec<u8> {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }.encode_length_delimited_to_vec()
}

fn metric(service: &str, name: &str) -> Arc<Context> {
    let resource = [attribute("service.name", service), attribute("os.type", "linux")].concat();
    Arc::new(Context {
        resource_attributes: resource.into(),
        scope_name: Box::default(),
        scope_version: Box::default(),
        scope_attributes: Box::default(),
        name: name.into(),
        unit: Box::default(),
        description: Box::default(),
        kind: MetricKind::Sum { temporality: Temporality::Delta, monotonic: true },
    })
}

fn stream(context: &Arc<Context>, session: &str) -> Identity {
    Identity { context: Arc::clone(context), attributes: attribute("session", session).into() }
}

fn families(catalog: &Catalog) -> Vec<(String, usize)> {
    let keys = catalog.families_after(None).map(|(key, _)| key.clone()).collect::<Vec<_>>();
    keys.into_iter().map(|key| (key.0.to_string(), catalog.members(&key, 0).count())).collect()
}

/// Slots 0 and 1 are of one metric, slot 2 of another of the same resource, slot 3 of another resource.
fn filled() -> Catalog {
    let mut catalog = Catalog::new(Translation::default());
    let (tokens, costs, other) = (metric("a", "tokens"), metric("a", "costs"), metric("b", "tokens"));
    for (slot, context) in [&tokens, &tokens, &costs, &other].into_iter().enumerate() {
        catalog.enter(slot as u32, &stream(context, &slot.to_string()), 3);
        catalog.set_live(slot as u32, true, 3);
    }
    catalog
}

#[test]
fn streams_stand_by_family_and_resources_beside_them() {
    let catalog = filled();
    assert_eq!(catalog.count(), Count { live: 4, ended: 0 });
    let expected = [("costs_total", 1), ("target_info", 2), ("tokens_total", 3)];
    assert_eq!(families(&catalog), expected.map(|(name, members)| (name.to_owned(), members)));
}

#[test]
fn a_resource_is_gone_when_its_last_stream_has_ended_and_begins_again_with_the_next() {
    let mut catalog = filled();
    let gone = |catalog: &Catalog| catalog.resources(0).next().unwrap().1.gone;
    for slot in [0, 1] {
        catalog.set_live(slot, false, 5);
        catalog.set_live(slot, false, 6);
        assert_eq!(gone(&catalog), None);
    }
    catalog.set_live(2, false, 7);
    assert_eq!(gone(&catalog), Some(7));
    assert_eq!(catalog.count(), Count { live: 1, ended: 3 });
    catalog.set_live(1, true, 9);
    let (_, resource) = catalog.resources(0).next().unwrap();
    assert_eq!((resource.born, resource.gone), (9, None));
}

#[test]
fn with_the_last_stream_everything_goes() {
    let mut catalog = filled();
    for slot in 0..4 {
        catalog.leave(slot, 5);
    }
    assert_eq!(catalog.count(), Count::default());
    assert_eq!(families(&catalog), []);
    assert_eq!(catalog.resources(0).count(), 0);
    assert!(catalog.metrics.is_empty() && catalog.resource_ids.is_empty());
}

#[test]
fn a_slot_that_is_taken_again_is_called_by_its_new_stream() {
    let mut catalog = filled();
    let (old, new) = (stream(&metric("a", "tokens"), "0"), stream(&metric("c", "other"), "new"));
    let before = catalog.told(0, &old).map(|(family, labels)| (family.name().to_owned(), labels.clone())).unwrap();
    catalog.leave(0, 5);
    assert!(catalog.told(0, &old).is_none());
    catalog.enter(0, &new, 6);
    let (family, labels) = catalog.told(0, &new).unwrap();
    assert_eq!(family.name(), "other_total");
    assert!(*labels != before.1);
}

#[test]
fn a_metric_that_can_not_be_named_is_told_nowhere() {
    let mut catalog = Catalog::new(Translation::default());
    let context = Context { kind: MetricKind::Gauge, ..Context::clone(&metric("a", "...")) };
    let nameless = stream(&Arc::new(context), "0");
    catalog.enter(0, &nameless, 1);
    catalog.set_live(0, true, 1);
    assert!(catalog.told(0, &nameless).is_none());
    assert_eq!(families(&catalog), [("target_info".to_owned(), 1)]);
    catalog.leave(0, 2);
    assert_eq!(families(&catalog), []);
}
