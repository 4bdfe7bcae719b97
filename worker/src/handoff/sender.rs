//! Sends streams to their new owners: asks the shard what comes next for whom, sends it, and brings the reply back.
//!
//! In rounds: each receiver that is not done gets one message after another until it is, or until it does not go on; a few
//! receivers at a time. Between rounds of which something is left it waits a little. What is in flight is one chunk per
//! receiver, so [`RECEIVERS_AT_ONCE`] chunks at most, half a MiB each.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use shardset_handoff::{Message, Progress, Reply};
use shardset_model::ShardIndex;
use shardset_wire::HandoffClient;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::Peers;
use crate::shard::{Event, Gone, Mailbox};

const RECEIVERS_AT_ONCE: usize = 4;
/// A receiver installs a chunk in some ms and syncs it.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// The wait after a round that left something: twice as long each time that nothing moved on.
const WAIT_FIRST: Duration = Duration::from_millis(20);
const WAIT_LONGEST: Duration = Duration::from_secs(1);

/// Sends what one shard has for others.
#[derive(Debug)]
pub(crate) struct Sender {
    mailbox: Mailbox,
    peers: Peers,
    moves: Arc<Notify>,
    stop: CancellationToken,
}

impl Sender {
    /// Sends from the shard behind `mailbox` whenever `moves` says that there may be something.
    pub(crate) fn new(mailbox: Mailbox, peers: Peers, moves: Arc<Notify>, stop: CancellationToken) -> Self {
        Self { mailbox, peers, moves, stop }
    }

    /// Sends until asked to stop, or until the shard has stopped.
    ///
    /// # Errors
    ///
    /// None: what can not be sent is tried again.
    pub(crate) async fn run(self) -> Result<(), Infallible> {
        let stop = self.stop.clone();
        let _stopped_or_gone = stop.run_until_cancelled(self.rounds()).await;
        Ok(())
    }

    async fn rounds(&self) -> Result<(), Gone> {
        let mut wait = WAIT_FIRST;
        loop {
            let unfinished = self.mailbox.ask(|reply| Event::Unfinished { reply }).await?;
            if unfinished.is_empty() {
                wait = WAIT_FIRST;
                self.moves.notified().await;
                continue;
            }
            let moved_on = self.round(unfinished).await?;
            wait = if moved_on { WAIT_FIRST } else { (wait * 2).min(WAIT_LONGEST) };
            // News of a membership may be what a round was waiting for.
            let _news = tokio::time::timeout(wait, self.moves.notified()).await;
        }
    }

    /// Sends to each of these as far as it goes. Whether anything arrived.
    async fn round(&self, unfinished: Vec<ShardIndex>) -> Result<bool, Gone> {
        let (mut flows, mut moved_on) = (JoinSet::new(), false);
        for to in unfinished {
            if flows.len() >= RECEIVERS_AT_ONCE {
                moved_on |= ended(flows.join_next().await)?;
            }
            flows.spawn(flow(self.mailbox.clone(), self.peers.clone(), to));
        }
        while let Some(flow) = flows.join_next().await {
            moved_on |= ended(Some(flow))?;
        }
        Ok(moved_on)
    }
}

/// A flow that panicked is as one that did not go on: the next round begins it again.
fn ended(flow: Option<Result<Result<bool, Gone>, tokio::task::JoinError>>) -> Result<bool, Gone> {
    match flow {
        Some(Ok(outcome)) => outcome,
        Some(Err(_)) | None => Ok(false),
    }
}

/// Sends to one receiver until it has everything or does not go on. Whether anything arrived.
async fn flow(mailbox: Mailbox, peers: Peers, to: ShardIndex) -> Result<bool, Gone> {
    let mut moved_on = false;
    let Some(channel) = peers.channel(to) else { return Ok(false) };
    let mut client = HandoffClient::new(channel);
    while let Some(message) = mailbox.ask(|reply| Event::NextMessage { to, reply }).await? {
        let about = About::of(&message);
        let sent = tokio::time::timeout(REPLY_TIMEOUT, client.send(message)).await;
        let reply = match sent.unwrap_or_else(|_| Err(Status::deadline_exceeded("no reply in time"))) {
            Ok(reply) => reply,
            Err(status) => {
                tracing::debug!(%to, error = %status, "streams can not be sent now");
                return Ok(moved_on);
            }
        };
        let goes_on = about.goes_on(&reply);
        mailbox.send(Event::Replied { to, reply }).await?;
        if !goes_on {
            return Ok(moved_on);
        }
        moved_on = true;
    }
    Ok(moved_on)
}

/// What a message was about, to tell from the reply whether it brought anything.
#[derive(Clone, Copy, Debug)]
struct About {
    epoch: shardset_model::Epoch,
    through: Option<u64>,
}

impl About {
    fn of(message: &Message) -> Self {
        let through = match message.progress {
            Progress::Ask => None,
            Progress::Chunk { position, .. } | Progress::Complete { position } => Some(position),
        };
        Self { epoch: message.membership.epoch(), through }
    }

    fn goes_on(self, reply: &Reply) -> bool {
        let same_epoch = reply.membership.as_ref().is_some_and(|theirs| theirs.epoch() == self.epoch);
        same_epoch && (reply.completed || self.through.is_none_or(|through| reply.through > through))
    }
}
