//! Who the pods are, and what they may do: workers nothing, gateways look at the slices of their namespace.

use serde_json::json;

use super::{Blueprint, Kind, Object, Tier};

pub(super) fn of_both_tiers(of: Blueprint<'_>) -> Vec<Object> {
    let account = |tier| of.object(Kind::ServiceAccount, tier, json!({ "automountServiceAccountToken": false }));
    let name = Tier::Gateway.name(&of.name());
    // Slices of the workers' Service have names that nobody knows before, so no names are given here.
    let role = json!({ "rules": [{
        "apiGroups": ["discovery.k8s.io"],
        "resources": ["endpointslices"],
        "verbs": ["get", "list", "watch"],
    }] });
    let binding = json!({
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": name }],
    });
    vec![
        account(Tier::Worker),
        account(Tier::Gateway),
        of.object(Kind::Role, Tier::Gateway, role),
        of.object(Kind::RoleBinding, Tier::Gateway, binding),
    ]
}
