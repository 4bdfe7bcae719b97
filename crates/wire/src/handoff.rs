//! `shardset.v1.Handoff`, served by workers to each other: streams that change owners.
//!
//! Two methods, `Transfer` for questions and chunks and `Complete` for the end, so that each has its own counts in any tool
//! that looks at gRPC. Behind them is one function: the message says what it is about, and the reply is the same.

use std::future::Future;

use bytes::Bytes;
use shardset_handoff::{Message, Reply};
use tonic::Status;

use crate::message::{self, CompleteRequest, HandoffRequest, TransferRequest};
use crate::service::{Client, Methods, Server, no_method};
use crate::unary::Connection;

/// The gRPC path of `Transfer`.
const TRANSFER: &str = "/shardset.v1.Handoff/Transfer";
/// The gRPC path of `Complete`.
const COMPLETE: &str = "/shardset.v1.Handoff/Complete";

/// A worker, to those that have streams for it.
pub trait Handoff: Clone + Send + Sync + 'static {
    /// Takes a message; the reply says what is durable.
    fn receive(&self, message: Message) -> impl Future<Output = Result<Reply, Status>> + Send;
}

/// The service, for tonic's router.
pub type HandoffServer<T> = Server<HandoffMethods<T>>;

impl<T: Handoff> HandoffServer<T> {
    /// Messages go to `handoff`.
    pub const fn new(handoff: T) -> Self {
        Self(HandoffMethods(handoff))
    }
}

/// The methods of [`Handoff`], as bytes.
#[derive(Clone, Debug)]
pub struct HandoffMethods<T>(T);

impl<T: Handoff> Methods for HandoffMethods<T> {
    const SERVICE: &'static str = "shardset.v1.Handoff";
    // A chunk of streams has 512 KiB and one stream more; the remains of forgotten streams go in one chunk, at 40 bytes each
    // 1.6 million of them.
    const MESSAGE_BYTES_MAX: usize = 64 << 20;

    async fn answer(&self, path: &str, request: Bytes) -> Result<Bytes, Status> {
        let message = match path {
            TRANSFER => message::decode::<TransferRequest>(request)?,
            COMPLETE => message::decode::<CompleteRequest>(request)?,
            _ => return Err(no_method(path)),
        };
        Ok(message::encode(&message::Reply::from(self.0.receive(message).await?)))
    }
}

/// The sender's end.
#[derive(Clone, Debug)]
pub struct HandoffClient<C>(Client<C>);

impl<C: Connection> HandoffClient<C> {
    /// A client over a connection to a worker.
    pub fn new(connection: C) -> Self {
        Self(Client::new(connection))
    }

    /// Sends a message by the method that it goes by.
    ///
    /// # Errors
    ///
    /// The receiver's status, `UNAVAILABLE` where there is no connection, or `INTERNAL` where its reply can not be read.
    pub async fn send(&mut self, message: Message) -> Result<Reply, Status> {
        match message.into() {
            HandoffRequest::Transfer(request) => self.0.call::<message::Reply>(TRANSFER, &request).await,
            HandoffRequest::Complete(request) => self.0.call::<message::Reply>(COMPLETE, &request).await,
        }
    }
}
