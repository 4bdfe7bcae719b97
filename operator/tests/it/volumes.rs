//! Volumes that are to be larger.

use serde_json::{Value, json};
use shardset_operator::Kind;

use crate::scene::{Scene, set, stable};

/// A set of these volumes, whose StatefulSet and claims are of those.
fn scene(wanted: &str, template: &str, claims: &[&str]) -> Scene {
    let spec = json!({ "workers": { "replicas": 2, "storage": { "size": wanted } } });
    let mut scene = Scene::serving(set(spec), stable(1, 2), 2);
    let claim = |name: String, size: &str| json!({ "metadata": { "uid": format!("uid-of-{name}"), "name": name }, "spec": { "resources": { "requests": { "storage": size } } } });
    let template = claim("data".to_owned(), template);
    let template = vec![serde_json::from_value(template).expect("a claim")];
    let workers = scene.workers.as_mut().and_then(|workers| workers.spec.as_mut()).expect("workers");
    workers.volume_claim_templates = Some(template);
    let claims = claims.iter().zip(0..).map(|(size, number)| claim(format!("data-demo-worker-{number}"), size));
    scene.claims = claims.map(|claim| serde_json::from_value(claim).expect("a claim")).collect();
    scene
}

#[test]
fn a_larger_size_goes_to_the_claims_and_never_into_the_template() {
    let table = [
        (scene("10Gi", "10Gi", &["10Gi", "10Gi"]), vec![]),
        (scene("20Gi", "10Gi", &["10Gi", "10Gi"]), vec!["data-demo-worker-0 20Gi", "data-demo-worker-1 20Gi"]),
        (scene("20Gi", "10Gi", &["20Gi", "10Gi"]), vec!["data-demo-worker-1 20Gi"]),
    ];
    for (scene, expected) in table {
        let plan = scene.plan();
        assert!(plan.enlarge.iter().all(|one| one.uid == format!("uid-of-{}", one.claim)));
        let enlarged = plan.enlarge.iter().map(|one| format!("{} {}", one.claim, one.size.0));
        assert_eq!(enlarged.collect::<Vec<_>>(), expected);
        let workers = plan.objects.iter().find(|object| object.kind == Kind::StatefulSet).expect("workers");
        let size = workers.body.pointer("/spec/volumeClaimTemplates/0/spec/resources/requests/storage");
        assert_eq!(size.and_then(Value::as_str), Some("10Gi"));
    }
}
