//! Schemas that types alone do not say, and the defaults.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::{Schema, SchemaGenerator, json_schema};

pub(crate) const fn workers() -> i32 {
    3
}

pub(crate) const fn gateways() -> i32 {
    2
}

pub(crate) fn storage_size() -> Quantity {
    Quantity("10Gi".to_owned())
}

pub(crate) const fn idle() -> i32 {
    15 * 60
}

pub(crate) const fn forget_after() -> i32 {
    24 * 60 * 60
}

pub(crate) const fn dedupe_window() -> i32 {
    5 * 60
}

pub(crate) const fn min_replicas() -> i32 {
    2
}

pub(crate) const fn target_streams() -> i32 {
    1_000_000
}

pub(crate) const fn interval() -> i32 {
    15
}

pub(crate) const fn heartbeat() -> i32 {
    60
}

pub(crate) const fn scrape_port() -> i32 {
    9464
}

pub(crate) const fn handoff_timeout() -> i32 {
    300
}

pub(crate) fn api_server_ports() -> Vec<i32> {
    vec![443, 6443]
}

/// A size of a volume: at least 1Mi, in the units of Kubernetes.
pub(crate) fn volume_size(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 32,
        "x-kubernetes-validations": [{
            "rule": "isQuantity(self) && quantity(self).compareTo(quantity('1Mi')) >= 0",
            "message": "must be a quantity of at least 1Mi, such as 10Gi",
        }],
    })
}

/// Names of attributes, each once.
pub(crate) fn attribute_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": { "type": "string", "minLength": 1, "maxLength": 256 },
        "maxItems": 64,
        "x-kubernetes-list-type": "set",
    })
}

/// Labels, as Kubernetes has them.
pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": { "type": "string", "maxLength": 63 },
        "maxProperties": 64,
    })
}

/// Annotations, as Kubernetes has them.
pub(crate) fn annotations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": { "type": "string", "maxLength": 65536 },
        "maxProperties": 64,
    })
}

/// Names of Secrets.
pub(crate) fn secret_references(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": { "name": { "type": "string", "minLength": 1, "maxLength": 253, "description": "The Secret's name." } },
        },
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    })
}

/// Ports, each once.
pub(crate) fn ports(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": { "type": "integer", "format": "int32", "minimum": 1, "maximum": 65535 },
        "maxItems": 16,
        "x-kubernetes-list-type": "set",
    })
}

/// Peers, as a NetworkPolicy has them.
pub(crate) fn peers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "atomic",
        "items": {
            "type": "object",
            "properties": {
                "podSelector": selector("Pods by their labels: of the set's namespace, or of those that namespaceSelector selects."),
                "namespaceSelector": selector("Namespaces by their labels; all of them where it is empty."),
                "ipBlock": {
                    "type": "object",
                    "description": "Addresses.",
                    "required": ["cidr"],
                    "properties": {
                        "cidr": {
                            "type": "string", "maxLength": 64, "description": "A block of addresses, such as 10.0.0.0/8.",
                            "x-kubernetes-validations": [
                                { "rule": "isCIDR(self)", "message": "must be a block of addresses, such as 10.0.0.0/8" },
                            ],
                        },
                        "except": {
                            "type": "array", "maxItems": 16, "x-kubernetes-list-type": "set",
                            "description": "Blocks within it that are not meant.",
                            "items": {
                                "type": "string", "maxLength": 64,
                                "x-kubernetes-validations": [
                                    { "rule": "isCIDR(self)", "message": "must be a block of addresses, such as 10.0.0.0/8" },
                                ],
                            },
                        },
                    },
                    "x-kubernetes-validations": [{
                        "rule": "!has(self.except) || !isCIDR(self.cidr) || self.except.all(one, !isCIDR(one) || cidr(self.cidr).containsCIDR(one))",
                        "message": "except must lie within cidr",
                    }],
                },
            },
            "x-kubernetes-validations": [{
                "rule": "has(self.ipBlock) != (has(self.podSelector) || has(self.namespaceSelector))",
                "message": "a peer must have either ipBlock, or podSelector, namespaceSelector or both",
            }],
        },
    })
}

/// A label selector, as Kubernetes has it.
fn selector(description: &str) -> Schema {
    let expression = json_schema!({
        "type": "object",
        "required": ["key", "operator"],
        "properties": {
            "key": { "type": "string", "minLength": 1, "maxLength": 317, "description": "The label's name." },
            "operator": {
                "type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                "description": "What must hold of its value.",
            },
            "values": {
                "type": "array", "maxItems": 64, "x-kubernetes-list-type": "atomic",
                "items": { "type": "string", "maxLength": 63 },
                "description": "Values, for In and NotIn.",
            },
        },
    });
    json_schema!({
        "type": "object",
        "description": description,
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "type": "object", "maxProperties": 64,
                "additionalProperties": { "type": "string", "maxLength": 63 },
                "description": "Labels with these values, all of them.",
            },
            "matchExpressions": {
                "type": "array", "maxItems": 16, "x-kubernetes-list-type": "atomic",
                "items": expression,
                "description": "What else must hold of labels, all of it.",
            },
        },
    })
}

/// An object of Kubernetes' own, checked when it is used.
pub(crate) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// Objects of Kubernetes' own, checked when they are used.
pub(crate) fn any_objects(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
        "maxItems": 64,
        "x-kubernetes-list-type": "atomic",
    })
}

/// Conditions, with the limits that Kubernetes sets for its own.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "items": {
            "type": "object",
            "description": "One aspect of how things stand.",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "type": "string", "maxLength": 316, "description": "Which aspect.",
                    "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it is so." },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "Of which generation of the spec this speaks.",
                },
                "lastTransitionTime": { "type": "string", "format": "date-time", "description": "Since when it is so." },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024, "description": "Why, in one word.",
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": { "type": "string", "maxLength": 32768, "description": "Why, for people." },
            },
        },
    })
}
