//! The format of the slice: what is written reads back, what may be left out, and what each mistake is called.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use serde_json::{Value, json};
use shardset_membership::{Record, WorkerAt};
use shardset_model::{Membership, Phase, RoutingKey, UnixMillis};
use shardset_process::logging::chain;

use super::{read, write};

fn slice() -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "labels": {
                "endpointslice.kubernetes.io/managed-by": "shardset.dev",
                "service.kubernetes.io/headless": "",
                "shardset.dev/set": "a",
            },
            "annotations": {
                "shardset.dev/format": "1",
                "shardset.dev/epoch": "42",
                "shardset.dev/shards": "2",
                "shardset.dev/previous-shards": "1",
                "shardset.dev/phase": "Moving",
                "shardset.dev/routing": "streamID",
                "shardset.dev/previous-routing": "attributes:a%2Cb,c",
                "shardset.dev/published-unix-ms": "1700000000123",
            },
        },
        "addressType": "IPv4",
        "ports": [{ "name": "otlp", "port": 4317, "protocol": "TCP" }],
        "endpoints": [
            { "addresses": ["10.1.2.3"], "hostname": "a-worker-0", "targetRef": { "uid": "0f5c" } },
            { "addresses": ["10.1.2.4"], "hostname": "a-worker-1" },
        ],
    })
}

fn record() -> Record {
    let worker = |shard, address: &str, uid: Option<&str>| WorkerAt {
        shard,
        address: address.parse().unwrap(),
        uid: uid.map(Box::from),
    };
    let workers = vec![worker(0, "10.1.2.3:4317", Some("0f5c")), worker(1, "10.1.2.4:4317", None)];
    let membership = Membership::new(42, 2, 1, Phase::Moving).unwrap();
    let membership = membership.routed_by(RoutingKey::StreamId, "attributes:a%2Cb,c".parse().unwrap());
    Record::new(membership, workers).unwrap().published_at(UnixMillis(1_700_000_000_123))
}

fn parsed(slice: Value) -> EndpointSlice {
    serde_json::from_value(slice).unwrap()
}

fn endpoint(worker: &WorkerAt) -> Endpoint {
    let uid = worker.uid.as_deref().map(str::to_owned);
    let pod = uid.map(|uid| ObjectReference { uid: Some(uid), ..ObjectReference::default() });
    Endpoint { target_ref: pod, ..Endpoint::default() }
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    assert_eq!(read("a", &parsed(slice())).unwrap(), record());
    assert_eq!(serde_json::to_value(write("a", &record(), endpoint)).unwrap(), slice());
}

#[test]
fn a_slice_of_ipv6_has_bare_addresses() {
    let worker = WorkerAt { shard: 0, address: "[fd00::1]:4317".parse().unwrap(), uid: None };
    let record = Record::new(Membership::new(1, 1, 1, Phase::Stable).unwrap(), vec![worker]).unwrap();
    let slice = write("a", &record, endpoint);
    assert_eq!((slice.address_type.as_str(), &*slice.endpoints[0].addresses[0]), ("IPv6", "fd00::1"));
    assert_eq!(read("a", &slice).unwrap(), record);
}

#[test]
fn each_mistake_is_named() {
    let annotation = |name: &str| format!("/metadata/annotations/shardset.dev~1{name}");
    let no_worker = "is no worker: it must have a hostname a-worker-0, an IP address and a port";
    let table = [
        (annotation("format"), json!("2"), "the annotation shardset.dev/format is 2, and this version reads only 1"),
        (annotation("epoch"), json!("0"), "epoch"),
        (annotation("epoch"), json!("-1"), "the annotation shardset.dev/epoch is no whole number: invalid digit"),
        (annotation("shards"), json!("1001"), "1000"),
        (annotation("phase"), json!("Done"), "phase is Done, and must be Stable or Moving"),
        (annotation("routing"), json!("x"), "the annotation shardset.dev/routing is wrong: "),
        (annotation("published-unix-ms"), json!("now"), "published-unix-ms is no whole number"),
        ("/endpoints".into(), json!([]), "the endpoints are wrong: it lists no workers"),
        ("/endpoints/1/hostname".into(), json!("b-worker-1"), no_worker),
        ("/endpoints/1/hostname".into(), json!("a-worker-0"), "two workers are listed for shard 0"),
        ("/endpoints/1/hostname".into(), json!("a-worker-2"), "no worker is listed for shard 1"),
        ("/endpoints/1/addresses".into(), json!(["x"]), no_worker),
        ("/endpoints/1/addresses".into(), json!(["10.1.2.3"]), "is listed for shard 0 and for shard 1"),
        ("/ports".into(), json!([]), no_worker),
    ];
    for (at, value, expected) in table {
        let mut wrong = slice();
        *wrong.pointer_mut(&at).unwrap() = value;
        let error = chain(&read("a", &parsed(wrong)).unwrap_err());
        assert!(error.contains(expected), "{at}: {error}");
    }
    for missing in ["format", "epoch", "shards", "previous-shards", "phase"] {
        let mut wrong = slice();
        wrong["metadata"]["annotations"].as_object_mut().unwrap().remove(&format!("shardset.dev/{missing}"));
        let error = chain(&read("a", &parsed(wrong)).unwrap_err());
        assert_eq!(error, format!("the annotation shardset.dev/{missing} is missing"));
    }
}
