//! How a set stands, as people and tools read it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::SignedDuration;
use serde_json::json;
use shardset_crds::MetricsShardSetStatus;
use shardset_handoff::Waiting;

use crate::scene::{Scene, moving, now, of, pod, set, shard, stable};

/// `Type=Status(Reason)` of those that are not as in a set at rest.
fn unusual(status: &MetricsShardSetStatus) -> String {
    let usual = ["Ready=True(Serving)", "Available=True(GatewaysReady)", "Progressing=False(AsAskedFor)"];
    let quiet = ["Rebalancing=False(Settled)", "Degraded=False(AsItShouldBe)", "Paused=False(NotPaused)"];
    let all = status.conditions.iter().map(|one| format!("{}={}({})", one.type_, one.status, one.reason));
    let all: Vec<String> = all.collect();
    assert_eq!(all.len(), 6, "all of them are there: {all:?}");
    let is_unusual = |one: &String| !usual.contains(&one.as_str()) && !quiet.contains(&one.as_str());
    all.into_iter().filter(is_unusual).collect::<Vec<_>>().join(" ")
}

#[test]
fn conditions_say_what_is_not_as_it_should_be() {
    let mut one_is_not_ready = Scene::serving(of(3), stable(1, 3), 3);
    one_is_not_ready.pods[1] = pod(1, "new", false);
    let mut no_gateways = Scene::serving(of(3), stable(1, 3), 3);
    no_gateways.gateways = None;
    let mut blocked = Scene::serving(of(3), stable(1, 3), 3);
    blocked.blocked = Some("no".to_owned());
    let mut stuck = Scene::serving(of(5), moving(2, 3, 5), 5).waiting(Waiting::Behind(shard(4)));
    stuck.published_at = Some(now() - SignedDuration::from_secs(300));
    let paused = json!({ "workers": { "replicas": 5 }, "rebalance": { "mode": "Paused" } });
    let manual = json!({ "workers": { "replicas": 5 }, "rebalance": { "mode": "Manual" } });
    let table = [
        ("at rest", Scene::serving(of(3), stable(1, 3), 3), ""),
        (
            "nothing is there",
            Scene::empty(of(3)),
            "Ready=False(Starting) Available=False(NoMembership) Progressing=True(WorkersStarting) Rebalancing=False(NoMembership)",
        ),
        ("a worker is not ready", one_is_not_ready, "Ready=False(WorkersNotReady) Progressing=True(WorkersStarting)"),
        ("no gateway is there", no_gateways, "Ready=False(GatewaysNotReady) Available=False(GatewaysNotReady)"),
        (
            "more are asked for",
            Scene::serving(of(5), stable(1, 3), 3),
            "Ready=True(Rebalancing) Progressing=True(Starting) Rebalancing=True(Starting)",
        ),
        (
            "more are asked for, and start",
            Scene::serving(of(5), stable(1, 3), 3).waiting(Waiting::Away(shard(4))),
            "Ready=True(Rebalancing) Progressing=True(Starting) Rebalancing=True(Starting)",
        ),
        (
            "streams move to workers that come up",
            Scene::serving(of(5), moving(2, 3, 5), 3),
            "Ready=True(Rebalancing) Progressing=True(Moving) Rebalancing=True(Moving)",
        ),
        (
            "streams move",
            Scene::serving(of(5), moving(2, 3, 5), 5),
            "Ready=True(Rebalancing) Progressing=True(Moving) Rebalancing=True(Moving)",
        ),
        (
            "a move takes too long",
            stuck,
            "Ready=False(MoveStuck) Progressing=True(Moving) Rebalancing=True(Moving) Degraded=True(MoveStuck)",
        ),
        (
            "a worker does not answer",
            Scene::serving(of(3), stable(1, 3), 3).waiting(Waiting::Away(shard(1))),
            "Ready=False(WorkerAway) Degraded=True(WorkerAway)",
        ),
        (
            "a worker can not",
            Scene::serving(of(3), stable(1, 3), 3).unable(1, "the disk is full"),
            "Ready=False(WorkerUnable) Degraded=True(WorkerUnable)",
        ),
        ("something can not be done", blocked, "Ready=False(Blocked) Degraded=True(Blocked)"),
        ("a change is held", Scene::serving(set(paused), stable(1, 3), 3), "Paused=True(Paused)"),
        ("a change waits for approval", Scene::serving(set(manual), stable(1, 3), 3), "Paused=True(WaitsForApproval)"),
    ];
    for (what, scene, expected) in table {
        assert_eq!(unusual(&scene.plan().status), expected, "{what}");
    }
}

#[test]
fn a_condition_keeps_its_time_while_it_stays_and_each_speaks_of_the_generation() {
    let earlier = now() - SignedDuration::from_secs(60);
    let mut scene = Scene::serving(of(3), stable(1, 3), 3);
    let mut before = scene.plan().status;
    before.conditions.iter_mut().for_each(|one| one.last_transition_time = Time(earlier));
    scene.set.status = Some(before);
    scene.pods[1] = pod(1, "new", false);
    let changed: Vec<String> = scene
        .plan()
        .status
        .conditions
        .into_iter()
        .inspect(|one| assert_eq!(one.observed_generation, Some(7)))
        .filter(|one| one.last_transition_time.0.as_second() == now().as_second())
        .map(|one| one.type_)
        .collect();
    assert_eq!(changed, ["Ready", "Progressing"]);
}

#[test]
fn a_status_of_nothing_new_is_the_same_again() {
    let mut moves = Scene::serving(of(5), moving(2, 3, 5), 5);
    moves.published_at = Some(now() - SignedDuration::from_millis(1500));
    for mut scene in [Scene::serving(of(3), stable(1, 3), 3), moves] {
        // As the API server has it, which keeps seconds and no parts of them.
        let stored = serde_json::to_string(&scene.plan().status).expect("JSON");
        scene.set.status = Some(serde_json::from_str(&stored).expect("a status"));
        assert_eq!(Some(scene.plan().status), scene.set.status);
    }
}

#[test]
fn the_selector_is_of_workers_only() {
    let status = Scene::empty(of(3)).plan().status;
    assert_eq!(status.selector, "shardset.dev/set=demo,app.kubernetes.io/component=worker");
}
