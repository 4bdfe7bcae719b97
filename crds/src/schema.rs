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
