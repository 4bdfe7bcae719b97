//! What the shard is told and asked in a move: memberships, other workers' messages, and what to send next.
//!
//! The rules are `shardset_handoff`'s; here they get their commit, and only then their answer.

use shardset_handoff::{Adopt, Adopted, Message, Reply, Report, Source};
use shardset_journal::Storage;
use shardset_model::{Membership, Sealed};

use super::mailbox::Event;
use super::{Shard, Unserved};

impl<S: Storage> Shard<S> {
    /// Serves an event of a move.
    pub(super) fn serve_handoff(&mut self, event: Event) {
        match event {
            Event::Adopt { adopt, reply } => drop(reply.send(self.adopt(&adopt))),
            Event::Report { reply } => drop(reply.send(self.report())),
            Event::Unfinished { reply } => drop(reply.send(self.core.unfinished().collect())),
            Event::NextMessage { to, reply } => {
                let able = self.able().is_ok();
                let message = if able { self.core.next_message(to, |place| self.idle.read(place)) } else { None };
                drop(reply.send(message));
            }
            Event::Replied { to, reply } => self.core.replied(to, &reply, self.persist.changes()),
            _ => unreachable!("the other events are served elsewhere"),
        }
    }

    /// Hears of a newer membership.
    pub(super) fn hear(&mut self, told: &Membership, source: Source) -> Result<(), Unserved> {
        self.make_ready_for(told)?;
        let before = self.core.membership().cloned();
        let adopted = self.core.hear(told, source, self.persist.changes());
        self.heard(before.as_ref(), told, adopted);
        Ok(())
    }

    /// What a membership needs to know of streams must be known before it is taken.
    fn make_ready_for(&mut self, told: &Membership) -> Result<(), Unserved> {
        let mut next = self.core.to_wake_for(told, None);
        while let Some(stream) = next {
            self.wake(stream)?;
            next = self.core.to_wake_for(told, Some(stream));
        }
        Ok(())
    }

    fn adopt(&mut self, adopt: &Adopt) -> Result<Report, Unserved> {
        self.able()?;
        self.make_ready_for(&adopt.membership)?;
        let before = self.core.membership().cloned();
        let adopted = self.core.adopt(adopt, self.persist.changes());
        self.heard(before.as_ref(), &adopt.membership, adopted);
        self.report()
    }

    fn heard(&mut self, before: Option<&Membership>, told: &Membership, adopted: Adopted) {
        let (shard, from, to) = (self.core.index(), before.map_or(0, |mine| mine.epoch().get()), told.epoch().get());
        match adopted {
            Adopted::Taken => {
                let (shards, phase) = (told.shards().get(), told.phase());
                tracing::info!(%shard, from, to, shards, ?phase, "worker takes a membership");
                self.keep.unsettled = true;
                self.follow_slots();
            }
            Adopted::Conflict => {
                tracing::error!(%shard, from, to, "another membership of the same epoch was told: two sets are mixed up");
            }
            Adopted::Older => tracing::warn!(%shard, from, to, "an older membership was told; the newer one is kept"),
            Adopted::Known | Adopted::NotForUs => {}
        }
        self.moves.notify_one();
    }

    fn report(&mut self) -> Result<Report, Unserved> {
        self.able()?;
        Ok(self.core.report())
    }

    /// Takes what another worker says.
    pub(super) fn receive(&mut self, message: &Message) -> Result<Sealed<Reply>, Unserved> {
        let is = self.core.index();
        if message.to != is {
            // How things stand here says nothing of how they stand there.
            return Err(Unserved::Misaddressed { is, to: message.to.get() });
        }
        let is_news = |mine: &Membership| message.membership.epoch() > mine.epoch();
        if self.core.membership().is_some_and(is_news) {
            self.hear(&message.membership, Source::Peer)?;
        }
        let streams = self.streams().len();
        let received = self.core.receive(message, self.persist.changes());
        self.follow_slots();
        self.metrics.handoff.received.inc_by(u64::from(self.streams().len().saturating_sub(streams)));
        self.keep.unsettled = true;
        received.map_err(|error| {
            tracing::error!(from = %message.from, error = %error, "a message of another worker can not be read");
            Unserved::Unreadable(error.to_string())
        })
    }

    /// Everything so far is durable, or nothing can be said.
    fn able(&mut self) -> Result<(), Unserved> {
        if self.persist.is_able() && self.persist.commit().is_some() { Ok(()) } else { Err(Unserved::Unwritable) }
    }
}
