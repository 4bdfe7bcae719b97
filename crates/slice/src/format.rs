//! A record as an EndpointSlice.
//!
//! | where | value | where it is left out |
//! | --- | --- | --- |
//! | annotation `shardset.dev/format` | 1; any other is refused, since its meaning is not known here | refused |
//! | `shardset.dev/epoch` | a whole number, at least 1 | refused |
//! | `shardset.dev/shards` | 1 to 1000, the most endpoints that a slice may have | refused |
//! | `shardset.dev/phase` | `Stable` or `Moving` | refused |
//! | `shardset.dev/previous-shards` | the count before | refused |
//! | `shardset.dev/routing` | a routing key, as in a flag | `streamID` |
//! | `shardset.dev/previous-routing` | the routing key before | `streamID` |
//! | `shardset.dev/published-unix-ms` | when this membership was published first, in milliseconds since 1970 | not known |
//! | `endpoints[].hostname` | the worker's pod, SET-worker-N | refused |
//! | `endpoints[].addresses[0]`, `ports[0].port` | where the worker takes points | refused |
//! | `endpoints[].targetRef.uid` | tells a new pod from an earlier one of that name | not known |
//! | `endpoints[].conditions`, `nodeName`, `zone` | for people | nothing |
//!
//! The annotations are those of the membership file, in the words of Kubernetes. Conditions are hints and never decide what a
//! worker owns.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::ParseIntError;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use shardset_membership::{Address, InvalidRecord, Record, WorkerAt};
use shardset_model::{InvalidMembership, InvalidRoutingKey, Membership, Phase, RoutingKey, UnixMillis};
use thiserror::Error;

use crate::names;

const FORMAT_VERSION: &str = "1";

const FORMAT: &str = "shardset.dev/format";
const EPOCH: &str = "shardset.dev/epoch";
const SHARDS: &str = "shardset.dev/shards";
const PREVIOUS_SHARDS: &str = "shardset.dev/previous-shards";
const PHASE: &str = "shardset.dev/phase";
const ROUTING: &str = "shardset.dev/routing";
const PREVIOUS_ROUTING: &str = "shardset.dev/previous-routing";
const PUBLISHED: &str = "shardset.dev/published-unix-ms";

/// Why a slice is no record.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BadSlice {
    /// A later version wrote it.
    #[error(
        "the annotation {FORMAT} is {0}, and this version reads only {FORMAT_VERSION}: run the version that wrote it"
    )]
    Format(Box<str>),
    /// An annotation is missing.
    #[error("the annotation {0} is missing")]
    Missing(&'static str),
    /// An annotation is no number.
    #[error("the annotation {annotation} is no whole number")]
    Number {
        /// Which.
        annotation: &'static str,
        /// Why.
        source: ParseIntError,
    },
    /// Neither `Stable` nor `Moving`.
    #[error("the annotation {PHASE} is {0}, and must be Stable or Moving")]
    Phase(Box<str>),
    /// A routing key is none.
    #[error("the annotation {annotation} is wrong")]
    Routing {
        /// Which.
        annotation: &'static str,
        /// Why.
        source: InvalidRoutingKey,
    },
    /// The numbers make no membership.
    #[error(transparent)]
    Membership(#[from] InvalidMembership),
    /// An endpoint can not be a worker.
    #[error("endpoints[{position}] is no worker: it must have a hostname {expected}, an IP address and a port")]
    Endpoint {
        /// Which, from 0.
        position: usize,
        /// What its hostname should look like.
        expected: String,
    },
    /// The workers do not make a record.
    #[error("the endpoints are wrong")]
    Workers(#[from] InvalidRecord),
}

impl BadSlice {
    /// The value of the label `reason` in metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Format(_) => "unknown_format",
            Self::Workers(InvalidRecord::Empty) => "empty",
            _ => "malformed",
        }
    }
}

/// The record in the slice of this set.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn read(set: &str, slice: &EndpointSlice) -> Result<Record, BadSlice> {
    let annotations = Annotations(slice.metadata.annotations.as_ref());
    match annotations.text(FORMAT)? {
        FORMAT_VERSION => {}
        other => return Err(BadSlice::Format(other.into())),
    }
    let workers = slice.endpoints.iter().enumerate();
    let workers = workers.map(|(position, endpoint)| {
        let bad = || BadSlice::Endpoint { position, expected: names::worker(set, 0) };
        worker_at(set, endpoint, port(slice)).ok_or_else(bad)
    });
    let record = Record::new(annotations.membership()?, workers.collect::<Result<_, _>>()?)?;
    Ok(match annotations.optional(PUBLISHED) {
        Some(text) => record.published_at(UnixMillis(number(PUBLISHED, text)?)),
        None => record,
    })
}

/// The port of a slice's endpoints.
pub(crate) fn port(slice: &EndpointSlice) -> Option<u16> {
    let port = slice.ports.iter().flatten().find(|port| port.name.as_deref() == Some("otlp"))?.port?;
    u16::try_from(port).ok()
}

/// The worker that an endpoint is.
pub(crate) fn worker_at(set: &str, endpoint: &Endpoint, port: Option<u16>) -> Option<WorkerAt> {
    let shard = names::shard_of(set, endpoint.hostname.as_deref()?)?;
    let ip: IpAddr = endpoint.addresses.first()?.parse().ok()?;
    let uid = endpoint.target_ref.as_ref().and_then(|pod| pod.uid.as_deref()).map(Box::from);
    Some(WorkerAt { shard, address: Address::from(std::net::SocketAddr::new(ip, port?)), uid })
}

struct Annotations<'a>(Option<&'a BTreeMap<String, String>>);

impl<'a> Annotations<'a> {
    fn optional(&self, name: &str) -> Option<&'a str> {
        self.0?.get(name).map(String::as_str)
    }

    fn text(&self, name: &'static str) -> Result<&'a str, BadSlice> {
        self.optional(name).ok_or(BadSlice::Missing(name))
    }

    fn membership(&self) -> Result<Membership, BadSlice> {
        let phase = match self.text(PHASE)? {
            "Stable" => Phase::Stable,
            "Moving" => Phase::Moving,
            other => return Err(BadSlice::Phase(other.into())),
        };
        let (shards, previous) = (self.number(SHARDS)?, self.number(PREVIOUS_SHARDS)?);
        let membership = Membership::new(self.number(EPOCH)?, shards, previous, phase)?;
        Ok(membership.routed_by(self.routing(ROUTING)?, self.routing(PREVIOUS_ROUTING)?))
    }

    fn number<T: std::str::FromStr<Err = ParseIntError>>(&self, name: &'static str) -> Result<T, BadSlice> {
        number(name, self.text(name)?)
    }

    fn routing(&self, annotation: &'static str) -> Result<RoutingKey, BadSlice> {
        let key = self.optional(annotation).map_or(Ok(RoutingKey::default()), str::parse);
        key.map_err(|source| BadSlice::Routing { annotation, source })
    }
}

fn number<T: std::str::FromStr<Err = ParseIntError>>(annotation: &'static str, text: &str) -> Result<T, BadSlice> {
    text.parse().map_err(|source| BadSlice::Number { annotation, source })
}

/// The slice of this record. `endpoint` says the rest about a worker; what a record has is written over it. Its name and
/// namespace, owner and version are the caller's to add.
pub fn write(set: &str, record: &Record, endpoint: impl Fn(&WorkerAt) -> Endpoint) -> EndpointSlice {
    let family = if record.workers().iter().any(|worker| ip(worker).contains(':')) { "IPv6" } else { "IPv4" };
    let endpoints = record.workers().iter().map(|worker| Endpoint {
        addresses: vec![ip(worker).to_owned()],
        hostname: Some(names::worker(set, worker.shard)),
        ..endpoint(worker)
    });
    EndpointSlice {
        metadata: ObjectMeta {
            annotations: Some(annotations(record)),
            labels: Some(labels(set)),
            ..ObjectMeta::default()
        },
        address_type: family.to_owned(),
        endpoints: endpoints.collect(),
        ports: Some(vec![EndpointPort {
            name: Some("otlp".to_owned()),
            port: Some(names::WORKER_PORT.into()),
            protocol: Some("TCP".to_owned()),
            ..EndpointPort::default()
        }]),
    }
}

fn labels(set: &str) -> BTreeMap<String, String> {
    [names::MANAGED_BY, (names::HEADLESS, ""), (names::SET, set)]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}

fn annotations(record: &Record) -> BTreeMap<String, String> {
    let membership = record.membership();
    let phase = match membership.phase() {
        Phase::Stable => "Stable",
        Phase::Moving => "Moving",
    };
    let texts = [
        (FORMAT, FORMAT_VERSION.to_owned()),
        (EPOCH, membership.epoch().get().to_string()),
        (SHARDS, membership.shards().to_string()),
        (PREVIOUS_SHARDS, membership.previous().to_string()),
        (PHASE, phase.to_owned()),
        (ROUTING, membership.routing().to_string()),
        (PREVIOUS_ROUTING, membership.previous_routing().to_string()),
    ];
    let published = record.published().map(|time| (PUBLISHED, time.0.to_string()));
    texts.into_iter().chain(published).map(|(name, text)| (name.to_owned(), text)).collect()
}

/// The host of a worker's address, as an address of a slice.
fn ip(worker: &WorkerAt) -> &str {
    let (host, _port) = worker.address.as_str().rsplit_once(':').expect("an address has a port");
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests;
