//! A membership, inside of other messages, where its field is always called `membership`.
//!
//! ```text
//! Membership
//!   1: epoch (uint64)               at least 1
//!   2: shards (uint32)              1 to 1,000
//!   3: previous (uint32)            1 to 1,000
//!   4: phase (enum)                 1 = Stable, 2 = Moving
//!   5: routing (string)             what decides a stream's shard, as in a flag; empty where it is `streamID`
//!   6: previous_routing (string)    what decided it before; likewise
//! ```

use prost::Message;
use shardset_model::{self as model, InvalidMembership, Phase, RoutingKey};

use super::{Malformed, Twin};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Membership {
    #[prost(uint64, tag = "1")]
    epoch: u64,
    #[prost(uint32, tag = "2")]
    shards: u32,
    #[prost(uint32, tag = "3")]
    previous: u32,
    #[prost(uint32, tag = "4")]
    phase: u32,
    #[prost(string, tag = "5")]
    routing: String,
    #[prost(string, tag = "6")]
    previous_routing: String,
}

const STABLE: u32 = 1;
const MOVING: u32 = 2;

impl From<&model::Membership> for Membership {
    fn from(membership: &model::Membership) -> Self {
        Self {
            epoch: membership.epoch().get(),
            shards: membership.shards().get(),
            previous: membership.previous().get(),
            phase: match membership.phase() {
                Phase::Stable => STABLE,
                Phase::Moving => MOVING,
            },
            routing: routing_text(membership.routing()),
            previous_routing: routing_text(membership.previous_routing()),
        }
    }
}

impl Twin for Membership {
    type Noun = model::Membership;

    fn read(self) -> Result<model::Membership, Malformed> {
        let phase = match self.phase {
            STABLE => Phase::Stable,
            MOVING => Phase::Moving,
            _ => return Err(Malformed::Field { field: "membership.phase", expected: "Stable or Moving" }),
        };
        let membership = model::Membership::new(self.epoch, self.shards, self.previous, phase)
            .map_err(|source| Malformed::Membership { field: self.culprit(source), source })?;
        let routing = routing(&self.routing, "membership.routing")?;
        Ok(membership.routed_by(routing, self::routing(&self.previous_routing, "membership.previous_routing")?))
    }
}

impl Membership {
    /// The field that broke the rule. Of the two counts the first is checked first.
    const fn culprit(&self, rule: InvalidMembership) -> &'static str {
        match rule {
            InvalidMembership::Epoch => "membership.epoch",
            InvalidMembership::Shards(count) if count == self.shards => "membership.shards",
            InvalidMembership::Shards(_) => "membership.previous",
        }
    }
}

fn routing(text: &str, field: &'static str) -> Result<RoutingKey, Malformed> {
    if text.is_empty() {
        return Ok(RoutingKey::StreamId);
    }
    text.parse().map_err(|source| Malformed::Routing { field, source })
}

fn routing_text(routing: &RoutingKey) -> String {
    if *routing == RoutingKey::StreamId { String::new() } else { routing.to_string() }
}

#[cfg(test)]
mod tests {
    use shardset_model::{Membership, Phase, RoutingKey};

    use super::Twin;

    fn moving() -> super::Membership {
        (&Membership::new(300, 5, 3, Phase::Moving).unwrap()).into()
    }

    #[test]
    fn the_bytes_of_a_membership_are_these() {
        assert_eq!(super::super::encode(&moving()).as_ref(), [0x08, 0xac, 0x02, 0x10, 5, 0x18, 3, 0x20, 2]);
        let stable = Membership::new(1, 1, 1, Phase::Stable).unwrap();
        let by_metric = super::Membership::from(&stable.routed_by(RoutingKey::Metric, RoutingKey::Service));
        let expected = b"\x08\x01\x10\x01\x18\x01\x20\x01\x2a\x06metric\x32\x07service";
        assert_eq!(super::super::encode(&by_metric).as_ref(), expected);
    }

    #[test]
    fn what_is_no_membership_names_the_field() {
        let cases = [
            (super::Membership { epoch: 0, ..moving() }, "membership.epoch is wrong: the epoch must be at least 1"),
            (super::Membership { shards: 0, previous: 0, ..moving() }, "membership.shards is wrong: 0 is no number"),
            (super::Membership { previous: 1001, ..moving() }, "membership.previous is wrong: 1001 is no number"),
            (super::Membership { phase: 0, ..moving() }, "membership.phase is missing or is not Stable or Moving"),
            (super::Membership { routing: "x".into(), ..moving() }, "membership.routing is wrong: `x` is no routing"),
            (
                super::Membership { previous_routing: "attributes:".into(), ..moving() },
                "membership.previous_routing is wrong: the routing key attributes needs names",
            ),
        ];
        for (wrong, expected) in cases {
            let words = wrong.clone().read().unwrap_err().in_words();
            assert!(words.contains(expected), "{wrong:?}: {words}");
        }
    }
}
