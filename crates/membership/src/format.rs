//! A record as the text of a file.
//!
//! ```json
//! {
//!   "format": 1,
//!   "epoch": 42, "shards": 5, "previousShards": 3, "phase": "Moving",
//!   "routing": "streamID", "previousRouting": "streamID",
//!   "publishedUnixMs": 1700000000000,
//!   "workers": [{"shard": 0, "address": "10.1.2.3:4317", "uid": "0f5c"}, ...]
//! }
//! ```
//!
//! | key | value | where it is left out |
//! | --- | --- | --- |
//! | `format` | 1; any other is refused, since its meaning is not known here | refused |
//! | `epoch` | a whole number, at least 1 | refused |
//! | `shards` | 1 to 1000 | refused |
//! | `phase` | `Stable` or `Moving` | refused |
//! | `previousShards` | 1 to 1000: the count before | `shards`; refused while `Moving` |
//! | `routing` | a routing key, as in a flag | `streamID` |
//! | `previousRouting` | the routing key before | `routing`; refused while `Moving` |
//! | `publishedUnixMs` | when it was published, in milliseconds since 1970 | not known |
//! | `workers` | one for each shard; `uid` may be left out | refused |
//!
//! Other keys are ignored, so that a later version may add some. The annotations of the EndpointSlice have these names,
//! written as Kubernetes does (`previous-shards`).

use serde::Serialize;
use serde_json::{Map, Value};
use shardset_model::{InvalidMembership, InvalidRoutingKey, Membership, Phase, RoutingKey, UnixMillis};
use thiserror::Error;

use crate::{InvalidAddress, InvalidRecord, Record, WorkerAt};

const FORMAT: u64 = 1;

/// Why a text is no record.
#[derive(Debug, Error)]
pub enum BadText {
    /// It is not even JSON.
    #[error("it is no JSON object")]
    Json(#[from] serde_json::Error),
    /// A later version wrote it.
    #[error(
        "`format` is {0}, and this version reads only {FORMAT}: run the version that wrote it, or write format {FORMAT}"
    )]
    Format(u64),
    /// A key is missing or its value is not what it should be.
    #[error("`{key}` is missing or is not {expected}")]
    Key {
        /// Which.
        key: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A routing key is none.
    #[error("`{key}` is wrong")]
    Routing {
        /// Which.
        key: &'static str,
        /// Why.
        source: InvalidRoutingKey,
    },
    /// The place of a worker is none.
    #[error("`workers[{position}].address` is wrong")]
    Address {
        /// Which, from 0.
        position: usize,
        /// Why.
        source: InvalidAddress,
    },
    /// `epoch`, `shards` or `previousShards` is out of range.
    #[error(transparent)]
    Membership(#[from] InvalidMembership),
    /// The workers do not make a record.
    #[error("`workers` is wrong")]
    Workers(#[from] InvalidRecord),
}

/// The record in this text.
///
/// # Errors
///
/// The first thing that is wrong, with its key.
pub fn from_json(text: &[u8]) -> Result<Record, BadText> {
    let object: Map<String, Value> = serde_json::from_slice(text)?;
    let keys = Keys { object: &object, within: String::new() };
    match keys.number("format")? {
        FORMAT => {}
        other => return Err(BadText::Format(other)),
    }
    let record = Record::new(membership(&keys)?, workers(&keys)?)?;
    Ok(match keys.optional("publishedUnixMs", "a whole number of milliseconds", Value::as_i64)? {
        Some(time) => record.published_at(UnixMillis(time)),
        None => record,
    })
}

fn membership(keys: &Keys<'_>) -> Result<Membership, BadText> {
    let phase = match keys.text("phase", "Stable or Moving")? {
        "Stable" => Phase::Stable,
        "Moving" => Phase::Moving,
        _ => return Err(keys.wrong("phase", "Stable or Moving")),
    };
    let shards = keys.count("shards")?;
    let routing = keys.routing("routing")?.unwrap_or_default();
    let (previous, previous_routing) = match phase {
        Phase::Stable => (keys.optional_count("previousShards")?, keys.routing("previousRouting")?),
        Phase::Moving => (Some(keys.count("previousShards")?), Some(keys.needed_routing("previousRouting")?)),
    };
    let membership = Membership::new(keys.number("epoch")?, shards, previous.unwrap_or(shards), phase)?;
    let previous_routing = previous_routing.unwrap_or_else(|| routing.clone());
    Ok(membership.routed_by(routing, previous_routing))
}

fn workers(keys: &Keys<'_>) -> Result<Vec<WorkerAt>, BadText> {
    let expected = "a list of workers, each {\"shard\": 0, \"address\": \"host:port\"}";
    let listed = keys.object.get("workers").and_then(Value::as_array).ok_or_else(|| keys.wrong("workers", expected))?;
    listed.iter().enumerate().map(|(position, worker)| worker_at(position, worker)).collect()
}

fn worker_at(position: usize, worker: &Value) -> Result<WorkerAt, BadText> {
    let within = format!("workers[{position}]");
    let Some(object) = worker.as_object() else {
        return Err(BadText::Key { key: within, expected: "{\"shard\": 0, \"address\": \"host:port\"}" });
    };
    let keys = Keys { object, within: format!("{within}.") };
    let address = keys.text("address", "a host and a port")?.parse();
    Ok(WorkerAt {
        shard: keys.count("shard")?,
        address: address.map_err(|source| BadText::Address { position, source })?,
        uid: keys.optional("uid", "a text", |value| value.as_str().map(Box::from))?,
    })
}

/// The keys of one object, read so that what is wrong is named.
struct Keys<'a> {
    object: &'a Map<String, Value>,
    within: String,
}

impl<'a> Keys<'a> {
    fn wrong(&self, key: &str, expected: &'static str) -> BadText {
        BadText::Key { key: format!("{}{key}", self.within), expected }
    }

    fn optional<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, BadText> {
        let read = |value| read(value).ok_or_else(|| self.wrong(key, expected));
        self.object.get(key).map(read).transpose()
    }

    fn text(&self, key: &str, expected: &'static str) -> Result<&'a str, BadText> {
        self.optional(key, expected, Value::as_str)?.ok_or_else(|| self.wrong(key, expected))
    }

    fn number(&self, key: &str) -> Result<u64, BadText> {
        let expected = "a whole number";
        self.optional(key, expected, Value::as_u64)?.ok_or_else(|| self.wrong(key, expected))
    }

    fn optional_count(&self, key: &str) -> Result<Option<u32>, BadText> {
        self.optional(key, "a whole number", |value| u32::try_from(value.as_u64()?).ok())
    }

    fn count(&self, key: &str) -> Result<u32, BadText> {
        self.optional_count(key)?.ok_or_else(|| self.wrong(key, "a whole number"))
    }

    fn routing(&self, key: &'static str) -> Result<Option<RoutingKey>, BadText> {
        let text = self.optional(key, ROUTING, Value::as_str)?;
        text.map(str::parse).transpose().map_err(|source| BadText::Routing { key, source })
    }

    fn needed_routing(&self, key: &'static str) -> Result<RoutingKey, BadText> {
        self.routing(key)?.ok_or_else(|| self.wrong(key, ROUTING))
    }
}

const ROUTING: &str = "a routing key, such as streamID";

/// The text of this record. Reads back as the same.
pub fn to_json(record: &Record) -> String {
    let membership = record.membership();
    let text = Text {
        format: FORMAT,
        epoch: membership.epoch().get(),
        shards: membership.shards().get(),
        previous_shards: membership.previous().get(),
        phase: match membership.phase() {
            Phase::Stable => "Stable",
            Phase::Moving => "Moving",
        },
        routing: membership.routing().to_string(),
        previous_routing: membership.previous_routing().to_string(),
        published_unix_ms: record.published().map(|time| time.0),
        workers: record.workers().iter().map(TextWorker::from).collect(),
    };
    let json = serde_json::to_string_pretty(&text).expect("numbers and texts under fixed keys are always JSON");
    json + "\n"
}

/// The format's twin of the record, in the order of the keys.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Text<'a> {
    format: u64,
    epoch: u64,
    shards: u32,
    previous_shards: u32,
    phase: &'static str,
    routing: String,
    previous_routing: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    published_unix_ms: Option<i64>,
    workers: Vec<TextWorker<'a>>,
}

#[derive(Serialize)]
struct TextWorker<'a> {
    shard: u32,
    address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
}

impl<'a> From<&'a WorkerAt> for TextWorker<'a> {
    fn from(worker: &'a WorkerAt) -> Self {
        Self { shard: worker.shard, address: worker.address.as_str(), uid: worker.uid.as_deref() }
    }
}

#[cfg(test)]
mod tests;
