//! TLS between processes of our own.
#![cfg(feature = "real-parts")]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use shardset_e2e::certificates::{Authority, Files};
use shardset_e2e::child::Running;
use shardset_e2e::shardset::{self, PATIENCE, Shardset};
use shardset_e2e::{ports, wait};

/// The name in the certificates of workers.
const WORKERS: &str = "workers.example";

/// Processes of one set, with the flags that each of them has.
struct Parts<'a> {
    folder: &'a Path,
    membership: String,
    workers: Vec<SocketAddr>,
    grpc: SocketAddr,
    scrapes: Vec<SocketAddr>,
    running: Vec<Running>,
}

impl<'a> Parts<'a> {
    fn new(folder: &'a Path) -> Self {
        let membership = folder.join("members.json").display().to_string();
        let (workers, scrapes) = (vec![ports::free(), ports::free()], vec![ports::free(), ports::free()]);
        Self { folder, membership, workers, grpc: ports::free(), scrapes, running: Vec::new() }
    }

    fn start(&mut self, name: &str, flags: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(shardset::binary()?);
        command.args(flags);
        self.running.push(Running::start(name, command, self.folder)?);
        Ok(())
    }

    fn start_all(&mut self, peers: &[String]) -> anyhow::Result<()> {
        let peers: Vec<&str> = peers.iter().map(String::as_str).collect();
        for shard in 0..2 {
            let (listen, scrape) = (self.workers[shard].to_string(), self.scrapes[shard].to_string());
            let (number, admin) = (shard.to_string(), ports::free().to_string());
            let data = self.folder.join("data").display().to_string();
            let flags = ["worker", "--shard", &number, "--listen", &listen, "--scrape", &scrape, "--admin", &admin];
            let more = ["--data-dir", &data, "--export-interval", "200ms"];
            self.start(&format!("worker-{shard}"), &[&flags[..], &more, &peers].concat())?;
        }
        let (grpc, http, admin) = (self.grpc.to_string(), ports::free().to_string(), ports::free().to_string());
        let membership = self.membership.clone();
        let flags = ["gateway", "--membership", &membership, "--otlp-grpc", &grpc, "--otlp-http", &http];
        self.start("gateway", &[&flags[..], &["--admin", &admin], &peers].concat())
    }

    fn scale(&self, shards: &str, peers: &[String]) -> anyhow::Result<String> {
        let [first, second] = [0, 1].map(|shard: usize| self.workers[shard].to_string());
        let flags = ["scale", shards, "--membership", &self.membership, "--worker", &first, "--worker", &second];
        let flags: Vec<&str> =
            flags.into_iter().chain(["--timeout", "10s"]).chain(peers.iter().map(String::as_str)).collect();
        let (status, said) = shardset::output(&flags)?;
        ensure!(status.success(), "{said}");
        Ok(said)
    }
}

fn flags(files: &Files, mode: &str) -> Vec<String> {
    let [certificate, key, authority] = files.paths();
    [
        ("cert-file", certificate),
        ("key-file", key),
        ("ca-file", authority),
        ("server-name", WORKERS.to_owned()),
        ("mode", mode.to_owned()),
    ]
    .map(|(name, value)| format!("--peer-tls-{name}={value}"))
    .into()
}

#[tokio::test]
async fn parts_talk_with_tls_move_streams_and_take_a_new_certificate() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new()?;
    let files = authority.issue_files(folder.path(), "part", &[WORKERS])?;
    let peers = flags(&files, "required");
    let mut parts = Parts::new(folder.path());
    parts.start_all(&peers)?;
    wait::until("workers are told", PATIENCE, async || parts.scale("1", &peers)).await?;

    let stranger = Authority::new()?.issue_files(folder.path(), "stranger", &[WORKERS])?;
    for (who, flags) in [("nobody", Vec::new()), ("a stranger", self::flags(&stranger, "required"))] {
        let said = parts.scale("2", &flags).expect_err(who).to_string();
        ensure!(said.contains("worker 0"), "{who}: {said}");
    }

    // A certificate that is renewed while streams are counted and move.
    fs::rename(&authority.issue_files(folder.path(), "next", &[WORKERS])?.certificate, &files.certificate)?;
    fs::rename(folder.path().join("next-key.pem"), &files.private_key)?;
    let grpc = Shardset::url(parts.grpc, "");
    // In the end worker 0 has all streams again.
    let verify = Shardset::url(parts.scrapes[0], "/metrics");
    let mut command = Command::new(shardset::binary()?);
    command.args(["load", "--otlp-grpc", &grpc, "--protocols", "grpc", "--duration", "15s", "--rate", "500"]);
    command.args(["--interval", "1s", "--verify", &verify]);
    let load = Running::start("load", command, folder.path())?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    parts.scale("2", &peers)?;
    tokio::time::sleep(Duration::from_secs(11)).await;
    parts.scale("1", &peers)?;
    load.succeed(PATIENCE).await.map(drop)
}

#[tokio::test]
async fn the_load_generator_sends_with_tls_and_a_certificate_by_every_protocol() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new()?.for_years(2020..2100);
    let [certificate, key, authorities] = authority.issue_files(folder.path(), "gateway", &["localhost"])?.paths();
    let flags = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-client-ca-file", &authorities];
    let shardset = Shardset::start(&[&flags[..], &["--export-interval", "200ms"]].concat()).await?;
    let held =
        shardset.own_metrics().await?.values("shardset_tls_certificate_not_after_seconds", &[("purpose", "receive")]);
    ensure!(held == [4_102_444_800.0], "the certificate holds until {held:?}");

    let [grpc, http] = [shardset.grpc, shardset.http].map(|address| format!("https://localhost:{}", address.port()));
    let verify = Shardset::url(shardset.scrape, "/metrics");
    let load = |more: &[&str]| {
        let flags = ["load", "--otlp-grpc", &grpc, "--otlp-http", &http, "--points", "500", "--rate", "500"];
        shardset::output(&[&flags[..], &["--interval", "1s", "--attempts", "1", "--verify", &verify], more].concat())
    };
    let [certificate, key, authorities] = authority.issue_files(folder.path(), "sender", &["sender"])?.paths();
    let (status, said) =
        load(&["--tls-ca-file", &authorities, "--tls-cert-file", &certificate, "--tls-key-file", &key])?;
    ensure!(status.success() && !said.contains("sent, 0 accepted"), "{said}");
    let (status, said) = load(&["--tls-ca-file", &authorities])?;
    ensure!(status.success() && said.contains("sent, 0 accepted"), "nobody is taken without a certificate: {said}");
    let (status, said) = load(&["--tls-ca-file", "/nowhere.pem"])?;
    ensure!(!status.success() && said.contains("can not read /nowhere.pem"), "{said}");
    Ok(())
}
