//! What may be brought about, by the mode.

use serde_json::json;
use shardset_model::RoutingKey;
use shardset_operator::{APPROVE, Held, wanted};

use crate::scene::{set, stable};

#[test]
fn a_change_is_carried_out_when_the_mode_allows_it() {
    let asked = |mode: &str, approved: Option<&str>| {
        let mut set = set(json!({ "workers": { "replicas": 5 }, "rebalance": { "mode": mode } }));
        let approved = approved.map(|shards| (APPROVE.to_owned(), shards.to_owned()));
        set.metadata.annotations = Some(approved.into_iter().collect());
        set
    };
    let published = stable(4, 3);
    let table = [
        ("Automatic", None, 5, None),
        ("Paused", None, 3, Some(Held::Paused)),
        ("Manual", None, 3, Some(Held::Unapproved)),
        ("Manual", Some("4"), 3, Some(Held::Unapproved)),
        ("Manual", Some("5"), 5, None),
        ("Paused", Some("5"), 3, Some(Held::Paused)),
    ];
    for (mode, approved, shards, held) in table {
        let set = asked(mode, approved);
        let wanted = wanted(&set, Some(&published), None).expect("a routing key");
        assert_eq!((wanted.wish.shards.get(), wanted.held), (shards, held), "{mode} {approved:?}");
        assert_eq!(wanted.target.get(), 5);
    }
    let first = wanted(&asked("Paused", None), None, None).expect("a routing key");
    assert_eq!(first.wish.shards.get(), 5, "where there is nothing yet, there is nothing to keep");
}

#[test]
fn another_routing_key_is_a_change_too() {
    let by_service = set(json!({ "workers": { "replicas": 3 }, "routing": { "key": "service" } }));
    let wanted = wanted(&by_service, Some(&stable(4, 3)), None).expect("a routing key");
    assert_eq!(wanted.wish.routing, RoutingKey::Service);
}
