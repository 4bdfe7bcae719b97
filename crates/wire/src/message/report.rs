//! `Control.Status`, which asks nothing but how things stand, and the `Report` that answers it and `Control.Adopt`.
//!
//! ```text
//! StatusRequest
//!
//! Report
//!   1: shard (uint32)               which shard the worker serves
//!   2: incarnation (bytes)          the life of its disk
//!   3: membership (Membership)      missing while its disk is new and nobody told it
//!   4: streams (uint64)             that it counts, or keeps the totals of
//!   5: leftovers (uint64)           streams that it has no more and still drops from memory
//!   6: parked_points (uint64)       that wait for their streams
//!   7: parked_bytes (uint64)        of them
//!   8: sending (repeated)           in the present move
//!        1: to (uint32)
//!        2: receiver (bytes)        the life of the receiver's disk; none until it has answered
//!        3: sent (uint64)           streams that are durable there
//!        4: total (uint64)          streams to send
//!        5: completed (bool)        whether the receiver knows that there is nothing more
//!   9: receiving (repeated)         in the present move
//!        1: from (uint32)
//!        2: completed (bool)        whether everything has come
//!  10: idle (uint64)                streams of 4 that are not in memory
//! ```

use prost::Message;
use shardset_handoff as handoff;

use super::membership::Membership;
use super::{Malformed, Twin, field};

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct StatusRequest {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Report {
    #[prost(uint32, tag = "1")]
    shard: u32,
    #[prost(bytes = "vec", tag = "2")]
    incarnation: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    membership: Option<Membership>,
    #[prost(uint64, tag = "4")]
    streams: u64,
    #[prost(uint64, tag = "5")]
    leftovers: u64,
    #[prost(uint64, tag = "6")]
    parked_points: u64,
    #[prost(uint64, tag = "7")]
    parked_bytes: u64,
    #[prost(message, repeated, tag = "8")]
    sending: Vec<Sending>,
    #[prost(message, repeated, tag = "9")]
    receiving: Vec<Reception>,
    #[prost(uint64, tag = "10")]
    idle: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Sending {
    #[prost(uint32, tag = "1")]
    to: u32,
    #[prost(bytes = "vec", tag = "2")]
    receiver: Vec<u8>,
    #[prost(uint64, tag = "3")]
    sent: u64,
    #[prost(uint64, tag = "4")]
    total: u64,
    #[prost(bool, tag = "5")]
    completed: bool,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Reception {
    #[prost(uint32, tag = "1")]
    from: u32,
    #[prost(bool, tag = "2")]
    completed: bool,
}

impl Twin for StatusRequest {
    type Noun = ();

    fn read(self) -> Result<(), Malformed> {
        Ok(())
    }
}

impl From<handoff::Report> for Report {
    fn from(report: handoff::Report) -> Self {
        Self {
            shard: report.shard.get(),
            incarnation: field::incarnation_bytes(report.incarnation),
            membership: report.membership.as_ref().map(Membership::from),
            streams: report.streams,
            leftovers: report.leftovers,
            parked_points: report.parked_points,
            parked_bytes: report.parked_bytes,
            sending: report.sending.into_iter().map(Sending::from).collect(),
            receiving: report.receiving.into_iter().map(Reception::from).collect(),
            idle: report.idle,
        }
    }
}

impl Twin for Report {
    type Noun = handoff::Report;

    fn read(self) -> Result<handoff::Report, Malformed> {
        Ok(handoff::Report {
            shard: field::shard(self.shard, "shard")?,
            incarnation: field::incarnation(&self.incarnation, "incarnation")?,
            membership: self.membership.map(Membership::read).transpose()?,
            streams: self.streams,
            leftovers: self.leftovers,
            parked_points: self.parked_points,
            parked_bytes: self.parked_bytes,
            sending: self.sending.into_iter().map(Sending::read).collect::<Result<_, _>>()?,
            receiving: self.receiving.into_iter().map(Reception::read).collect::<Result<_, _>>()?,
            idle: self.idle,
        })
    }
}

impl From<handoff::Sending> for Sending {
    fn from(sending: handoff::Sending) -> Self {
        let handoff::Sending { to, receiver, sent, total, completed } = sending;
        Self { to: to.get(), receiver: field::known_incarnation_bytes(receiver), sent, total, completed }
    }
}

impl Sending {
    fn read(self) -> Result<handoff::Sending, Malformed> {
        let Self { to, receiver, sent, total, completed } = self;
        let receiver = field::known_incarnation(&receiver, "sending.receiver")?;
        Ok(handoff::Sending { to: field::shard(to, "sending.to")?, receiver, sent, total, completed })
    }
}

impl From<handoff::Reception> for Reception {
    fn from(reception: handoff::Reception) -> Self {
        Self { from: reception.from.get(), completed: reception.completed }
    }
}

impl Reception {
    fn read(self) -> Result<handoff::Reception, Malformed> {
        Ok(handoff::Reception { from: field::shard(self.from, "receiving.from")?, completed: self.completed })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{incarnation, membership, shard};
    use super::super::{Twin, encode};
    use super::{Reception, Report, Sending, StatusRequest, handoff};

    fn report() -> handoff::Report {
        let to_new = handoff::Sending { to: shard(4), receiver: None, sent: 0, total: 300, completed: false };
        handoff::Report {
            shard: shard(1),
            incarnation: incarnation(9),
            membership: Some(membership()),
            streams: 1,
            idle: 6,
            leftovers: 2,
            parked_points: 3,
            parked_bytes: 4,
            sending: vec![
                handoff::Sending { to: shard(3), receiver: Some(incarnation(8)), sent: 5, total: 5, completed: true },
                to_new,
            ],
            receiving: vec![handoff::Reception { from: shard(2), completed: true }],
        }
    }

    #[test]
    fn the_bytes_of_a_report_are_these() {
        let mut expected = b"\x08\x01\x12\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09".to_vec();
        expected.extend(b"\x1a\x08\x08\x07\x10\x05\x18\x03\x20\x02\x20\x01\x28\x02\x30\x03\x38\x04");
        expected.extend(b"\x42\x1a\x08\x03\x12\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\x18\x05\x20\x05\x28\x01");
        expected.extend(b"\x42\x05\x08\x04\x20\xac\x02");
        expected.extend(b"\x4a\x04\x08\x02\x10\x01\x50\x06");
        assert_eq!(encode(&Report::from(report())), expected);
    }

    #[test]
    fn asking_for_the_status_is_an_empty_message() {
        assert!(encode(&StatusRequest {}).is_empty());
    }

    #[test]
    fn what_is_no_report_names_the_field() {
        let good = || Report::from(report());
        let sending = |to, receiver| vec![Sending { to, receiver, ..Sending::default() }];
        let cases = [
            ("shard", Report { shard: 1000, ..good() }),
            ("incarnation", Report { incarnation: vec![1; 15], ..good() }),
            ("membership.phase", Report { membership: Some(Default::default()), ..good() }),
            ("sending.to", Report { sending: sending(1000, vec![]), ..good() }),
            ("sending.receiver", Report { sending: sending(0, vec![1]), ..good() }),
            ("receiving.from", Report { receiving: vec![Reception { from: 1000, completed: true }], ..good() }),
        ];
        for (field, wrong) in cases {
            let words = wrong.read().unwrap_err().in_words();
            assert!(words.contains(&format!("the field {field} is")), "{field}: {words}");
        }
    }
}
