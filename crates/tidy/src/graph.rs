//! Which crate may depend on which.
//!
//! The table is the architecture: an edge that is not in it does not exist. Edges of tests (dev-dependencies) are free. The
//! pure crates have a list of outside crates as well, because a dependency can bring a clock or a runtime in by the back
//! door. A new row or edge is a decision, and its reason belongs into ARCHITECTURE.md.

use crate::Finding;

/// A package's dependencies as the build sees them, dev-dependencies left out.
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder, relative to the root of the repository.
    pub folder: String,
    /// Names of the packages it depends on.
    pub dependencies: Vec<String>,
}

/// Each package, and the packages of this workspace that it may name.
const EDGES: &[(&str, &[&str])] = &[
    ("shardset-model", &[]),
    ("shardset-placement", &["model"]),
    ("shardset-otlp", &["model", "placement"]),
    ("shardset-accumulate", &["model"]),
    ("shardset-handoff", &["accumulate", "model", "otlp", "placement"]),
    ("shardset-journal", &["model"]),
    ("shardset-export", &["model", "otlp", "wire"]),
    ("shardset-wire", &["handoff", "model"]),
    ("shardset-process", &["model"]),
    ("shardset-membership", &["model", "process"]),
    ("shardset-tls", &["process"]),
    ("shardset-gateway", &["membership", "model", "otlp", "placement", "process", "tls", "wire"]),
    (
        "shardset-worker",
        &["accumulate", "export", "handoff", "journal", "model", "otlp", "placement", "process", "tls", "wire"],
    ),
    ("shardset-slice", &["handoff", "membership", "model", "process", "tls", "wire"]),
    ("shardset-crds", &[]),
    ("shardset-operator", &["coordinator", "crds", "handoff", "membership", "model", "process", "slice", "tls"]),
    ("shardset-coordinator", &["handoff", "membership", "model", "tls", "wire"]),
    ("shardset-sim", &["accumulate", "handoff", "journal", "model", "placement"]),
    ("shardset-load", &["model", "wire"]),
    (
        "shardset",
        &[
            "accumulate",
            "coordinator",
            "crds",
            "export",
            "gateway",
            "handoff",
            "journal",
            "load",
            "membership",
            "model",
            "operator",
            "process",
            "slice",
            "tls",
            "worker",
        ],
    ),
    (
        "shardset-bench",
        &[
            "accumulate",
            "export",
            "gateway",
            "handoff",
            "journal",
            "load",
            "model",
            "otlp",
            "placement",
            "process",
            "wire",
            "worker",
        ],
    ),
    ("shardset-chaos", &["e2e", "load", "process"]),
    ("shardset-e2e", &[]),
    ("shardset-image", &[]),
    ("shardset-cluster", &["image"]),
    ("shardset-suite", &["crds", "e2e", "membership", "model", "slice"]),
    ("shardset-tidy", &[]),
    ("xtask", &["image"]),
];

/// Each pure package, and the outside packages that it may name.
const PURE: &[(&str, &[&str])] = &[
    ("shardset-model", &["thiserror"]),
    ("shardset-placement", &["jump-consistent-hash", "thiserror", "xxhash-rust"]),
    ("shardset-otlp", &["serde", "serde_json", "thiserror", "xxhash-rust"]),
    ("shardset-accumulate", &["hashbrown", "thiserror", "xxhash-rust"]),
    ("shardset-handoff", &["thiserror"]),
];

/// Outside packages that only the named ones may use, and why.
const RESERVED: &[(&str, &[&str], &str)] = &[
    (
        "opentelemetry-proto",
        &["shardset-load", "shardset-bench"],
        "the data path walks bytes; structs are for the load generator and for tests",
    ),
    (
        "anyhow",
        &[
            "shardset",
            "shardset-load",
            "shardset-bench",
            "shardset-chaos",
            "shardset-cluster",
            "shardset-e2e",
            "shardset-image",
            "shardset-process",
            "shardset-suite",
            "xtask",
        ],
        "a library's errors are typed: one thiserror enum per operation",
    ),
    ("mimalloc", &["shardset", "shardset-bench"], "the binary chooses the allocator"),
    (
        "clap",
        &["shardset", "shardset-load", "shardset-bench", "shardset-chaos", "shardset-cluster", "shardset-sim", "xtask"],
        "arguments are parsed by the binary",
    ),
];

/// Every edge of one package that is not allowed.
pub fn findings(package: &Package) -> Vec<Finding> {
    let path = format!("{}/Cargo.toml", package.folder);
    let Some((_, edges)) = EDGES.iter().find(|(name, _)| *name == package.name) else {
        return vec![Finding::new(&path, 0, format!("`{}` has no row in the table of edges", package.name))];
    };
    let refusals = package.dependencies.iter().filter_map(|to| refusal(&package.name, edges, to));
    refusals.map(|what| Finding::new(&path, 0, what)).collect()
}

fn refusal(from: &str, edges: &[&str], to: &str) -> Option<String> {
    if let Some(ours) = to.strip_prefix("shardset-") {
        return (!edges.contains(&ours)).then(|| format!("the edge `{from}` -> `{to}` is not in the table"));
    }
    if let Some((_, allowed)) = PURE.iter().find(|(name, _)| *name == from)
        && !allowed.contains(&to)
    {
        return Some(format!("`{from}` is pure and may not depend on `{to}`"));
    }
    let (_, users, why) = RESERVED.iter().find(|(name, ..)| *name == to)?;
    (!users.contains(&from)).then(|| format!("`{from}` may not depend on `{to}`: {why}"))
}

/// The finding where a manifest leaves the shared lints out.
pub fn lints_findings(path: &str, manifest: &str) -> Vec<Finding> {
    if manifest.contains("[lints]\nworkspace = true") || manifest.contains("[workspace]") {
        return Vec::new();
    }
    vec![Finding::new(path, 0, "does not take the lints of the workspace")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, dependencies: &[&str]) -> usize {
        let dependencies = dependencies.iter().map(|&name| name.to_owned()).collect();
        findings(&Package { name: name.to_owned(), folder: "crates/x".to_owned(), dependencies }).len()
    }

    #[test]
    fn an_edge_outside_the_table_is_found() {
        assert_eq!(found("shardset-model", &["shardset-otlp"]), 1);
        assert_eq!(found("shardset-gateway", &["shardset-worker"]), 1);
        assert_eq!(found("shardset-gateway", &["shardset-otlp", "shardset-wire"]), 0);
        assert_eq!(found("shardset-new", &[]), 1, "a package without a row");
    }

    #[test]
    fn a_pure_crate_names_only_what_is_listed() {
        assert_eq!(found("shardset-accumulate", &["tokio", "rand"]), 2);
        assert_eq!(found("shardset-accumulate", &["hashbrown", "shardset-model"]), 0);
    }

    #[test]
    fn reserved_packages_stay_with_their_users() {
        assert_eq!(found("shardset-worker", &["anyhow", "opentelemetry-proto"]), 2);
        assert_eq!(found("shardset", &["anyhow", "clap"]), 0);
    }

    #[test]
    fn a_manifest_without_the_shared_lints_is_found() {
        assert_eq!(lints_findings("a/Cargo.toml", "[package]\nname = \"a\"\n").len(), 1);
        assert!(lints_findings("a/Cargo.toml", "[lints]\nworkspace = true\n").is_empty());
    }
}
