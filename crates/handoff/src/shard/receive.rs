//! Receiving: streams arrive, and points that waited for them are decided on.

use shardset_accumulate::Streams;
use shardset_model::{Phase, Sealed};

use super::adopt::Source;
use super::{Shard, SlotChange};
use crate::message::{Message, Progress, Reply};
use crate::peers::senders;
use crate::record::{BadRecord, Item, Received, Record, items};
use crate::rule::{Rule, holds};

impl Shard {
    /// Another worker's message; the reply says how things stand when the changes are durable.
    ///
    /// # Errors
    ///
    /// What of a chunk can not be read: a bug of ours, or of the network. What was read before it is installed, and the chunk
    /// counts as not received.
    pub fn receive(&mut self, message: &Message, changes: &mut Vec<u8>) -> Result<Sealed<Reply>, BadRecord> {
        self.hear(&message.membership, Source::Peer, changes);
        if self.is_expected(message) {
            match &message.progress {
                Progress::Ask => {}
                Progress::Chunk { position, next, items } => {
                    self.chunk_arrives(message, *position, *next, items, changes)?
                }
                Progress::Complete { position } => self.complete_arrives(message, *position, changes),
            }
        }
        Ok(Sealed::new(self.reply(message)))
    }

    /// Whether the message is of the present move, and from one that may have something for this shard.
    fn is_expected(&self, message: &Message) -> bool {
        let Some(mine) = &self.membership else { return false };
        mine.epoch() == message.membership.epoch()
            && mine.phase() == Phase::Moving
            && message.to == self.index
            && message.receiver == Some(self.incarnation)
            && senders(mine, self.index).any(|from| from == message.from)
    }

    fn received(&self, message: &Message) -> Received {
        let nothing = Received { sender: message.sender, through: 0, completed: false };
        let of_any_life = self.received.get(&message.from).copied().unwrap_or(nothing);
        // What an earlier life of the sender's disk has completed stays completed: its points do not wait any more.
        if of_any_life.sender == message.sender || of_any_life.completed { of_any_life } else { nothing }
    }

    fn reply(&self, message: &Message) -> Reply {
        let Received { through, completed, .. } = self.received(message);
        let is_over = self
            .membership
            .as_ref()
            .is_some_and(|mine| mine.epoch() == message.membership.epoch() && mine.phase() == Phase::Stable);
        Reply {
            sender: message.sender,
            receiver: self.incarnation,
            membership: self.membership.clone(),
            through,
            completed: completed || is_over,
        }
    }

    fn chunk_arrives(
        &mut self,
        message: &Message,
        position: u64,
        next: u64,
        bytes: &[u8],
        changes: &mut Vec<u8>,
    ) -> Result<(), BadRecord> {
        let received = self.received(message);
        let is_next = received.through == position || !holds(Rule::InstallOnce);
        if received.completed || !is_next {
            return Ok(());
        }
        for item in items(bytes) {
            match item? {
                Item::Stream(encoded) => self.stream_arrives(encoded, changes)?,
                Item::Remains { stream, floor, since } => self.streams.bury(stream, floor, since, changes),
            }
        }
        let (from, sender) = (message.from, message.sender);
        self.received.insert(from, Received { sender, through: next, completed: false });
        Record::Received { from, sender, through: next }.write(changes);
        Ok(())
    }

    fn stream_arrives(&mut self, encoded: &[u8], changes: &mut Vec<u8>) -> Result<(), BadRecord> {
        let stream = Streams::id_of(encoded)?;
        if self.streams.place_of(stream).is_some() {
            return Ok(());
        }
        if let Some(slot) = self.streams.find(stream) {
            if holds(Rule::InstallOnce) {
                return Ok(());
            }
            self.streams.remove(slot, changes);
            self.slot_changes.push(SlotChange::Left(slot));
        }
        let slot = self.streams.install(encoded, changes)?;
        self.slot_changes.push(SlotChange::Entered(slot));
        #[cfg(feature = "mutations")]
        if !holds(Rule::MemoryMoves) {
            self.streams.forget_points(slot);
        }
        self.unpark(stream, changes);
        Ok(())
    }

    fn complete_arrives(&mut self, message: &Message, position: u64, changes: &mut Vec<u8>) {
        let received = self.received(message);
        if received.completed || received.through != position {
            return;
        }
        let (from, sender) = (message.from, message.sender);
        self.received.insert(from, Received { sender, through: position, completed: true });
        Record::Completed { from, sender }.write(changes);
    }
}
