//! What is deleted when it is not asked for any more: what the set owns, and nothing else.

use kube::core::ObjectMeta;
use serde_json::json;

use crate::scene::{Scene, set, stable};

fn policy(name: &str, owner: Option<&str>) -> ObjectMeta {
    let owned_by = |uid| json!([{ "apiVersion": "shardset.dev/v1alpha1", "kind": "MetricsShardSet", "name": "demo", "uid": uid, "controller": true }]);
    let owners = owner.map_or(json!([]), owned_by);
    serde_json::from_value(json!({ "name": name, "uid": format!("uid of {name}"), "ownerReferences": owners }))
        .expect("metadata")
}

fn removed(spec: serde_json::Value, policies: Vec<ObjectMeta>) -> Vec<String> {
    let mut scene = Scene::serving(set(spec), stable(1, 3), 3);
    scene.policies = policies;
    scene.plan().remove.into_iter().map(|one| format!("{:?} {}, {}", one.kind, one.name, one.uid)).collect()
}

#[test]
fn policies_that_are_not_asked_for_any_more_are_deleted_by_uid() {
    let own = || vec![policy("demo-worker", Some("0-1-2")), policy("demo-gateway", Some("0-1-2"))];
    let expected = ["NetworkPolicy demo-worker, uid of demo-worker", "NetworkPolicy demo-gateway, uid of demo-gateway"];
    assert_eq!(removed(json!({}), own()), expected);
    assert_eq!(removed(json!({ "networkPolicy": { "enabled": true } }), own()), Vec::<String>::new());
    let mut going = own();
    going[0].deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(crate::scene::now()));
    assert_eq!(removed(json!({}), going), expected[1..]);
}

#[test]
fn what_somebody_else_made_stays_whatever_it_is_called() {
    let mut not_controlled = policy("demo-worker", Some("0-1-2"));
    not_controlled.owner_references.iter_mut().flatten().for_each(|owner| owner.controller = None);
    let others = vec![policy("demo-worker", None), policy("demo-gateway", Some("another set")), not_controlled];
    assert_eq!(removed(json!({}), others), Vec::<String>::new());
}
