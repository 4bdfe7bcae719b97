//! The sender's membership, as metadata of each request from gateway to worker.
//!
//! | key | value |
//! | --- | --- |
//! | `shardset-epoch` | the epoch, decimal, at least 1 |
//! | `shardset-shards` | the number of shards, decimal |
//! | `shardset-previous` | the number of shards before, decimal |
//! | `shardset-phase` | `Stable` or `Moving` |
//! | `shardset-routing` | what decides a stream's shard, as in a flag; not sent where it is `streamID` |
//! | `shardset-previous-routing` | what decided it before; likewise |
//! | `shardset-to` | the shard that the request is for, decimal: its worker's address may be another worker's by now |
//!
//! For which set it is stands beside these ([`crate::set`]). Every answer, an error or not, has
//!
//! | key | value |
//! | --- | --- |
//! | `shardset-from` | the shard whose worker answers, decimal |
//!
//! so that a gateway takes nobody else's word: a worker's former address may by now be that of a collector, which would take the points, too.
//!
//! A request without `shardset-epoch` comes from somebody who knows of no membership (a stock collector, an SDK).

use shardset_model::{InvalidMembership, InvalidRoutingKey, Membership, Phase, RoutingKey, ShardIndex};
use thiserror::Error;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

const EPOCH: &str = "shardset-epoch";
const SHARDS: &str = "shardset-shards";
const PREVIOUS: &str = "shardset-previous";
const PHASE: &str = "shardset-phase";
const ROUTING: &str = "shardset-routing";
const PREVIOUS_ROUTING: &str = "shardset-previous-routing";
const TO: &str = "shardset-to";
/// Says in an answer whose it is.
pub(crate) const FROM: &str = "shardset-from";

/// Why metadata names no membership although it names an epoch.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BadMembership {
    /// A key is missing, or its value is not what it should be.
    #[error("the request metadata {key} is missing or is not {expected}")]
    Key {
        /// Which.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The numbers make no membership.
    #[error(transparent)]
    Invalid(#[from] InvalidMembership),
    /// A routing key is none.
    #[error(transparent)]
    Routing(#[from] InvalidRoutingKey),
}

/// Writes `membership` into the metadata of a request or a status.
pub fn write(membership: &Membership, metadata: &mut MetadataMap) {
    metadata.insert(EPOCH, MetadataValue::<Ascii>::from(membership.epoch().get()));
    metadata.insert(SHARDS, MetadataValue::<Ascii>::from(membership.shards().get()));
    metadata.insert(PREVIOUS, MetadataValue::<Ascii>::from(membership.previous().get()));
    metadata.insert(PHASE, MetadataValue::from_static(phase_name(membership.phase())));
    write_routing(ROUTING, membership.routing(), metadata);
    write_routing(PREVIOUS_ROUTING, membership.previous_routing(), metadata);
}

fn write_routing(name: &'static str, routing: &RoutingKey, metadata: &mut MetadataMap) {
    if *routing != RoutingKey::StreamId {
        let value = routing.to_string().parse().expect("a routing key is written in visible ASCII");
        metadata.insert(name, value);
    }
}

/// Reads the membership that a request (or the refusal of one) was sent with; `None` where it names no epoch.
///
/// # Errors
///
/// The first key that is missing beside the epoch, or that breaks a membership's rules.
pub fn read(metadata: &MetadataMap) -> Result<Option<Membership>, BadMembership> {
    if !metadata.contains_key(EPOCH) {
        return Ok(None);
    }
    let phase = match text(metadata, PHASE) {
        Some("Stable") => Phase::Stable,
        Some("Moving") => Phase::Moving,
        _ => return Err(BadMembership::Key { key: PHASE, expected: "Stable or Moving" }),
    };
    let membership =
        Membership::new(number(metadata, EPOCH)?, number(metadata, SHARDS)?, number(metadata, PREVIOUS)?, phase)?;
    Ok(Some(membership.routed_by(routing(metadata, ROUTING)?, routing(metadata, PREVIOUS_ROUTING)?)))
}

/// Writes for which shard a request is.
pub fn write_to(shard: ShardIndex, metadata: &mut MetadataMap) {
    metadata.insert(TO, MetadataValue::<Ascii>::from(shard.get()));
}

/// Reads for which shard a request is; `None` where it does not say.
///
/// # Errors
///
/// It is no number.
pub fn read_to(metadata: &MetadataMap) -> Result<Option<u32>, BadMembership> {
    if metadata.contains_key(TO) { number(metadata, TO).map(Some) } else { Ok(None) }
}

/// Whether an answer with this metadata is of this shard's worker.
pub fn is_from(shard: ShardIndex, metadata: &MetadataMap) -> bool {
    number(metadata, FROM).is_ok_and(|from: u32| from == shard.get())
}

fn routing(metadata: &MetadataMap, name: &'static str) -> Result<RoutingKey, BadMembership> {
    match text(metadata, name) {
        Some(key) => Ok(key.parse()?),
        None => Ok(RoutingKey::default()),
    }
}

const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Stable => "Stable",
        Phase::Moving => "Moving",
    }
}

fn text<'a>(metadata: &'a MetadataMap, key: &'static str) -> Option<&'a str> {
    metadata.get(key)?.to_str().ok()
}

fn number<T: std::str::FromStr>(metadata: &MetadataMap, key: &'static str) -> Result<T, BadMembership> {
    text(metadata, key)
        .and_then(|value| value.parse().ok())
        .ok_or(BadMembership::Key { key, expected: "a decimal number" })
}

#[cfg(test)]
mod tests {
    use shardset_model::{Membership, Phase, RoutingKey};
    use tonic::metadata::MetadataMap;

    use super::{BadMembership, EPOCH, PHASE, TO, read, read_to, write, write_to};

    fn moving() -> Membership {
        Membership::new(42, 5, 3, Phase::Moving).expect("a valid membership")
    }

    #[test]
    fn a_membership_survives_the_hop() {
        let mut metadata = MetadataMap::new();
        write(&moving(), &mut metadata);
        assert_eq!(read(&metadata), Ok(Some(moving())));
        let by_resource = moving().routed_by(RoutingKey::Resource, "attributes:a%2Cb,ü".parse().expect("a key"));
        write(&by_resource, &mut metadata);
        assert_eq!(read(&metadata), Ok(Some(by_resource)));
    }

    #[test]
    fn a_request_says_for_which_shard_it_is() {
        let mut metadata = MetadataMap::new();
        assert_eq!(read_to(&metadata), Ok(None));
        write_to(moving().shards().shard(4).expect("there are five"), &mut metadata);
        assert_eq!(read_to(&metadata), Ok(Some(4)));
        metadata.insert(TO, "four".parse().expect("ascii"));
        assert_eq!(read_to(&metadata), Err(BadMembership::Key { key: TO, expected: "a decimal number" }));
    }

    #[test]
    fn a_request_of_a_stock_client_names_no_membership() {
        assert_eq!(read(&MetadataMap::new()), Ok(None));
    }

    #[test]
    fn half_a_membership_is_an_error_that_names_the_key() {
        let mut metadata = MetadataMap::new();
        write(&moving(), &mut metadata);
        metadata.remove(PHASE);
        assert_eq!(read(&metadata), Err(BadMembership::Key { key: PHASE, expected: "Stable or Moving" }));
        write(&moving(), &mut metadata);
        metadata.insert(EPOCH, "seven".parse().expect("ascii"));
        assert_eq!(read(&metadata), Err(BadMembership::Key { key: EPOCH, expected: "a decimal number" }));
    }
}
