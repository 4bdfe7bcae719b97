//! Which pod makes room for its successor.

use shardset_handoff::Waiting;

use crate::scene::{Scene, moving, of, pod, shard, stable};

/// Three workers: `(revision, ready)` of each.
fn scene(pods: [(&str, bool); 3]) -> Scene {
    let mut scene = Scene::serving(of(3), stable(1, 3), 3);
    scene.pods = pods.iter().zip(0..).map(|((revision, ready), number)| pod(number, revision, *ready)).collect();
    scene
}

fn replaced(scene: &Scene) -> Option<String> {
    scene.plan().replace.map(|replace| format!("{} {}", replace.pod, replace.uid))
}

#[test]
fn one_pod_of_an_old_template_is_replaced_when_all_serve() {
    let (old, new, broken) = (("old", true), ("new", true), ("new", false));
    let table = [
        ("all are new", scene([new, new, new]), None),
        ("all are old", scene([old, old, old]), Some("demo-worker-0 uid-0-old")),
        ("the first is done", scene([new, old, old]), Some("demo-worker-1 uid-1-old")),
        ("the first comes up", scene([broken, old, old]), None),
        (
            "an old one that does not work goes first",
            scene([old, old, ("old", false)]),
            Some("demo-worker-2 uid-2-old"),
        ),
        (
            "it goes even where a new one does not work",
            scene([broken, old, ("old", false)]),
            Some("demo-worker-2 uid-2-old"),
        ),
    ];
    for (what, scene, expected) in table {
        assert_eq!(replaced(&scene).as_deref(), expected, "{what}");
    }
}

#[test]
fn no_pod_that_serves_is_replaced_while_something_is_under_way() {
    let all_old = || scene([("old", true); 3]);
    let mut in_a_move = all_old();
    in_a_move.round.as_mut().expect("a round").published = Some(moving(2, 2, 3));
    let mut before_a_move = all_old();
    before_a_move.set = of(4);
    let mut acted = all_old();
    acted.round.as_mut().expect("a round").acted = true;
    let mut ending = all_old();
    ending.pods[1].metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(crate::scene::now()));
    let mut unseen = all_old();
    unseen.workers.as_mut().expect("workers").metadata.generation = Some(4);
    let waits = all_old().waiting(Waiting::Settles(shard(2)));
    let table = [
        ("streams move", in_a_move),
        ("another number is asked for", before_a_move),
        ("something was done in this round", acted),
        ("a pod ends", ending),
        ("the StatefulSet has not looked at its template", unseen),
        ("a worker clears away", waits),
    ];
    for (what, scene) in table {
        assert_eq!(replaced(&scene), None, "{what}");
    }
}

#[test]
fn a_pod_that_does_not_work_is_replaced_in_a_move_too() {
    let mut scene = scene([("old", true), ("old", true), ("old", false)]);
    scene.round.as_mut().expect("a round").published = Some(moving(2, 2, 3));
    assert_eq!(replaced(&scene).as_deref(), Some("demo-worker-2 uid-2-old"));
}
