//! The manifest: what `kubectl apply` is given, and `shardset crd` prints.

use kube::CustomResourceExt;

use crate::MetricsShardSet;

/// The CustomResourceDefinition, as YAML.
pub fn manifest() -> String {
    let definition = MetricsShardSet::crd();
    let head = "# What `shardset crd` prints, made from the types in crds/src. `cargo xtask e2e documentation --bless` writes it anew.\n";
    let yaml = serde_saphyr::to_string(&definition).expect("a definition is maps, lists and texts");
    format!("{head}{yaml}")
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;
    use serde_json::Value;

    use crate::MetricsShardSet;

    /// Calls `look` with every schema within this one, and where it stands.
    fn each(at: &str, schema: &Value, look: &mut impl FnMut(&str, &Value)) {
        look(at, schema);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            each(&format!("{at}.{name}"), property, look);
        }
        for inner in ["items", "additionalProperties"] {
            if schema[inner].is_object() {
                each(&format!("{at}[]"), &schema[inner], look);
            }
        }
    }

    fn found(rule: impl Fn(&str, &Value) -> bool) -> Vec<String> {
        let definition = serde_json::to_value(MetricsShardSet::crd()).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        assert!(schema["properties"]["spec"].is_object(), "{schema}");
        let mut found = Vec::new();
        each("", schema, &mut |at, schema| {
            if rule(at, schema) {
                found.push(at.to_owned());
            }
        });
        found
    }

    #[test]
    fn every_field_is_described() {
        let bare =
            found(|at, schema| !at.is_empty() && !at.ends_with("[]") && schema["description"].as_str().is_none());
        assert_eq!(bare, Vec::<String>::new());
    }

    #[test]
    fn everything_that_a_user_writes_has_a_limit() {
        let endless = found(|at, schema| {
            let limit = match schema["type"].as_str() {
                Some("string") if schema["enum"].is_array() || schema["format"].is_string() => return false,
                Some("string") => "maxLength",
                Some("array") => "maxItems",
                Some("integer") => "maximum",
                Some("object") if schema["additionalProperties"].is_object() => "maxProperties",
                _ => return false,
            };
            at.starts_with(".spec") && schema[limit].is_null()
        });
        assert_eq!(endless, Vec::<String>::new());
    }

    #[test]
    fn every_list_says_how_it_is_merged() {
        let vague = found(|_, schema| schema["type"] == "array" && schema["x-kubernetes-list-type"].is_null());
        assert_eq!(vague, Vec::<String>::new());
    }

    #[test]
    fn it_is_small_enough_for_a_plain_apply() {
        // kubectl keeps what was applied in an annotation of at most 256 KiB.
        let json = serde_json::to_string(&MetricsShardSet::crd()).unwrap();
        assert!(json.len() < 64 << 10, "{} bytes", json.len());
    }
}
