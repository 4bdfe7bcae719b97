//! The protocol's records in a journal, and the items of a chunk, as bytes.
//!
//! Records stand among the changes of streams (`shardset_accumulate::Change`), whose tags are below 32. All integers are
//! little-endian; a routing key is a `u16` length and its text.
//!
//! | record | `u8` | then |
//! | --- | --- | --- |
//! | standing | 32 | `u8` 1 and membership, or 0; latest `u64`; `u32` *n*; *n* times: from `u32`, sender (16 bytes), through `u64`, completed `u8`. What a checkpoint holds of the protocol |
//! | adopted | 33 | membership |
//! | received | 34 | from `u32`, sender (16 bytes), through `u64` |
//! | completed | 35 | from `u32`, sender (16 bytes) |
//! | stamped | 36 | latest `u64`: no sample was told after this time, in ms, two's complement |
//! | sends | 37 | to `u32`, receiver (16 bytes): the life of its disk to which streams are sent first in a move |
//!
//! Membership: epoch `u64`, shards `u32`, previous `u32`, phase `u8` (0 stable, 1 moving), routing key, previous routing key.
//!
//! A chunk's items, one after another:
//!
//! | item | `u8` | then |
//! | --- | --- | --- |
//! | stream | 1 | `u32` length, and so many bytes as `Streams::encode_stream` writes |
//! | remains | 2 | stream id (16 bytes), floor `u64` (ns), since `u32` (s) |

use shardset_model::{
    Incarnation, InvalidMembership, InvalidRoutingKey, Membership, Phase, RoutingKey, ShardCount, ShardIndex, StreamId,
    UnixMillis, UnixNanos,
};
use thiserror::Error;

/// The first tag that is no change of a stream.
pub(crate) const FIRST_TAG: u8 = 32;

/// Why bytes are no record, or no items.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BadRecord {
    /// They end too early.
    #[error("a record of the handoff is cut off")]
    Truncated,
    /// A tag or a flag has no meaning.
    #[error("{0} is no tag of a record of the handoff")]
    Tag(u8),
    /// A number is no shard.
    #[error("{0} is no shard")]
    Shard(u32),
    /// An incarnation is never 0.
    #[error("0 is no incarnation")]
    Incarnation,
    /// A membership breaks a rule.
    #[error(transparent)]
    Membership(#[from] InvalidMembership),
    /// A routing key is none.
    #[error(transparent)]
    Routing(#[from] InvalidRoutingKey),
    /// A change of a stream.
    #[error(transparent)]
    Stream(#[from] shardset_accumulate::Corrupt),
}

/// A record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Record {
    Standing { membership: Option<Membership>, latest: UnixMillis, received: Vec<(ShardIndex, Received)> },
    Adopted { membership: Membership },
    Received { from: ShardIndex, sender: Incarnation, through: u64 },
    Completed { from: ShardIndex, sender: Incarnation },
    Stamped { latest: UnixMillis },
    Sends { to: ShardIndex, receiver: Incarnation },
}

/// What a receiver has of one sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Received {
    pub(crate) sender: Incarnation,
    pub(crate) through: u64,
    pub(crate) completed: bool,
}

/// An item of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Item<'a> {
    Stream(&'a [u8]),
    Remains { stream: StreamId, floor: UnixNanos, since: u32 },
}

impl Record {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Standing { membership, latest, received } => {
                out.push(32);
                out.push(u8::from(membership.is_some()));
                membership.iter().for_each(|membership| write_membership(membership, out));
                out.extend(latest.0.to_le_bytes());
                out.extend((received.len() as u32).to_le_bytes());
                for (from, received) in received {
                    write_life(*from, received.sender, out);
                    out.extend(received.through.to_le_bytes());
                    out.push(u8::from(received.completed));
                }
            }
            Self::Adopted { membership } => {
                out.push(33);
                write_membership(membership, out);
            }
            Self::Received { from, sender, through } => {
                out.push(34);
                write_life(*from, *sender, out);
                out.extend(through.to_le_bytes());
            }
            Self::Completed { from, sender } => {
                out.push(35);
                write_life(*from, *sender, out);
            }
            Self::Stamped { latest } => {
                out.push(36);
                out.extend(latest.0.to_le_bytes());
            }
            Self::Sends { to, receiver } => {
                out.push(37);
                write_life(*to, *receiver, out);
            }
        }
    }

    /// The record that `bytes` begin with, and what stands after it.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, &[u8]), BadRecord> {
        let mut reader = Reader(bytes);
        let record = match reader.byte()? {
            32 => {
                let membership = if reader.flag()? { Some(reader.membership()?) } else { None };
                let latest = UnixMillis(reader.u64()? as i64);
                let number = reader.u32()?;
                let received = (0..number).map(|_| reader.received()).collect::<Result<_, _>>()?;
                Self::Standing { membership, latest, received }
            }
            33 => Self::Adopted { membership: reader.membership()? },
            34 => Self::Received { from: reader.shard()?, sender: reader.incarnation()?, through: reader.u64()? },
            35 => Self::Completed { from: reader.shard()?, sender: reader.incarnation()? },
            36 => Self::Stamped { latest: UnixMillis(reader.u64()? as i64) },
            37 => Self::Sends { to: reader.shard()?, receiver: reader.incarnation()? },
            tag => return Err(BadRecord::Tag(tag)),
        };
        Ok((record, reader.0))
    }
}

impl Item<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Stream(encoded) => {
                out.push(1);
                out.extend((encoded.len() as u32).to_le_bytes());
                out.extend_from_slice(encoded);
            }
            Self::Remains { stream, floor, since } => {
                out.push(2);
                out.extend(stream.digest().to_le_bytes());
                out.extend(floor.0.to_le_bytes());
                out.extend(since.to_le_bytes());
            }
        }
    }
}

/// The items of a chunk; ends after the first that is none.
pub(crate) fn items(bytes: &[u8]) -> impl Iterator<Item = Result<Item<'_>, BadRecord>> {
    let mut reader = Reader(bytes);
    std::iter::from_fn(move || {
        if reader.0.is_empty() {
            return None;
        }
        let item = reader.item();
        if item.is_err() {
            reader = Reader(&[]);
        }
        Some(item)
    })
}

fn write_membership(membership: &Membership, out: &mut Vec<u8>) {
    out.extend(membership.epoch().get().to_le_bytes());
    out.extend(membership.shards().get().to_le_bytes());
    out.extend(membership.previous().get().to_le_bytes());
    out.push(u8::from(membership.phase() == Phase::Moving));
    for routing in [membership.routing(), membership.previous_routing()] {
        let text = routing.to_string();
        out.extend((text.len() as u16).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
}

fn write_life(shard: ShardIndex, incarnation: Incarnation, out: &mut Vec<u8>) {
    out.extend(shard.get().to_le_bytes());
    out.extend(incarnation.get().to_le_bytes());
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], BadRecord> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(BadRecord::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadRecord> {
        Ok(self.take(N)?.try_into().expect("as many bytes as asked for"))
    }

    fn byte(&mut self) -> Result<u8, BadRecord> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Result<bool, BadRecord> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(BadRecord::Tag(other)),
        }
    }

    fn u32(&mut self) -> Result<u32, BadRecord> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, BadRecord> {
        self.array().map(u64::from_le_bytes)
    }

    fn shard(&mut self) -> Result<ShardIndex, BadRecord> {
        let number = self.u32()?;
        ShardCount::new(ShardCount::MAX).and_then(|all| all.shard(number)).ok_or(BadRecord::Shard(number))
    }

    fn incarnation(&mut self) -> Result<Incarnation, BadRecord> {
        Incarnation::new(u128::from_le_bytes(self.array()?)).ok_or(BadRecord::Incarnation)
    }

    fn routing(&mut self) -> Result<RoutingKey, BadRecord> {
        let length = u16::from_le_bytes(self.array()?);
        let text = String::from_utf8_lossy(self.take(usize::from(length))?);
        Ok(text.parse()?)
    }

    fn membership(&mut self) -> Result<Membership, BadRecord> {
        let (epoch, shards, previous) = (self.u64()?, self.u32()?, self.u32()?);
        let phase = if self.flag()? { Phase::Moving } else { Phase::Stable };
        let membership = Membership::new(epoch, shards, previous, phase)?;
        Ok(membership.routed_by(self.routing()?, self.routing()?))
    }

    fn received(&mut self) -> Result<(ShardIndex, Received), BadRecord> {
        let (from, sender) = (self.shard()?, self.incarnation()?);
        Ok((from, Received { sender, through: self.u64()?, completed: self.flag()? }))
    }

    fn item(&mut self) -> Result<Item<'a>, BadRecord> {
        match self.byte()? {
            1 => {
                let length = self.u32()?;
                self.take(length as usize).map(Item::Stream)
            }
            2 => {
                let stream = StreamId::from_digest(u128::from_le_bytes(self.array()?));
                Ok(Item::Remains { stream, floor: UnixNanos(self.u64()?), since: self.u32()? })
            }
            tag => Err(BadRecord::Tag(tag)),
        }
    }
}

#[cfg(test)]
mod tests;
