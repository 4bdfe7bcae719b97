//! `Control.Adopt`: the coordinator tells a worker the membership, and where all workers are. Answered with a `Report`.
//!
//! ```text
//! Adopt
//!   1: incarnation (bytes)              of the worker that it is for
//!   2: membership (Membership)
//!   3: incarnations (repeated)          of all disks that the coordinator knows
//!        1: shard (uint32)
//!        2: incarnation (bytes)
//!   4: addresses (repeated)             of all workers, members or not, so that they reach each other
//!        1: shard (uint32)
//!        2: address (string)            host:port, as in a URL
//! ```

use http::uri::Authority;
use prost::Message;
use shardset_handoff as handoff;
use shardset_model::{Incarnation, ShardIndex};

use super::membership::Membership;
use super::{Malformed, Twin, field};

/// What a coordinator tells a worker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdoptRequest {
    /// The membership.
    pub adopt: handoff::Adopt,
    /// Where the workers are: `host:port`, fit for a URL.
    pub addresses: Vec<(ShardIndex, String)>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Adopt {
    #[prost(bytes = "vec", tag = "1")]
    incarnation: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    membership: Option<Membership>,
    #[prost(message, repeated, tag = "3")]
    incarnations: Vec<Known>,
    #[prost(message, repeated, tag = "4")]
    addresses: Vec<At>,
}

#[derive(Clone, PartialEq, Message)]
struct Known {
    #[prost(uint32, tag = "1")]
    shard: u32,
    #[prost(bytes = "vec", tag = "2")]
    incarnation: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct At {
    #[prost(uint32, tag = "1")]
    shard: u32,
    #[prost(string, tag = "2")]
    address: String,
}

impl From<AdoptRequest> for Adopt {
    fn from(AdoptRequest { adopt, addresses }: AdoptRequest) -> Self {
        let known = |(shard, incarnation): (ShardIndex, Incarnation)| Known {
            shard: shard.get(),
            incarnation: field::incarnation_bytes(incarnation),
        };
        Self {
            incarnation: field::incarnation_bytes(adopt.incarnation),
            membership: Some((&adopt.membership).into()),
            incarnations: adopt.incarnations.into_iter().map(known).collect(),
            addresses: addresses.into_iter().map(|(shard, address)| At { shard: shard.get(), address }).collect(),
        }
    }
}

impl Twin for Adopt {
    type Noun = AdoptRequest;

    fn read(self) -> Result<AdoptRequest, Malformed> {
        let adopt = handoff::Adopt {
            incarnation: field::incarnation(&self.incarnation, "incarnation")?,
            membership: field::required(self.membership, "membership")?.read()?,
            incarnations: self.incarnations.into_iter().map(Known::read).collect::<Result<_, _>>()?,
        };
        Ok(AdoptRequest { adopt, addresses: self.addresses.into_iter().map(At::read).collect::<Result<_, _>>()? })
    }
}

impl Known {
    fn read(self) -> Result<(ShardIndex, Incarnation), Malformed> {
        let shard = field::shard(self.shard, "incarnations.shard")?;
        Ok((shard, field::incarnation(&self.incarnation, "incarnations.incarnation")?))
    }
}

impl At {
    fn read(self) -> Result<(ShardIndex, String), Malformed> {
        let shard = field::shard(self.shard, "addresses.shard")?;
        if !is_address(&self.address) {
            return Err(Malformed::Field { field: "addresses.address", expected: "a host and a port" });
        }
        Ok((shard, self.address))
    }
}

fn is_address(text: &str) -> bool {
    let authority = text.parse::<Authority>().ok().filter(|authority| !authority.host().is_empty());
    authority.and_then(|authority| authority.port_u16()).is_some_and(|port| port > 0) && !text.contains('@')
}

#[cfg(test)]
mod tests {
    use super::super::tests::{incarnation, membership, shard};
    use super::super::{Twin, encode};
    use super::{Adopt, AdoptRequest, At, Known, handoff};

    fn request() -> AdoptRequest {
        let incarnations = vec![(shard(0), incarnation(1)), (shard(4), incarnation(9))];
        let adopt = handoff::Adopt { incarnation: incarnation(9), membership: membership(), incarnations };
        AdoptRequest { adopt, addresses: vec![(shard(4), "[::1]:4317".into())] }
    }

    #[test]
    fn the_bytes_of_an_adopt_request_are_these() {
        let mut expected = b"\x0a\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09".to_vec();
        expected.extend(b"\x12\x08\x08\x07\x10\x05\x18\x03\x20\x02");
        expected.extend(b"\x1a\x12\x12\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01");
        expected.extend(b"\x1a\x14\x08\x04\x12\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09");
        expected.extend(b"\x22\x0e\x08\x04\x12\x0a[::1]:4317");
        assert_eq!(encode(&Adopt::from(request())), expected);
    }

    #[test]
    fn what_is_no_adopt_request_names_the_field() {
        let good = || Adopt::from(request());
        let known = |shard, incarnation| vec![Known { shard, incarnation }];
        let at = |shard, address: &str| vec![At { shard, address: address.into() }];
        let cases = [
            ("incarnation", Adopt { incarnation: vec![0; 16], ..good() }),
            ("membership", Adopt { membership: None, ..good() }),
            ("incarnations.shard", Adopt { incarnations: known(1000, vec![1; 16]), ..good() }),
            ("incarnations.incarnation", Adopt { incarnations: known(0, vec![]), ..good() }),
            ("addresses.shard", Adopt { addresses: at(1000, "a:1"), ..good() }),
            ("addresses.address", Adopt { addresses: at(0, ""), ..good() }),
        ];
        for (field, wrong) in cases {
            let words = wrong.read().unwrap_err().in_words();
            assert!(words.contains(&format!("the field {field} is")), "{field}: {words}");
        }
    }

    #[test]
    fn an_address_is_fit_for_a_url() {
        for good in ["10.1.2.3:4317", "[fd00::1]:1", "worker-0.workers:65535", "a_b.c:80"] {
            assert!(super::is_address(good), "{good}");
        }
        for wrong in ["", "host", ":4317", "host:", "host:0", "host:65536", "a/b:80", "http://a:80", "u@a:80", "a b:80"]
        {
            assert!(!super::is_address(wrong), "{wrong}");
        }
    }
}
