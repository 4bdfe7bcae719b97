//! The messages of `shardset.v1`: what the coordinator and the workers say to each other, as protobuf.
//!
//! The nouns are those of `shardset_handoff`; each has a private twin with the fields of the format, so that a rename there
//! changes nothing here. Fields are checked once, when a message is read: what comes out of this module is whole. Numbers of
//! fields are never used again for anything else; unknown fields are skipped.
//!
//! | type | is |
//! | --- | --- |
//! | shard (uint32) | below 1,000, the largest number of shards |
//! | incarnation (bytes) | 16 bytes, big endian, not all zero; no bytes where there is none |
//!
//! Whether a shard is a member, or a message is of the present move, is for the state machine to say.

mod adopt;
mod field;
mod membership;
mod report;
#[cfg(test)]
mod tests;
mod transfer;

use std::error::Error as _;

use bytes::Bytes;
use shardset_model::{InvalidMembership, InvalidRoutingKey};
use thiserror::Error;
use tonic::Status;

pub(crate) use adopt::Adopt;
pub use adopt::AdoptRequest;
pub(crate) use report::{Report, StatusRequest};
pub(crate) use transfer::{CompleteRequest, HandoffRequest, Reply, TransferRequest};

/// A protobuf message, and the noun that it stands for.
pub(crate) trait Twin: prost::Message + Default {
    /// The noun.
    type Noun;

    /// The noun, its fields checked.
    fn read(self) -> Result<Self::Noun, Malformed>;
}

/// The bytes of a message.
pub(crate) fn encode(twin: &impl prost::Message) -> Bytes {
    twin.encode_to_vec().into()
}

/// The noun in these bytes.
pub(crate) fn decode<T: Twin>(bytes: Bytes) -> Result<T::Noun, Malformed> {
    T::decode(bytes)?.read()
}

/// Why bytes are not the message that they should be.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum Malformed {
    /// They are no protobuf, or a field has another type. The source names the field.
    #[error("the message can not be read")]
    Protobuf(#[from] prost::DecodeError),
    /// A field is missing, or its value is not what it should be.
    #[error("the field {field} is missing or is not {expected}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A number makes no membership.
    #[error("the field {field} is wrong")]
    Membership {
        /// Which.
        field: &'static str,
        /// Why.
        source: InvalidMembership,
    },
    /// A routing key is none.
    #[error("the field {field} is wrong")]
    Routing {
        /// Which.
        field: &'static str,
        /// Why.
        source: InvalidRoutingKey,
    },
}

impl Malformed {
    /// What is wrong and why, in one line for a status.
    pub(crate) fn in_words(&self) -> String {
        match self.source() {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}

/// For servers: whoever sent the message must not send it again.
impl From<Malformed> for Status {
    fn from(malformed: Malformed) -> Self {
        Self::invalid_argument(malformed.in_words())
    }
}
