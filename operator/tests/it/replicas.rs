//! How many workers run, for what is published and wished.

use serde_json::Value;
use shardset_handoff::Waiting;
use shardset_operator::{Kind, Plan};

use crate::scene::{Scene, moving, of, shard, stable};

fn replicas(plan: &Plan) -> u64 {
    let workers = plan.objects.iter().find(|object| object.kind == Kind::StatefulSet);
    workers.and_then(|workers| workers.body.pointer("/spec/replicas").and_then(Value::as_u64)).expect("workers")
}

#[test]
fn workers_come_before_they_are_members_and_go_when_nobody_needs_them() {
    let away = || Waiting::Away(shard(1));
    let table = [
        ("nothing is there yet", Scene::empty(of(3)), 3),
        ("all is as asked for", Scene::serving(of(3), stable(1, 3), 3), 3),
        ("more are asked for", Scene::serving(of(5), stable(1, 3), 3), 5),
        ("more, and a member is away", Scene::serving(of(5), stable(1, 3), 3).waiting(away()), 5),
        ("streams move to more", Scene::serving(of(5), moving(2, 3, 5), 5), 5),
        ("fewer are asked for, and nothing is published", Scene::serving(of(2), stable(2, 5), 5), 5),
        ("streams move to fewer", Scene::serving(of(2), moving(3, 5, 2), 5), 5),
        ("more are asked for while members leave", Scene::serving(of(9), moving(3, 5, 2), 5), 5),
        ("the move is over and not all have heard", Scene::serving(of(2), stable(3, 2), 5).waiting(away()), 5),
        ("the move is over and all have heard", Scene::serving(of(2), stable(3, 2), 5), 2),
        ("somebody else lowered the StatefulSet", Scene::serving(of(3), stable(1, 3), 1).waiting(away()), 3),
        ("somebody else raised it", Scene::serving(of(3), stable(1, 3), 7), 3),
    ];
    for (what, scene, expected) in table {
        assert_eq!(replicas(&scene.plan()), expected, "{what}");
    }
}

#[test]
fn the_number_stays_where_nothing_can_be_seen() {
    let mut blind = Scene::serving(of(2), stable(3, 2), 5);
    blind.round = None;
    assert_eq!(replicas(&blind.plan()), 5);
}

#[test]
fn a_change_of_the_number_changes_no_template() {
    let template = |scene: &Scene| {
        let plan = scene.plan();
        let workers = plan.objects.iter().find(|object| object.kind == Kind::StatefulSet).expect("workers").clone();
        workers.body["spec"]["template"].clone()
    };
    let three = Scene::serving(of(3), stable(1, 3), 3);
    for scene in [Scene::serving(of(5), moving(2, 3, 5), 5), Scene::empty(of(900))] {
        assert_eq!(template(&three), template(&scene));
    }
}
