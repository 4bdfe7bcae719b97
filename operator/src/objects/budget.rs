//! How many pods may be taken away at a time by whoever drains nodes: one of each tier.

use serde_json::json;

use super::{Blueprint, Kind, Object, Tier, selector};

pub(super) fn of_both_tiers(of: Blueprint<'_>) -> Vec<Object> {
    let budget = |tier| {
        let spec = json!({ "spec": {
            "maxUnavailable": 1,
            "selector": { "matchLabels": selector(&of.name(), tier) },
            // A pod that does not work must not keep its node.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        } });
        of.object(Kind::PodDisruptionBudget, tier, spec)
    };
    vec![budget(Tier::Worker), budget(Tier::Gateway)]
}
