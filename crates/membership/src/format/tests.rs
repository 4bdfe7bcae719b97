//! The format of the file: what is written reads back, what may be left out, and what each mistake is called.

use serde_json::{Value, json};
use shardset_model::{Membership, Phase, RoutingKey, UnixMillis};
use shardset_process::logging::chain;

use super::{from_json, to_json};
use crate::{Record, WorkerAt};

fn moving() -> Value {
    json!({
        "format": 1, "epoch": 42, "shards": 3, "previousShards": 2, "phase": "Moving",
        "routing": "streamID", "previousRouting": "attributes:a%2Cb,c", "publishedUnixMs": 1_700_000_000_123_i64,
        "workers": [
            { "shard": 0, "address": "127.0.0.1:4400", "uid": "0f5c" },
            { "shard": 1, "address": "[::1]:4401" },
            { "shard": 2, "address": "worker-2.workers:4402" },
        ],
    })
}

fn record() -> Record {
    let worker = |shard, address: &str, uid: Option<&str>| WorkerAt {
        shard,
        address: address.parse().unwrap(),
        uid: uid.map(Box::from),
    };
    let workers = vec![
        worker(0, "127.0.0.1:4400", Some("0f5c")),
        worker(1, "[::1]:4401", None),
        worker(2, "worker-2.workers:4402", None),
    ];
    let membership = Membership::new(42, 3, 2, Phase::Moving).unwrap();
    let membership = membership.routed_by(RoutingKey::StreamId, "attributes:a%2Cb,c".parse().unwrap());
    Record::new(membership, workers).unwrap().published_at(UnixMillis(1_700_000_000_123))
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    assert_eq!(from_json(moving().to_string().as_bytes()).unwrap(), record());
    let text = to_json(&record());
    assert!(text.starts_with("{\n  \"format\": 1,\n  \"epoch\": 42,\n"), "{text}");
    assert_eq!(from_json(text.as_bytes()).unwrap(), record());
}

#[test]
fn what_a_person_leaves_out_of_a_stable_membership_has_one_meaning() {
    let text = r#"{"format": 1, "epoch": 1, "shards": 1, "phase": "Stable", "routing": "service", "new in 2.0": {},
                   "workers": [{"address": "a:1", "shard": 0, "zone": "b"}]}"#;
    let record = from_json(text.as_bytes()).unwrap();
    let one = Membership::new(1, 1, 1, Phase::Stable).unwrap();
    assert_eq!(*record.membership(), one.routed_by(RoutingKey::Service, RoutingKey::Service));
    assert_eq!(record.published(), None);
}

#[test]
fn each_mistake_is_named_with_its_key_and_what_to_do() {
    let large = u64::from(u32::MAX) + 1;
    let table = [
        ("format", json!(2), "`format` is 2, and this version reads only 1"),
        ("format", Value::Null, "`format` is missing or is not a whole number"),
        ("epoch", json!(0), "the epoch must be at least 1"),
        ("epoch", json!(1.5), "`epoch` is missing or is not a whole number"),
        ("shards", json!(0), "0 is no number of shards"),
        ("shards", json!(large), "`shards` is missing or is not a whole number"),
        ("previousShards", json!("2"), "`previousShards` is missing or is not a whole number"),
        ("phase", json!("moving"), "`phase` is missing or is not Stable or Moving"),
        ("routing", json!("traceID"), "`routing` is wrong: `traceID` is no routing key"),
        ("previousRouting", json!(7), "`previousRouting` is missing or is not a routing key"),
        ("publishedUnixMs", json!("now"), "`publishedUnixMs` is missing or is not a whole number of milliseconds"),
        ("workers", json!({}), "`workers` is missing or is not a list of workers"),
        ("workers", json!([]), "`workers` is wrong: it lists no workers"),
        ("workers", json!(["a:1"]), "`workers[0]` is missing or is not {\"shard\": 0"),
        ("workers", json!([{"address": "a:1"}]), "`workers[0].shard` is missing or is not a whole number"),
        ("workers", json!([{"shard": 0}]), "`workers[0].address` is missing or is not a host and a port"),
        ("workers", json!([{"shard": 0, "address": "a"}]), "`workers[0].address` is wrong: `a` is no address"),
        ("workers", json!([{"shard": 0, "address": "a:1"}]), "`workers` is wrong: no worker is listed for shard 1"),
    ];
    for (key, value, expected) in table {
        let mut text = moving();
        text[key] = value;
        let said = chain(&from_json(text.to_string().as_bytes()).unwrap_err());
        assert!(said.starts_with(expected), "{key}: {said}");
    }
    for text in ["", "[]", "{", "{} x"] {
        assert!(chain(&from_json(text.as_bytes()).unwrap_err()).starts_with("it is no JSON object: "), "{text}");
    }
}

#[test]
fn while_streams_move_nothing_of_what_was_before_is_guessed() {
    for key in ["previousShards", "previousRouting"] {
        let mut text = moving();
        text.as_object_mut().unwrap().remove(key);
        let said = from_json(text.to_string().as_bytes()).unwrap_err().to_string();
        assert!(said.starts_with(&format!("`{key}` is missing")), "{said}");
    }
}
