//! The rules that other operators' users paid for, each with the tests that hold it; those of no other page are here.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use shardset_crds::MetricsShardSetStatus;
use shardset_handoff::{Observed, Report, Step, Waiting, Wish};
use shardset_model::{Incarnation, RoutingKey};
use shardset_operator::{Blueprint, Kind, objects};

use crate::scene::{Scene, moving, of, pod, set, shard, stable};

/// A rule in short, and a file of the clone with a test of it.
#[rustfmt::skip]
const RULES: &[(&str, &str, &str)] = &[
    ("1 membership never follows readiness", "operator/tests/it/rules.rs", "a_worker_that_is_not_ready_or_not_there_keeps_its_shard"),
    ("1", "e2e/suite/tests/cluster/faults.rs", "a_worker_that_is_deleted_or_killed_takes_nothing_with_it"),
    ("2 new members run and are empty first", "crates/handoff/src/coordinate/tests.rs", "a_wish_for_more_is_published_when_the_new_workers_run_and_are_empty"),
    ("2", "operator/tests/it/replicas.rs", "workers_come_before_they_are_members_and_go_when_nobody_needs_them"),
    ("3 who leaves is stopped when it is empty", "crates/handoff/src/coordinate/tests.rs", "workers_that_left_are_stopped_when_all_who_stay_know_that_nothing_moves"),
    ("3", "crates/handoff/src/coordinate/tests.rs", "a_move_ends_when_everyone_has_sent_and_received_everything"),
    ("4 the number is in no template", "operator/tests/it/replicas.rs", "a_change_of_the_number_changes_no_template"),
    ("5 the last wish wins", "crates/handoff/src/coordinate/tests.rs", "a_wish_made_in_a_move_waits_for_its_end"),
    ("5", "operator/tests/it/replicas.rs", "workers_come_before_they_are_members_and_go_when_nobody_needs_them"),
    ("6 uid and epoch, never a name alone", "operator/tests/it/rules.rs", "whatever_is_deleted_or_changed_is_named_by_its_uid"),
    ("7 what is blocked blocks nothing else", "operator/tests/it/rules.rs", "what_can_not_be_done_keeps_nothing_else_from_being_done"),
    ("7", "e2e/suite/tests/cluster/network.rs", "a_rule_that_only_the_api_server_can_judge_degrades_the_set_until_it_is_mended"),
    ("8 an upgrade of the operator restarts nobody", "operator/tests/it/rules.rs", "nothing_of_the_operator_is_in_a_template"),
    ("8", "operator/tests/it/objects.rs", "a_set_that_says_everything_is_as_it_was"),
    ("9 one at a time, and never in a move", "operator/tests/it/rollout.rs", "one_pod_of_an_old_template_is_replaced_when_all_serve"),
    ("9", "operator/tests/it/rollout.rs", "no_pod_that_serves_is_replaced_while_something_is_under_way"),
    ("10 the status is derived afresh", "operator/tests/it/rules.rs", "a_status_does_not_depend_on_what_stood_there"),
    ("11 a newer epoch at the workers counts", "crates/handoff/src/coordinate/tests.rs", "a_published_epoch_that_went_back_is_found_again_at_the_workers"),
    ("12 an escape for one worker and one epoch", "operator/src/wish.rs", "a_worker_is_given_up_in_the_move_that_was_meant_and_in_no_other"),
];

#[test]
fn every_rule_has_a_test() {
    let clone = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for rule in 1..=12 {
        assert!(RULES.iter().any(|(text, ..)| text.split(' ').next() == Some(&rule.to_string())), "rule {rule}");
    }
    for (rule, file, test) in RULES {
        let text = fs::read_to_string(clone.join(file)).unwrap_or_default();
        assert!(text.contains(&format!("fn {test}(")), "rule {rule}: {file} has no test {test}");
    }
}

/// What the coordinator does where these of three workers answer.
fn steps(answering: &[u32]) -> Vec<Step> {
    let report = |number: &u32| Report {
        shard: shard(*number),
        incarnation: Incarnation::new(u128::from(*number) + 1).expect("not zero"),
        membership: Some(stable(4, 3)),
        streams: 0,
        idle: 0,
        leftovers: 0,
        parked_points: 0,
        parked_bytes: 0,
        sending: Vec::new(),
        receiving: Vec::new(),
    };
    let reports = answering.iter().map(|number| (shard(*number), report(number))).collect();
    let wish = Wish { shards: stable(1, 3).shards(), routing: RoutingKey::default() };
    let (published, given_up) = (stable(4, 3), [].into());
    shardset_handoff::plan(&Observed {
        published: Some(&published),
        wish: &wish,
        reports: &reports,
        given_up: &given_up,
    })
}

#[test]
fn a_worker_that_is_not_ready_or_not_there_keeps_its_shard() {
    let serving = || Scene::serving(of(3), stable(4, 3), 3);
    let (mut unready, mut gone) = (serving(), serving().waiting(Waiting::Away(shard(1))));
    unready.pods.iter_mut().zip(0..).for_each(|(it, number)| *it = pod(number, "new", false));
    gone.pods.remove(1);
    let expected = serving().plan();
    for (what, scene) in [("not ready", unready), ("not there", gone)] {
        let plan = scene.plan();
        assert_eq!((plan.objects, plan.replace), (expected.objects.clone(), None), "{what}");
        assert_eq!(plan.status.shards, 3, "{what}");
    }
    for answering in [&[0, 1, 2][..], &[0, 2], &[]] {
        let publishes = steps(answering).iter().any(|step| matches!(step, Step::Publish(_) | Step::Stop(_)));
        assert!(!publishes, "{answering:?} answer: {:?}", steps(answering));
    }
}

#[test]
fn whatever_is_deleted_or_changed_is_named_by_its_uid() {
    let mut scene = Scene::serving(set(json!({ "workers": { "storage": { "size": "20Gi" } } })), stable(1, 3), 3);
    scene.pods[1] = pod(1, "old", true);
    scene.claims = vec![
        serde_json::from_value(json!({
            "metadata": { "name": "data-demo-worker-1", "uid": "a claim" },
            "spec": { "resources": { "requests": { "storage": "10Gi" } } },
        }))
        .expect("a claim"),
    ];
    let owner = json!({ "apiVersion": "a", "kind": "b", "name": "demo", "uid": "0-1-2", "controller": true });
    let policy = json!({ "name": "demo-worker", "uid": "a policy", "ownerReferences": [owner] });
    scene.policies = vec![serde_json::from_value(policy).expect("metadata")];
    let plan = scene.plan();
    assert_eq!(plan.replace.map(|replace| replace.uid).as_deref(), Some("uid-1-old"));
    assert_eq!(plan.enlarge.iter().map(|enlarge| enlarge.uid.as_str()).collect::<Vec<_>>(), ["a claim"]);
    assert_eq!(plan.remove.iter().map(|remove| remove.uid.as_str()).collect::<Vec<_>>(), ["a policy"]);
}

#[test]
fn what_can_not_be_done_keeps_nothing_else_from_being_done() {
    let scenes =
        [Scene::empty(of(3)), Scene::serving(of(5), stable(1, 3), 3), Scene::serving(of(2), moving(3, 5, 2), 5)];
    for scene in scenes {
        let mut blocked = scene.clone();
        blocked.blocked = Some("no".to_owned());
        let (free, blocked) = (scene.plan(), blocked.plan());
        assert_eq!(
            (&free.objects, &free.remove, &free.enlarge, &free.replace),
            (&blocked.objects, &blocked.remove, &blocked.enlarge, &blocked.replace)
        );
        assert_eq!(
            (free.status.epoch, free.status.target_shards),
            (blocked.status.epoch, blocked.status.target_shards)
        );
    }
}

#[test]
fn nothing_of_the_operator_is_in_a_template() {
    let image = json!({ "pod": { "image": "registry.example/shardset:1" } });
    let set = set(json!({ "workers": image, "gateway": image, "networkPolicy": { "enabled": true } }));
    let templates = |image: &str, operator_namespace: &str| -> Vec<Value> {
        let objects = objects(Blueprint { set: &set, image, operator_namespace, workers: 3, size: None });
        let workloads =
            objects.into_iter().filter(|object| matches!(object.kind, Kind::StatefulSet | Kind::Deployment));
        workloads.map(|object| object.body["spec"]["template"].clone()).collect()
    };
    let before = templates("shardset:1", "one");
    assert_eq!(before.len(), 2);
    assert_eq!(before, templates("shardset:2", "another"));
}

#[test]
fn a_status_does_not_depend_on_what_stood_there() {
    let wrong = json!({
        "observedGeneration": 99, "replicas": 50, "readyReplicas": 50, "epoch": 77, "shards": 12, "streams": 5,
        "selector": "nothing", "gateway": { "replicas": 9, "readyReplicas": 9, "atEpoch": 9 },
        "conditions": [
            { "type": "Ready", "status": "False", "reason": "X", "message": "x", "lastTransitionTime": "2020-01-01T00:00:00Z" },
            { "type": "Strange", "status": "True", "reason": "X", "message": "x", "lastTransitionTime": "2020-01-01T00:00:00Z" },
        ],
    });
    let wrong: MetricsShardSetStatus = serde_json::from_value(wrong).expect("a status");
    for scene in [Scene::serving(of(3), stable(1, 3), 3), Scene::serving(of(5), moving(2, 3, 5), 5)] {
        let mut misled = scene.clone();
        misled.set.status = Some(wrong.clone());
        assert_eq!(scene.plan().status, misled.plan().status);
    }
}
