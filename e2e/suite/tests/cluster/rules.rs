//! What the API server takes and what it refuses: each rule of the resource with an example of both.

use anyhow::{Context, ensure};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use shardset_crds::MetricsShardSet;
use shardset_suite::set::lay_over;
use shardset_suite::space::{Space, within};

/// What is laid over a spec that is taken, and what the API server says to it; nothing where it takes it.
type Row = (&'static str, Value, Option<&'static str>);

fn spec() -> Value {
    json!({ "workers": { "storage": { "size": "10Gi" } }, "export": { "prometheus": {} } })
}

fn write(more: Value) -> Value {
    let mut destination = json!({ "url": "https://mimir.example/api/v1/push" });
    lay_over(&mut destination, more);
    json!({ "export": { "remoteWrite": [destination] } })
}

fn otlp(more: Value) -> Value {
    let mut destination = json!({ "url": "https://collector.example:4317", "protocol": "grpc" });
    lay_over(&mut destination, more);
    json!({ "export": { "otlp": [destination] } })
}

fn creations() -> Vec<Row> {
    let key = |name| json!({ "name": "s", "key": name });
    let basic = json!({ "username": "u", "password": key("p") });
    let role = "arn:aws:iam::111122223333:role/writer";
    vec![
        ("the least", json!({}), None),
        ("a key and no attributes", json!({ "routing": { "key": "service" } }), None),
        ("attributes", json!({ "routing": { "key": "attributes", "attributes": ["a", "b"] } }), None),
        (
            "attributes that are not named",
            json!({ "routing": { "key": "attributes" } }),
            Some("attributes must name at least one attribute"),
        ),
        (
            "attributes of another key",
            json!({ "routing": { "key": "metric", "attributes": ["a"] } }),
            Some("and must be left out otherwise"),
        ),
        (
            "one attribute twice",
            json!({ "routing": { "key": "attributes", "attributes": ["a", "a"] } }),
            Some("Duplicate value"),
        ),
        ("a key that is none", json!({ "routing": { "key": "tenant" } }), Some("supported values")),
        ("the most workers", json!({ "workers": { "replicas": 1000 } }), None),
        ("too many workers", json!({ "workers": { "replicas": 1001 } }), Some("less than or equal to 1000")),
        ("no workers", json!({ "workers": { "replicas": 0 } }), Some("greater than or equal to 1")),
        ("state in the pods", json!({ "workers": { "storage": { "size": null, "ephemeral": {} } } }), None),
        (
            "both kinds of storage",
            json!({ "workers": { "storage": { "ephemeral": {} } } }),
            Some("storage must have either size"),
        ),
        (
            "no kind of storage",
            json!({ "workers": { "storage": { "size": null } } }),
            Some("storage must have either size"),
        ),
        (
            "a class of no volume",
            json!({ "workers": { "storage": { "size": null, "ephemeral": {}, "storageClassName": "x" } } }),
            Some("are of volumes: give size too"),
        ),
        (
            "a size that is none",
            json!({ "workers": { "storage": { "size": "much" } } }),
            Some("must be a quantity of at least 1Mi"),
        ),
        (
            "a size that is too small",
            json!({ "workers": { "storage": { "size": "1Ki" } } }),
            Some("must be a quantity of at least 1Mi"),
        ),
        (
            "streams that are forgotten late",
            json!({ "workers": { "streams": { "idleSeconds": 60, "forgetAfterSeconds": 60 } } }),
            None,
        ),
        (
            "streams that are forgotten early",
            json!({ "workers": { "streams": { "idleSeconds": 60, "forgetAfterSeconds": 59 } } }),
            Some("forgetAfterSeconds must be at least idleSeconds"),
        ),
        ("autoscaling", json!({ "workers": { "autoscaling": { "minReplicas": 2, "maxReplicas": 2 } } }), None),
        (
            "autoscaling upside down",
            json!({ "workers": { "autoscaling": { "minReplicas": 3, "maxReplicas": 2 } } }),
            Some("minReplicas must be at most maxReplicas"),
        ),
        (
            "nowhere to export to",
            json!({ "export": { "prometheus": null } }),
            Some("export must have at least one destination"),
        ),
        ("remote write", write(json!({ "headers": [{ "name": "X-Scope-OrgID", "value": "a" }] })), None),
        ("a URL that is none", write(json!({ "url": "mimir" })), Some("url must be an http or https URL with a host")),
        (
            "a URL of another scheme",
            write(json!({ "url": "ftp://mimir.example/" })),
            Some("url must be an http or https URL with a host"),
        ),
        ("a bearer token", write(json!({ "bearerToken": key("t") })), None),
        (
            "two ways to say who we are",
            write(json!({ "bearerToken": key("t"), "basicAuth": basic })),
            Some("at most one of bearerToken, basicAuth and sigv4"),
        ),
        ("signatures of AWS", write(json!({ "sigv4": {} })), None),
        ("a region and a role", write(json!({ "sigv4": { "region": "us-gov-west-1", "roleArn": role } })), None),
        (
            "signatures and a password",
            write(json!({ "sigv4": {}, "basicAuth": basic })),
            Some("at most one of bearerToken, basicAuth and sigv4"),
        ),
        ("a region that is none", write(json!({ "sigv4": { "region": "Ireland" } })), Some("should match")),
        ("a role that is none", write(json!({ "sigv4": { "roleArn": "writer" } })), Some("should match")),
        (
            "a certificate with its key",
            write(json!({ "tls": { "certificate": key("c"), "privateKey": key("k") } })),
            None,
        ),
        (
            "a certificate without its key",
            write(json!({ "tls": { "certificate": key("c") } })),
            Some("certificate and privateKey must be given together"),
        ),
        ("a header that is none", write(json!({ "headers": [{ "name": "a b", "value": "" }] })), Some("should match")),
        ("OTLP by gRPC", otlp(json!({ "compression": "none", "bearerToken": key("t") })), None),
        (
            "OTLP by HTTP",
            otlp(json!({ "url": "http://collector.example:4318/v1/metrics", "protocol": "http/protobuf" })),
            None,
        ),
        (
            "OTLP and nothing else",
            json!({ "export": { "prometheus": null, "otlp": [{ "url": "http://collector:4317", "protocol": "grpc" }] } }),
            None,
        ),
        ("OTLP of no protocol", otlp(json!({ "protocol": null })), Some("protocol: Required value")),
        ("OTLP in JSON", otlp(json!({ "protocol": "http/json" })), Some("supported values")),
        ("OTLP in zstd", otlp(json!({ "compression": "zstd" })), Some("supported values")),
        (
            "OTLP to no URL",
            otlp(json!({ "url": "collector:4317" })),
            Some("url must be an http or https URL with a host"),
        ),
        (
            "a path of gRPC",
            otlp(json!({ "url": "https://collector.example:4317/v1/metrics" })),
            Some("url must have no path where protocol is grpc"),
        ),
        (
            "HTTP without a path",
            otlp(json!({ "protocol": "http/protobuf" })),
            Some("url must have a path where protocol is http/protobuf"),
        ),
        (
            "two ways to tell OTLP who we are",
            otlp(json!({ "bearerToken": key("t"), "basicAuth": basic })),
            Some("at most one of bearerToken and basicAuth"),
        ),
        ("signatures of OTLP", otlp(json!({ "sigv4": {} })), Some("unknown field")),
        ("heartbeats", json!({ "export": { "intervalSeconds": 60, "heartbeatSeconds": 60 } }), None),
        (
            "heartbeats that are too quick",
            json!({ "export": { "intervalSeconds": 61, "heartbeatSeconds": 60 } }),
            Some("heartbeatSeconds must be at least intervalSeconds"),
        ),
        ("labels of pods", json!({ "gateway": { "pod": { "labels": { "team": "a" } } } }), None),
        (
            "labels that are ours",
            json!({ "gateway": { "pod": { "labels": { "shardset.dev/set": "a" } } } }),
            Some("labels must not begin with"),
        ),
        ("a family of addresses", json!({ "workers": { "ipFamily": "IPv6" } }), None),
        ("a family that is none", json!({ "workers": { "ipFamily": "IPX" } }), Some("supported values")),
        ("TLS", json!({ "tls": { "receive": { "secretName": "a" }, "peers": { "secretName": "b" } } }), None),
        (
            "TLS without a certificate",
            json!({ "tls": { "receive": {} } }),
            Some("spec.tls.receive.secretName: Required"),
        ),
        (
            "TLS that is halfway",
            json!({ "tls": { "peers": { "secretName": "b", "mode": "Permissive" } } }),
            Some("supported values"),
        ),
        ("a field that is none", json!({ "workers": { "replica": 3 } }), Some("unknown field")),
        ("a mode that is none", json!({ "rebalance": { "mode": "Off" } }), Some("supported values")),
        (
            "a scrape port of root's",
            json!({ "export": { "prometheus": { "port": 80 } } }),
            Some("greater than or equal to 1024"),
        ),
    ]
}

fn changes() -> Vec<Row> {
    vec![
        ("more workers", json!({ "workers": { "replicas": 4 } }), None),
        ("a larger volume", json!({ "workers": { "storage": { "size": "11Gi" } } }), None),
        ("the same size in other words", json!({ "workers": { "storage": { "size": "10240Mi" } } }), None),
        ("a smaller volume", json!({ "workers": { "storage": { "size": "9Gi" } } }), Some("size can not be lowered")),
        (
            "another kind of storage",
            json!({ "workers": { "storage": { "size": null, "ephemeral": {} } } }),
            Some("storage can not be changed between size and ephemeral"),
        ),
        (
            "another class",
            json!({ "workers": { "storage": { "storageClassName": "x" } } }),
            Some("storageClassName can not be changed"),
        ),
        (
            "another family of addresses",
            json!({ "workers": { "ipFamily": "IPv6" } }),
            Some("ipFamily can not be changed"),
        ),
        ("TLS for those that can", json!({ "tls": { "peers": { "secretName": "b", "mode": "Preferred" } } }), None),
        (
            "TLS for all, at once",
            json!({ "tls": { "peers": { "secretName": "b" } } }),
            Some("comes to a set, and goes from it, by way of mode Preferred"),
        ),
    ]
}

#[tokio::test]
async fn each_rule_of_the_resource_takes_what_is_right_and_says_what_is_wrong() -> anyhow::Result<()> {
    within(async |space| {
        let mut wrong = Vec::new();
        for row in creations() {
            let mut spec = spec();
            lay_over(&mut spec, row.1.clone());
            wrong.extend(compare(&row, create(&space, "a", spec, true).await));
        }
        create(&space, "a", spec(), false).await.context("the least")?;
        for row in changes() {
            let patch = json!({ "spec": row.1 });
            let params = PatchParams { dry_run: true, ..PatchParams::default() };
            let changed = space.api::<MetricsShardSet>().patch("a", &params, &Patch::Merge(&patch)).await;
            wrong.extend(compare(&row, changed.map(drop)));
        }
        let long = "a".repeat(41);
        let row = ("a name of 41", json!({}), Some("metadata.name must have at most 40 characters"));
        wrong.extend(compare(&row, create(&space, &long, spec(), true).await));
        ensure!(create(&space, &long[..40], spec(), true).await.is_ok(), "a name of 40 is taken");
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
    .await
}

async fn create(space: &Space, name: &str, spec: Value, dry_run: bool) -> Result<(), kube::Error> {
    let object = json!({
        "apiVersion": "shardset.dev/v1alpha1",
        "kind": "MetricsShardSet",
        "metadata": { "name": name },
        "spec": spec,
    });
    let url = format!("/apis/shardset.dev/v1alpha1/namespaces/{}/metricsshardsets", space.name);
    let dry = if dry_run { "&dryRun=All" } else { "" };
    let request = http::Request::post(format!("{url}?fieldValidation=Strict{dry}"));
    let request = request.header("content-type", "application/json");
    let request = request.body(object.to_string().into_bytes()).map_err(kube::Error::HttpError)?;
    space.client.request::<Value>(request).await.map(drop)
}

/// What is not as the row says.
fn compare(row: &Row, outcome: Result<(), kube::Error>) -> Option<String> {
    let (what, _, expected) = row;
    match (outcome, expected) {
        (Ok(()), None) => None,
        (Ok(()), Some(message)) => Some(format!("{what} is taken, and not refused with: {message}")),
        (Err(kube::Error::Api(status)), Some(message)) if status.message.contains(message) => None,
        (Err(error), _) => Some(format!("{what}: {error}")),
    }
}

#[tokio::test]
async fn what_is_left_out_has_its_default_in_the_stored_object() -> anyhow::Result<()> {
    within(async |space| {
        let least = json!({ "export": { "prometheus": {} } });
        create(&space, "a", least, false).await?;
        let stored = serde_json::to_value(space.api::<MetricsShardSet>().get("a").await?.spec)?;
        let table = [
            ("/workers/replicas", json!(3)),
            ("/workers/storage/size", json!("10Gi")),
            ("/workers/durability", json!("Fsync")),
            ("/workers/streams/dedupeWindowSeconds", json!(300)),
            ("/gateway/replicas", json!(2)),
            ("/gateway/service/type", json!("ClusterIP")),
            ("/routing/key", json!("streamID")),
            ("/export/intervalSeconds", json!(15)),
            ("/export/prometheus/port", json!(9464)),
            ("/rebalance/mode", json!("Automatic")),
        ];
        for (at, expected) in table {
            ensure!(stored.pointer(at) == Some(&expected), "{at}: {:?}", stored.pointer(at));
        }
        space
            .api::<MetricsShardSet>()
            .create(&PostParams { dry_run: true, ..PostParams::default() }, &{
                let mut again = space.api::<MetricsShardSet>().get("a").await?;
                again.metadata = kube::core::ObjectMeta { name: Some("b".to_owned()), ..Default::default() };
                again
            })
            .await
            .context("what is stored can be created again")?;
        Ok(())
    })
    .await
}
