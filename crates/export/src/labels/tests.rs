//! Labels: where they come from, who wins, and the blob they are kept in.

use std::sync::Arc;

use proptest::prelude::*;
use shardset_model::{Context, Identity, MetricKind};

use super::Labels;
use crate::fixtures::{COUNTER, EXPONENTIAL, HISTOGRAM, frames, metric};
use crate::{Promotion, Strategy, Translation};

fn identity(resource: &[(&str, &str)], attributes: &[(&str, &str)], kind: MetricKind) -> Identity {
    let context = Context {
        resource_attributes: frames(resource),
        scope_name: "com.anthropic.claude_code".into(),
        scope_version: "2.1".into(),
        scope_attributes: frames(&[("lib.kind", "cli"), ("empty", "")]),
        ..metric("m", "", kind)
    };
    Identity { context: Arc::new(context), attributes: frames(attributes) }
}

/// Labels as `a=b c=d`, in the order in which they are encoded.
fn line(labels: &Labels) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn labels(resource: &[(&str, &str)], attributes: &[(&str, &str)], translation: &Translation) -> String {
    line(&Labels::of(&identity(resource, attributes, COUNTER), translation))
}

#[test]
fn attributes_become_labels_sorted_by_name() {
    let translation = Translation::default();
    let attributes = [("session.id", "s1"), ("model", "opus"), ("App", "x"), ("1st", "y"), ("_p", "z")];
    assert_eq!(labels(&[], &attributes, &translation), "App=x key_1st=y key_p=z model=opus session_id=s1");
    let as_they_are = Translation { strategy: Strategy::NoTranslation, ..translation };
    assert_eq!(labels(&[], &attributes, &as_they_are), "1st=y App=x _p=z model=opus session.id=s1");
}

#[test]
fn attributes_that_become_one_label_are_joined_in_the_order_of_their_keys() {
    let translation = Translation::default();
    let table: [(&[(&str, &str)], &str); 5] = [
        (&[("foo.bar", "1"), ("foo/bar", "2")], "foo_bar=1;2"),
        (&[("foo_bar", "3"), ("foo/bar", "2"), ("foo.bar", "1")], "foo_bar=1;2;3"),
        (&[("foo.bar", ""), ("foo_bar", "2")], "foo_bar=;2"),
        (&[("twice", "1"), ("twice", "2")], "twice=1;2"),
        (&[("job", "mine"), ("__name__", "other"), ("--name--", "another")], "job=mine"),
    ];
    for (attributes, expected) in table {
        assert_eq!(labels(&[], attributes, &translation), expected, "{attributes:?}");
    }
}

#[test]
fn a_label_without_a_value_is_no_label() {
    assert_eq!(labels(&[("service.name", "")], &[("a", ""), ("b", "1")], &Translation::default()), "b=1");
}

#[test]
fn job_and_instance_come_from_the_resource_and_win() {
    let translation = Translation::default();
    let table: [(&[(&str, &str)], &str); 5] = [
        (&[("service.name", "api")], "instance=mine job=api"),
        (&[("service.namespace", "shop"), ("service.name", "api")], "instance=mine job=shop/api"),
        (&[("service.namespace", "shop")], "instance=mine job=mine"),
        (&[("service.instance.id", "i-1")], "instance=i-1 job=mine"),
        (&[], "instance=mine job=mine"),
    ];
    for (resource, expected) in table {
        assert_eq!(labels(resource, &[("job", "mine"), ("instance", "mine")], &translation), expected, "{resource:?}");
    }
}

#[test]
fn promoted_attributes_fill_what_the_point_leaves_open() {
    let resource = [("host.name", "h1"), ("os.type", "linux"), ("service.name", "api")];
    let listed = Promotion::Listed(vec!["host.name".into(), "absent".into()]);
    let translation = Translation { promote_resource_attributes: listed, ..Translation::default() };
    assert_eq!(labels(&resource, &[], &translation), "host_name=h1 job=api");
    assert_eq!(labels(&resource, &[("host.name", "h2")], &translation), "host_name=h2 job=api");
    let all = Translation { promote_resource_attributes: Promotion::AllBut(vec!["os.type".into()]), ..translation };
    assert_eq!(labels(&resource, &[], &all), "host_name=h1 job=api service_name=api");
}

#[test]
fn scope_labels_are_an_option_and_overwrite() {
    let translation = Translation { scope_labels: true, ..Translation::default() };
    assert_eq!(
        labels(&[], &[("otel.scope.version", "mine")], &translation),
        "otel_scope_lib_kind=cli otel_scope_name=com.anthropic.claude_code otel_scope_version=2.1"
    );
}

#[test]
fn external_labels_are_added_only_where_there_is_none() {
    let external_labels = [("cluster", "c1"), ("job", "ours")].map(|(name, value)| (name.into(), value.into())).into();
    let translation = Translation { external_labels, ..Translation::default() };
    assert_eq!(labels(&[("service.name", "api")], &[], &translation), "cluster=c1 job=api");
    assert_eq!(labels(&[], &[("cluster", "c2")], &translation), "cluster=c2 job=ours");
}

#[test]
fn the_label_that_tells_series_of_a_stream_apart_can_not_be_an_attribute() {
    let attributes = [("le", "1"), ("quantile", "0.5")];
    let table = [
        (COUNTER, "le=1 quantile=0.5"),
        (HISTOGRAM, "quantile=0.5"),
        (EXPONENTIAL, "quantile=0.5"),
        (MetricKind::Summary, "le=1"),
    ];
    for (kind, expected) in table {
        assert_eq!(line(&Labels::of(&identity(&[], &attributes, kind), &Translation::default())), expected, "{kind:?}");
    }
}

#[test]
fn target_info_tells_what_job_and_instance_do_not() {
    let identifying = [("service.name", "api"), ("service.instance.id", "i-1")];
    let resource = [&identifying[..], &[("os.type", "linux"), ("host.arch", "amd64")]].concat();
    let translation = Translation::default();
    let target = |resource: &[(&str, &str)], translation: &Translation| {
        Labels::of_target(&frames(resource), translation).map_or("none".to_owned(), |labels| line(&labels))
    };
    assert_eq!(target(&resource, &translation), "host_arch=amd64 instance=i-1 job=api os_type=linux");
    assert_eq!(target(&identifying, &translation), "none", "nothing else to tell");
    assert_eq!(target(&resource[2..], &translation), "none", "neither job nor instance");
    assert_eq!(target(&[], &translation), "none");
    let keeping = Translation { keep_identifying_resource_attributes: true, ..translation.clone() };
    assert_eq!(target(&identifying, &keeping), "instance=i-1 job=api service_instance_id=i-1 service_name=api");
    let without = Translation { target_info: false, ..translation };
    assert_eq!(target(&resource, &without), "none");
}

#[test]
fn the_name_belongs_between_upper_and_lower_case() {
    let stream =
        identity(&[("service.name", "api")], &[("Zone", "z"), ("a", "b"), ("__a", "c"), ("zz", "y")], HISTOGRAM);
    let labels = Labels::of(&stream, &Translation::default());
    let names =
        |part: &[u8]| super::Pairs { rest: part }.map(|(name, _)| name.to_owned()).collect::<Vec<_>>().join(" ");
    assert_eq!(labels.parts().map(names), ["Zone __a", "a job", "zz"]);
}

#[test]
fn a_claude_code_stream_takes_little_more_than_its_text() {
    let attributes = [
        ("user.id", "0123456789abcdef0123456789abcdef"),
        ("session.id", "0c1f3a52-7a5e-4f0e-9c55-6a3b5b1f6a10"),
        ("organization.id", "9d4be3a5-4f0c-4f7b-8f38-0f6f6f3f8e21"),
        ("user.email", "someone@example.com"),
        ("user.account_uuid", "5a7d5f0e-1f55-4a39-b3c6-0a4b7f6d2c11"),
        ("terminal.type", "vscode"),
        ("type", "input"),
        ("model", "claude-opus-4"),
    ];
    let stream = identity(&[("service.name", "claude-code")], &attributes, COUNTER);
    let labels = Labels::of(&stream, &Translation::default());
    let text: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert_eq!((text, labels.heap_size()), (278, text + 9 * 6 + 2));
}

proptest! {
    #[test]
    fn labels_are_sorted_unique_and_not_empty_and_do_not_depend_on_the_order_of_attributes(
        attributes in prop::collection::btree_map("[a-zA-Z_.é]{0,4}", "[a-c]{0,2}", 0..12),
        strategy in prop_oneof![Just(Strategy::default()), Just(Strategy::NoTranslation)],
        preserve_multiple_underscores in any::<bool>(),
    ) {
        let translation = Translation { strategy, preserve_multiple_underscores, ..Translation::default() };
        let mut pairs: Vec<(&str, &str)> = attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let labels = Labels::of(&identity(&[], &pairs, HISTOGRAM), &translation);
        let names: Vec<&str> = labels.iter().map(|(name, _)| name).collect();
        prop_assert!(names.is_sorted_by(|a, b| a < b), "{:?}", names);
        prop_assert!(labels.iter().all(|(name, value)| !name.is_empty() && !value.is_empty()));
        let [before_name, before_le, rest] = labels.parts();
        let all = |part: &[u8], rule: fn(&str) -> bool| super::Pairs { rest: part }.all(|(name, _)| rule(name));
        prop_assert!(all(before_name, |name| name < "__name__"));
        prop_assert!(all(before_le, |name| name > "__name__" && name < "le"));
        prop_assert!(all(rest, |name| name > "le"));
        pairs.reverse();
        prop_assert_eq!(labels, Labels::of(&identity(&[], &pairs, HISTOGRAM), &translation));
    }
}
