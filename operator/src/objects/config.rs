//! The workers' settings: a file with the names of their flags, and the secrets that it names.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shardset_crds::{Backend, Durability, Export, MetricsShardSet, Otlp, RemoteWrite, SecretKey, Writers};
use xxhash_rust::xxh3::xxh3_64;

use super::{Blueprint, Kind, Object, Tier};

/// Where a worker finds its settings.
pub(super) const CONFIG_PATH: &str = "/etc/shardset";
const SECRETS_PATH: &str = "/etc/shardset-secrets";

/// The text of a worker's settings.
pub(super) struct Config(String);

pub(super) fn of_workers(of: Blueprint<'_>) -> Object {
    of.object(Kind::ConfigMap, Tier::Worker, json!({ "data": { "worker.toml": config(of.set).0 } }))
}

/// The settings that follow from the spec.
pub(super) fn config(set: &MetricsShardSet) -> Config {
    let (streams, export) = (&set.spec.workers.streams, &set.spec.export);
    let seconds = |seconds: i32| format!("{seconds}s");
    let mut config = json!({
        "durability": match set.spec.workers.durability {
            Durability::Fsync => "fsync",
            Durability::Interval => "interval:100ms",
        },
        "writers": match streams.writers {
            Writers::Many => "many",
            Writers::One => "one",
        },
        "max-stale": seconds(streams.idle_seconds),
        "forget-after": seconds(streams.forget_after_seconds),
        "dedupe-window": seconds(streams.dedupe_window_seconds),
        "export-interval": seconds(export.interval_seconds),
        "heartbeat": seconds(export.heartbeat_seconds),
    });
    if let Some(max) = streams.max {
        config["max-streams"] = max.into();
    }
    if !export.promote_resource_attributes.is_empty() {
        config["promote-resource-attribute"] = json!(export.promote_resource_attributes);
    }
    if !export.external_labels.is_empty() {
        let labels = export.external_labels.iter().map(|label| format!("{}={}", label.name, label.value));
        config["external-label"] = labels.collect();
    }
    let secrets = Secrets::of(export);
    if !export.remote_write.is_empty() {
        config["remote-write"] = export.remote_write.iter().map(|one| remote_write(one, &secrets)).collect();
    }
    if !export.otlp.is_empty() {
        config["export-otlp"] = export.otlp.iter().map(|one| otlp(one, &secrets)).collect();
    }
    Config(toml::to_string(&config).expect("numbers, texts and tables of them are TOML"))
}

impl Config {
    /// Another text has another one, and one text the same in every version.
    pub(super) fn hash(&self) -> String {
        format!("{:016x}", xxh3_64(self.0.as_bytes()))
    }
}

fn remote_write(remote_write: &RemoteWrite, secrets: &Secrets) -> Value {
    let mut table = backend(&remote_write.backend, secrets);
    if let Some(sigv4) = &remote_write.sigv4 {
        let keys = [("region", &sigv4.region), ("role-arn", &sigv4.role_arn)];
        let keys = keys.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        table["sigv4"] = json!(keys.collect::<BTreeMap<_, _>>());
    }
    table
}

fn otlp(otlp: &Otlp, secrets: &Secrets) -> Value {
    let mut table = backend(&otlp.backend, secrets);
    table["protocol"] = json!(otlp.protocol);
    table["compression"] = json!(otlp.compression);
    table
}

fn backend(backend: &Backend, secrets: &Secrets) -> Value {
    let file = |key: &SecretKey| secrets.path(key);
    let mut table = json!({ "url": backend.url });
    if let Some(timeout) = backend.timeout_seconds {
        table["timeout"] = format!("{timeout}s").into();
    }
    if let Some(token) = &backend.bearer_token {
        table["bearer-token-file"] = file(token).into();
    }
    if let Some(basic) = &backend.basic_auth {
        table["basic-auth"] = json!({ "username": basic.username, "password-file": file(&basic.password) });
    }
    if !backend.headers.is_empty() {
        let headers: BTreeMap<_, _> = backend.headers.iter().map(|header| (&header.name, &header.value)).collect();
        table["headers"] = json!(headers);
    }
    if let Some(tls) = &backend.tls {
        let files = [("ca-file", &tls.authority), ("cert-file", &tls.certificate), ("key-file", &tls.private_key)];
        let files = files.into_iter().filter_map(|(name, key)| Some((name, file(key.as_ref()?))));
        table["tls"] = json!(files.collect::<BTreeMap<_, _>>());
    }
    table
}

/// The keys of Secrets that destinations name, each once. They are mounted as files, which the workers read anew.
pub(super) struct Secrets(Vec<SecretKey>);

impl Secrets {
    pub(super) fn of(export: &Export) -> Self {
        let mut keys: Vec<SecretKey> = export.backends().flat_map(keys).cloned().collect();
        keys.sort_by(|a, b| (&a.name, &a.key).cmp(&(&b.name, &b.key)));
        keys.dedup();
        Self(keys)
    }

    fn path(&self, key: &SecretKey) -> String {
        format!("{SECRETS_PATH}/{}/{}", key.name, key.key)
    }

    /// A volume of all of them and where it is mounted; nothing where no destination needs one.
    pub(super) fn volume(&self) -> Option<(Value, Value)> {
        let mut by_secret: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for SecretKey { name, key } in &self.0 {
            by_secret.entry(name).or_default().push(json!({ "key": key, "path": format!("{name}/{key}") }));
        }
        let sources = by_secret.iter().map(|(name, items)| json!({ "secret": { "name": name, "items": items } }));
        let volume = json!({ "name": "secrets", "projected": { "sources": sources.collect::<Vec<_>>() } });
        let mount = json!({ "name": "secrets", "mountPath": SECRETS_PATH, "readOnly": true });
        (!self.0.is_empty()).then_some((volume, mount))
    }
}

fn keys(backend: &Backend) -> impl Iterator<Item = &SecretKey> {
    let password = backend.basic_auth.as_ref().map(|basic| &basic.password);
    let tls = backend.tls.iter().flat_map(|tls| [&tls.authority, &tls.certificate, &tls.private_key]).flatten();
    backend.bearer_token.iter().chain(password).chain(tls)
}
