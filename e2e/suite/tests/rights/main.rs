//! The operator's role against what it asked for while the other tests ran: no right is missing, and none is too much.
//!
//! The cluster's API server writes down who asked for what. It runs last, because it is about all that came before.
#![cfg(feature = "cluster")]

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, ensure};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::Api;
use serde_json::Value;
use shardset_suite::install::{NAMESPACE, OPERATOR, bare_client};
use shardset_suite::node::folder;

/// What the operator never asks for and must have: `get` to be allowed to grant it to gateways, and the right to be an owner whose
/// objects keep it from going, which is looked at when it applies them, in clusters that care.
const HELD: [&str; 2] = ["get discovery.k8s.io/endpointslices", "update shardset.dev/metricsshardsets/finalizers"];

/// What the operator applies. That is a patch, written down as such, and needs the right to create for what is not there yet.
const APPLIED: [&str; 9] = [
    "/configmaps",
    "/serviceaccounts",
    "/services",
    "apps/deployments",
    "apps/statefulsets",
    "networking.k8s.io/networkpolicies",
    "policy/poddisruptionbudgets",
    "rbac.authorization.k8s.io/rolebindings",
    "rbac.authorization.k8s.io/roles",
];

#[tokio::test]
async fn the_operator_has_the_rights_that_it_uses_and_no_others() -> anyhow::Result<()> {
    let roles: Api<ClusterRole> = Api::all(bare_client().await?);
    let rules = roles.get(OPERATOR).await?.rules.context("a role has rules")?;
    let granted: BTreeSet<String> = rules.iter().flat_map(rights).collect();
    let created = APPLIED.map(|kind| format!("create {kind}"));
    let mut used: BTreeSet<String> = HELD.map(str::to_owned).into_iter().chain(created).collect();
    for line in fs::read_to_string(folder()?.join("audit.log"))?.lines() {
        let request: Value = serde_json::from_str(line)?;
        let is_operator = request["user"]["username"] == format!("system:serviceaccount:{NAMESPACE}:{OPERATOR}");
        // The lease is in a role of its own, and what is no resource is everybody's.
        if is_operator && request["objectRef"]["resource"] != "leases" && request["objectRef"].is_object() {
            used.insert(right(&request));
        }
    }
    let missing: Vec<_> = used.difference(&granted).collect();
    let superfluous: Vec<_> = granted.difference(&used).collect();
    ensure!(missing.is_empty() && superfluous.is_empty(), "missing: {missing:?}; superfluous: {superfluous:?}");
    Ok(())
}

/// `verb group/resource`, for each of a rule.
fn rights(rule: &PolicyRule) -> Vec<String> {
    let (groups, resources) = (rule.api_groups.iter().flatten(), rule.resources.iter().flatten());
    let kinds = groups.flat_map(|group| resources.clone().map(move |resource| format!("{group}/{resource}")));
    kinds.flat_map(|kind| rule.verbs.iter().map(move |verb| format!("{verb} {kind}"))).collect()
}

fn right(request: &Value) -> String {
    let of = |name: &str| request["objectRef"][name].as_str().unwrap_or_default();
    let subresource = Some(of("subresource")).filter(|name| !name.is_empty()).map(|name| format!("/{name}"));
    let verb = request["verb"].as_str().unwrap_or_default();
    format!("{verb} {}/{}{}", of("apiGroup"), of("resource"), subresource.unwrap_or_default())
}
