//! A worker's part in moves, towards the outside: it is told memberships, says how things stand, takes streams and sends them.
//!
//! What is right to say and to take is decided on the shard's thread by `shardset_handoff`; here are the services that bring it
//! there, and the task that sends. A worker knows the others' addresses from the coordinator only.

mod peers;
mod sender;

use shardset_handoff::{Message, Reply, Report};
use shardset_wire::{AdoptRequest, Control, Handoff};
use thiserror::Error;
use tonic::Status;

pub(crate) use self::peers::Peers;
pub(crate) use self::sender::Sender;
use crate::admit::unserved_status;
use crate::shard::{Event, Gone, Mailbox, Unserved};

/// A way to a worker for whoever coordinates, in its process or by its services.
#[derive(Clone, Debug)]
pub struct Handle {
    mailbox: Mailbox,
    peers: Peers,
}

/// Why a worker does not answer; it may be asked again.
#[derive(Debug, Error)]
pub enum Unanswered {
    /// It has stopped.
    #[error("the worker has stopped")]
    Stopped,
    /// It can not now.
    #[error("{0}")]
    NotNow(String),
}

impl Handle {
    pub(crate) fn new(mailbox: Mailbox, peers: Peers) -> Self {
        Self { mailbox, peers }
    }

    /// Tells the worker the membership and where the others are; it says how things stand.
    ///
    /// # Errors
    ///
    /// It did not take it.
    pub async fn adopt(&self, request: AdoptRequest) -> Result<Report, Unanswered> {
        Ok(self.tell(request).await??)
    }

    /// How things stand at the worker.
    ///
    /// # Errors
    ///
    /// It can not say now.
    pub async fn report(&self) -> Result<Report, Unanswered> {
        Ok(self.mailbox.ask(|reply| Event::Report { reply }).await??)
    }

    /// The worker may have so many streams from now on; those that it has stay.
    pub async fn limit_streams(&self, streams_max: u32) {
        // A worker that has stopped has none.
        let _stopped = self.mailbox.send(Event::Limit { streams_max }).await;
    }

    async fn tell(&self, request: AdoptRequest) -> Result<Result<Report, Unserved>, Gone> {
        self.peers.know(request.addresses);
        self.mailbox.ask(|reply| Event::Adopt { adopt: request.adopt, reply }).await
    }
}

impl From<Gone> for Unanswered {
    fn from(_: Gone) -> Self {
        Self::Stopped
    }
}

impl From<Unserved> for Unanswered {
    fn from(unserved: Unserved) -> Self {
        Self::NotNow(unserved.to_string())
    }
}

fn stopped(gone: Gone) -> Status {
    Status::unavailable(gone.to_string())
}

impl Control for Handle {
    async fn adopt(&self, request: AdoptRequest) -> Result<Report, Status> {
        self.tell(request).await.map_err(stopped)?.map_err(unserved_status)
    }

    async fn status(&self) -> Result<Report, Status> {
        let report = self.mailbox.ask(|reply| Event::Report { reply }).await;
        report.map_err(stopped)?.map_err(unserved_status)
    }
}

impl Handoff for Handle {
    async fn receive(&self, message: Message) -> Result<Reply, Status> {
        let received = self.mailbox.ask(|reply| Event::Receive { message, reply }).await;
        received.map_err(stopped)?.map_err(unserved_status)
    }
}
