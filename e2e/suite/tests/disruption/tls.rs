//! TLS comes to a set that runs and goes from it again, under load.

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::{Pod, Secret};
use serde_json::{Value, json};
use shardset_e2e::certificates::Authority;
use shardset_slice::names;
use shardset_suite::install::{self, NAMESPACE};
use shardset_suite::load::under_load;
use shardset_suite::set::{Set, condition};
use shardset_suite::space::{Space, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ALONE;

/// What an HTTP/2 client says first: the preface and its settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// A record of TLS that says what went wrong. An HTTP/2 server begins with a frame of settings, whose first byte is 0.
const ALERT: u8 = 21;

#[tokio::test]
async fn tls_comes_to_a_set_and_goes_again_under_load() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    within(async |space| {
        let authority = Authority::new()?;
        secret(&space, &authority, "demo-peers", &names::workers_in("demo", &space.name)).await?;
        let flags = ["--duration", "150s", "--rate", "300", "--patience", "90s"];
        let (set, prometheus, load) = under_load(&space, 3, &flags).await?;
        let refused = set.change(peers(Some("Required"))).await.expect_err("it is no way to TLS").to_string();
        ensure!(refused.contains("by way of mode Preferred"), "{refused}");

        turn(&set, Some("Preferred"), 3).await?;
        an_operator_without_a_certificate_says_so(&space, &authority).await?;
        let operators = Space { client: space.client.clone(), name: NAMESPACE.to_owned() };
        secret(&operators, &authority, "operator-peers", "shardset-operator").await?;
        install::upgrade(&["peerTls.secretName=operator-peers"])?;
        install::is_ready(&space.client).await?;
        turn(&set, Some("Required"), 3).await?;
        ensure!(first_byte(&set).await? == ALERT, "a worker talks without TLS");
        set.scale(4).await?;
        set.serves(4).await?;
        set.scale(3).await?;
        set.serves(3).await?;

        let refused = set.change(peers(None)).await.expect_err("it is no way from TLS").to_string();
        ensure!(refused.contains("by way of mode Preferred"), "{refused}");
        turn(&set, Some("Preferred"), 3).await?;
        turn(&set, None, 3).await?;
        install::upgrade(&[])?;
        install::is_ready(&space.client).await?;
        load.is_exact(240).await?;
        prometheus.nothing_was_reset().await
    })
    .await
}

/// Makes a Secret as cert-manager does.
async fn secret(space: &Space, authority: &Authority, name: &str, of: &str) -> anyhow::Result<()> {
    let issued = authority.issue(&[of])?;
    let data = json!({
        "tls.crt": issued.certificate,
        "tls.key": issued.private_key,
        "ca.crt": authority.certificate(),
    });
    let secret = json!({ "metadata": { "name": name }, "type": "kubernetes.io/tls", "stringData": data });
    space.apply::<Secret>(secret).await.map(drop)
}

fn peers(mode: Option<&str>) -> Value {
    let peers = mode.map(|mode| json!({ "secretName": "demo-peers", "mode": mode }));
    json!({ "spec": { "tls": { "peers": peers } } })
}

/// Changes the mode, and waits until every pod has it and serves.
async fn turn(set: &Set, mode: Option<&str>, workers: i32) -> anyhow::Result<()> {
    set.change(peers(mode)).await?;
    let flag = mode.map(|mode| format!("--peer-tls-mode={}", mode.to_lowercase()));
    let is_as_it_should = |pod: &Pod| {
        let mut args =
            pod.spec.iter().flat_map(|spec| &spec.containers).flat_map(|container| container.args.iter().flatten());
        let found = args.find(|arg| arg.starts_with("--peer-tls-mode="));
        found == flag.as_ref() && pod.metadata.deletion_timestamp.is_none()
    };
    let all = format!("{}={}", names::SET, set.name);
    set.space
        .until(&format!("all pods have peers {mode:?}"), 120, async || {
            let pods = set.space.pods(&all).await?;
            ensure!(pods.iter().all(is_as_it_should), "pods are not replaced");
            Ok(())
        })
        .await?;
    set.serves(workers).await.map(drop)
}

async fn an_operator_without_a_certificate_says_so(space: &Space, authority: &Authority) -> anyhow::Result<()> {
    secret(space, authority, "other-peers", &names::workers_in("other", &space.name)).await?;
    let tls = json!({ "tls": { "peers": { "secretName": "other-peers" } } });
    let other = Set::new(space, "other", 1, tls).await?;
    space
        .until("the operator says what it needs", 60, async || {
            let status = other.status().await?;
            let says = status.conditions.iter().any(|one| one.message.contains("peerTls.secretName"));
            ensure!(says && condition(&status, "Ready") == "False", "{}", serde_json::to_string(&status)?);
            Ok(())
        })
        .await
}

/// What a worker says first to a client without TLS.
async fn first_byte(set: &Set) -> anyhow::Result<u8> {
    let pod = set.space.api::<Pod>().get(&names::worker(&set.name, 0)).await?;
    let address = pod.status.and_then(|status| status.pod_ip).context("a worker has an address")?;
    let mut stream = TcpStream::connect((address.as_str(), names::WORKER_PORT)).await?;
    stream.write_all(PREFACE).await?;
    Ok(stream.read_u8().await?)
}
