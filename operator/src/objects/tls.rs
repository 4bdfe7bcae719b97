//! Certificates of both tiers: the flags, and the Secrets that are mounted where they point to.

use serde_json::{Value, json};
use shardset_crds::{PeersTls, PeersTlsMode, ReceiveTls};
use shardset_slice::names;

use super::Blueprint;
use super::pod::Container;

const RECEIVE: &str = "receive-tls";
const PEERS: &str = "peer-tls";
const PATH: &str = "/etc/shardset-tls";

/// Gateways get both.
pub(super) fn of_gateway(of: Blueprint<'_>, container: &mut Container) {
    if let Some(receive) = of.set.spec.tls.as_ref().and_then(|tls| tls.receive.as_ref()) {
        receives(receive, container);
    }
    of_worker(of, container);
}

/// Workers talk to our own parts only.
pub(super) fn of_worker(of: Blueprint<'_>, container: &mut Container) {
    if let Some(peers) = of.set.spec.tls.as_ref().and_then(|tls| tls.peers.as_ref()) {
        meets(of, peers, container);
    }
}

fn receives(tls: &ReceiveTls, container: &mut Container) {
    let mut sources = vec![source(&tls.secret_name, &[("tls.crt", "tls.crt"), ("tls.key", "tls.key")])];
    container.args.extend([
        format!("--tls-cert-file={PATH}/{RECEIVE}/tls.crt"),
        format!("--tls-key-file={PATH}/{RECEIVE}/tls.key"),
    ]);
    if let Some(authority) = &tls.client_authority {
        sources.push(source(&authority.name, &[(&authority.key, "client-ca.crt")]));
        container.args.push(format!("--tls-client-ca-file={PATH}/{RECEIVE}/client-ca.crt"));
    }
    mount(RECEIVE, &sources, container);
}

fn meets(of: Blueprint<'_>, tls: &PeersTls, container: &mut Container) {
    let mode = match tls.mode {
        PeersTlsMode::Required => "required",
        PeersTlsMode::Preferred => "preferred",
    };
    container.args.extend([
        format!("--peer-tls-cert-file={PATH}/{PEERS}/tls.crt"),
        format!("--peer-tls-key-file={PATH}/{PEERS}/tls.key"),
        format!("--peer-tls-ca-file={PATH}/{PEERS}/ca.crt"),
        format!("--peer-tls-server-name={}", names::workers_in(&of.name(), "$(SHARDSET_NAMESPACE)")),
        format!("--peer-tls-mode={mode}"),
    ]);
    let keys = [("tls.crt", "tls.crt"), ("tls.key", "tls.key"), ("ca.crt", "ca.crt")];
    mount(PEERS, &[source(&tls.secret_name, &keys)], container);
}

fn source(secret: &str, keys: &[(&str, &str)]) -> Value {
    let items: Vec<_> = keys.iter().map(|(key, path)| json!({ "key": key, "path": path })).collect();
    json!({ "secret": { "name": secret, "items": items } })
}

fn mount(name: &str, sources: &[Value], container: &mut Container) {
    container.volumes.push(json!({ "name": name, "projected": { "sources": sources } }));
    container.mounts.push(json!({ "name": name, "mountPath": format!("{PATH}/{name}"), "readOnly": true }));
}
