//! What is told as Events, from one status to the next.

use shardset_handoff::Waiting;
use shardset_operator::notices;

use crate::scene::{Scene, moving, of, shard, stable};

#[test]
fn each_change_is_told_once() {
    let at_rest = || Scene::serving(of(3), stable(1, 3), 3);
    let scenes = [
        ("the first look", Scene::empty(of(3)), ""),
        ("the first membership", at_rest(), "MembershipPublished: epoch 1: 3 shards; Available: points are taken"),
        ("nothing new", at_rest(), ""),
        ("more are asked for", Scene::serving(of(5), stable(1, 3), 3), ""),
        (
            "streams move",
            Scene::serving(of(5), moving(2, 3, 5), 5),
            "MembershipPublished: epoch 2: streams move from 3 to 5 shards",
        ),
        ("they still do", Scene::serving(of(5), moving(2, 3, 5), 5), ""),
        (
            "they have moved",
            Scene::serving(of(5), stable(2, 5), 5),
            "RebalanceCompleted: epoch 2: 0 streams are at their owners, 5 shards",
        ),
        (
            "a worker is away",
            Scene::serving(of(5), stable(2, 5), 5).waiting(Waiting::Away(shard(4))),
            "Degraded!: WorkerAway: worker 4 does not answer",
        ),
        ("it is back", Scene::serving(of(5), stable(2, 5), 5), "Recovered: no part is missing"),
    ];
    let mut before = None;
    for (what, mut scene, expected) in scenes {
        scene.set.status = before.clone();
        let now = scene.plan().status;
        let told = notices(before.as_ref(), &now);
        let told = told.iter().map(|one| {
            let mark = if one.is_warning { "!" } else { "" };
            format!("{}{mark}: {}", one.reason, one.note)
        });
        assert_eq!(told.collect::<Vec<_>>().join("; "), expected, "{what}");
        before = Some(now);
    }
}
