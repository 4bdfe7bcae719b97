//! `Handoff.Transfer` and `Handoff.Complete`: one worker's streams for another, and the reply to both.
//!
//! ```text
//! TransferRequest
//!   1: envelope (Envelope)
//!   2: chunk                        missing where the sender asks how far the receiver has come
//!        1: position (uint64)       of the first item
//!        2: next (uint64)           the position after the last, above the first
//!        3: items (bytes)           streams and remains; their format is the handoff's own
//!
//! CompleteRequest
//!   1: envelope (Envelope)
//!   2: position (uint64)            there is nothing from it on
//!
//! Envelope
//!   1: from (uint32)                the sender's shard
//!   2: sender (bytes)               the life of its disk
//!   3: to (uint32)                  the receiver's shard
//!   4: receiver (bytes)             the life of its disk; none where the sender does not know it
//!   5: membership (Membership)      by which the streams move
//!
//! Reply
//!   1: sender (bytes)               the life of the sender's disk that the request came from
//!   2: receiver (bytes)             the life of the receiver's disk
//!   3: membership (Membership)      the receiver's; missing while its disk is new and nobody told it
//!   4: through (uint64)             it has everything from this sender up to this position, durably
//!   5: completed (bool)             it knows that there is nothing more
//! ```

use bytes::Bytes;
use prost::Message;
use shardset_handoff::{self as handoff, Progress};

use super::membership::Membership;
use super::{Malformed, Twin, field};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TransferRequest {
    #[prost(message, optional, tag = "1")]
    envelope: Option<Envelope>,
    #[prost(message, optional, tag = "2")]
    chunk: Option<Chunk>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CompleteRequest {
    #[prost(message, optional, tag = "1")]
    envelope: Option<Envelope>,
    #[prost(uint64, tag = "2")]
    position: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(uint32, tag = "1")]
    from: u32,
    #[prost(bytes = "vec", tag = "2")]
    sender: Vec<u8>,
    #[prost(uint32, tag = "3")]
    to: u32,
    #[prost(bytes = "vec", tag = "4")]
    receiver: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    membership: Option<Membership>,
}

#[derive(Clone, PartialEq, Message)]
struct Chunk {
    #[prost(uint64, tag = "1")]
    position: u64,
    #[prost(uint64, tag = "2")]
    next: u64,
    // A part of the request's own memory, so that a chunk is copied once, when the whole message was found good.
    #[prost(bytes = "bytes", tag = "3")]
    items: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Reply {
    #[prost(bytes = "vec", tag = "1")]
    sender: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    receiver: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    membership: Option<Membership>,
    #[prost(uint64, tag = "4")]
    through: u64,
    #[prost(bool, tag = "5")]
    completed: bool,
}

/// The request that a message goes by.
pub(crate) enum HandoffRequest {
    Transfer(TransferRequest),
    Complete(CompleteRequest),
}

impl From<handoff::Message> for HandoffRequest {
    fn from(message: handoff::Message) -> Self {
        let envelope = Some(Envelope::from(&message));
        match message.progress {
            Progress::Ask => Self::Transfer(TransferRequest { envelope, chunk: None }),
            Progress::Chunk { position, next, items } => {
                let chunk = Some(Chunk { position, next, items: items.into() });
                Self::Transfer(TransferRequest { envelope, chunk })
            }
            Progress::Complete { position } => Self::Complete(CompleteRequest { envelope, position }),
        }
    }
}

impl Twin for TransferRequest {
    type Noun = handoff::Message;

    fn read(self) -> Result<handoff::Message, Malformed> {
        let message = field::required(self.envelope, "envelope")?.read()?;
        let progress = self.chunk.map_or(Ok(Progress::Ask), Chunk::read)?;
        Ok(handoff::Message { progress, ..message })
    }
}

impl Twin for CompleteRequest {
    type Noun = handoff::Message;

    fn read(self) -> Result<handoff::Message, Malformed> {
        let message = field::required(self.envelope, "envelope")?.read()?;
        Ok(handoff::Message { progress: Progress::Complete { position: self.position }, ..message })
    }
}

impl From<&handoff::Message> for Envelope {
    fn from(message: &handoff::Message) -> Self {
        Self {
            from: message.from.get(),
            sender: field::incarnation_bytes(message.sender),
            to: message.to.get(),
            receiver: field::known_incarnation_bytes(message.receiver),
            membership: Some((&message.membership).into()),
        }
    }
}

impl Envelope {
    /// A message with this envelope, and nothing in it.
    fn read(self) -> Result<handoff::Message, Malformed> {
        Ok(handoff::Message {
            from: field::shard(self.from, "envelope.from")?,
            sender: field::incarnation(&self.sender, "envelope.sender")?,
            to: field::shard(self.to, "envelope.to")?,
            receiver: field::known_incarnation(&self.receiver, "envelope.receiver")?,
            membership: field::required(self.membership, "envelope.membership")?.read()?,
            progress: Progress::Ask,
        })
    }
}

impl Chunk {
    fn read(self) -> Result<Progress, Malformed> {
        if self.next <= self.position {
            return Err(Malformed::Field { field: "chunk.next", expected: "above chunk.position" });
        }
        Ok(Progress::Chunk { position: self.position, next: self.next, items: self.items.into() })
    }
}

impl From<handoff::Reply> for Reply {
    fn from(reply: handoff::Reply) -> Self {
        Self {
            sender: field::incarnation_bytes(reply.sender),
            receiver: field::incarnation_bytes(reply.receiver),
            membership: reply.membership.as_ref().map(Membership::from),
            through: reply.through,
            completed: reply.completed,
        }
    }
}

impl Twin for Reply {
    type Noun = handoff::Reply;

    fn read(self) -> Result<handoff::Reply, Malformed> {
        Ok(handoff::Reply {
            sender: field::incarnation(&self.sender, "sender")?,
            receiver: field::incarnation(&self.receiver, "receiver")?,
            membership: self.membership.map(Membership::read).transpose()?,
            through: self.through,
            completed: self.completed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{incarnation, membership, shard};
    use super::super::{Malformed, Twin, decode, encode};
    use super::{Chunk, CompleteRequest, Envelope, HandoffRequest, Reply, TransferRequest, handoff};
    use shardset_handoff::Progress;

    const ENVELOPE: &[u8] = b"\x0a\x32\x08\x01\x12\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09\x18\x04\
        \x22\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\x2a\x08\x08\x07\x10\x05\x18\x03\x20\x02";

    fn message(progress: Progress) -> handoff::Message {
        let (sender, receiver) = (incarnation(9), Some(incarnation(8)));
        handoff::Message { from: shard(1), sender, to: shard(4), receiver, membership: membership(), progress }
    }

    fn chunk(position: u64, next: u64) -> Progress {
        Progress::Chunk { position, next, items: vec![0xaa, 0xbb] }
    }

    fn transfer(progress: Progress) -> TransferRequest {
        match message(progress).into() {
            HandoffRequest::Transfer(request) => request,
            HandoffRequest::Complete(_) => panic!("it is a transfer"),
        }
    }

    #[test]
    fn the_bytes_of_a_transfer_are_these() {
        assert_eq!(encode(&transfer(Progress::Ask)), ENVELOPE);
        let expected = [ENVELOPE, b"\x12\x09\x08\x01\x10\xac\x02\x1a\x02\xaa\xbb"].concat();
        assert_eq!(encode(&transfer(chunk(1, 300))), expected);
        assert_eq!(decode::<TransferRequest>(expected.into()), Ok(message(chunk(1, 300))));
    }

    #[test]
    fn the_bytes_of_a_complete_are_these() {
        let HandoffRequest::Complete(request) = message(Progress::Complete { position: 300 }).into() else {
            panic!("it is a complete");
        };
        assert_eq!(encode(&request), [ENVELOPE, b"\x10\xac\x02"].concat());
    }

    #[test]
    fn the_bytes_of_a_reply_are_these() {
        let (sender, receiver, membership) = (incarnation(9), incarnation(8), Some(membership()));
        let reply = handoff::Reply { sender, receiver, membership, through: 300, completed: true };
        let mut expected =
            b"\x0a\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09\x12\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08".to_vec();
        expected.extend(b"\x1a\x08\x08\x07\x10\x05\x18\x03\x20\x02\x20\xac\x02\x28\x01");
        assert_eq!(encode(&Reply::from(reply)), expected);
    }

    #[test]
    fn what_is_no_request_names_the_field() {
        let good = || Envelope::from(&message(Progress::Ask));
        let of = |envelope| TransferRequest { envelope, chunk: None };
        let cases = [
            ("envelope", of(None)),
            ("envelope.from", of(Some(Envelope { from: 1000, ..good() }))),
            ("envelope.sender", of(Some(Envelope { sender: vec![], ..good() }))),
            ("envelope.to", of(Some(Envelope { to: 1000, ..good() }))),
            ("envelope.receiver", of(Some(Envelope { receiver: vec![1; 17], ..good() }))),
            ("envelope.membership", of(Some(Envelope { membership: None, ..good() }))),
            ("chunk.next", transfer(chunk(7, 7))),
            ("chunk.next", TransferRequest { chunk: Some(Chunk::default()), ..of(Some(good())) }),
        ];
        for (field, wrong) in cases {
            assert_eq!(wrong.read().map_err(|error| named(&error)), Err(field));
        }
        assert_eq!(CompleteRequest::default().read().map_err(|error| named(&error)), Err("envelope"));
    }

    #[test]
    fn what_is_no_reply_names_the_field() {
        let good = || Reply { sender: vec![1; 16], receiver: vec![1; 16], ..Reply::default() };
        assert!(good().read().is_ok());
        let cases = [
            ("sender", Reply { sender: vec![], ..good() }),
            ("receiver", Reply { receiver: vec![0; 16], ..good() }),
            ("membership.phase", Reply { membership: Some(Default::default()), ..good() }),
        ];
        for (field, wrong) in cases {
            assert_eq!(wrong.read().map_err(|error| named(&error)), Err(field));
        }
    }

    fn named(error: &Malformed) -> &'static str {
        match error {
            Malformed::Field { field, .. } => field,
            _ => panic!("{error:?} is of another kind"),
        }
    }
}
