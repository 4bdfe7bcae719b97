//! `shardset.v1.Control`, served by workers: the coordinator tells them the membership and asks how things stand.
//!
//! Both methods may be called again at will: telling a worker what it knows changes nothing.

use std::future::Future;

use bytes::Bytes;
use shardset_handoff::Report;
use tonic::Status;

use crate::message::{self, AdoptRequest, StatusRequest};
use crate::service::{Client, Methods, Server, no_method};
use crate::unary::Connection;

/// The gRPC path of `Adopt`.
const ADOPT: &str = "/shardset.v1.Control/Adopt";
/// The gRPC path of `Status`.
const STATUS: &str = "/shardset.v1.Control/Status";

/// A worker, to its coordinator.
pub trait Control: Clone + Send + Sync + 'static {
    /// Takes a membership, durably.
    fn adopt(&self, request: AdoptRequest) -> impl Future<Output = Result<Report, Status>> + Send;

    /// How things stand.
    fn status(&self) -> impl Future<Output = Result<Report, Status>> + Send;
}

/// The service, for tonic's router.
pub type ControlServer<T> = Server<ControlMethods<T>>;

impl<T: Control> ControlServer<T> {
    /// Requests go to `control`.
    pub const fn new(control: T) -> Self {
        Self(ControlMethods(control))
    }
}

/// The methods of [`Control`], as bytes.
#[derive(Clone, Debug)]
pub struct ControlMethods<T>(T);

impl<T: Control> Methods for ControlMethods<T> {
    const SERVICE: &'static str = "shardset.v1.Control";
    // `Adopt` with 1,000 workers, each with an incarnation (25 bytes) and the longest address (265), has 290 KB; the rest is
    // for the attribute names of a routing key.
    const MESSAGE_BYTES_MAX: usize = 4 << 20;

    async fn answer(&self, path: &str, request: Bytes) -> Result<Bytes, Status> {
        let report = match path {
            ADOPT => self.0.adopt(message::decode::<message::Adopt>(request)?).await?,
            STATUS => {
                message::decode::<StatusRequest>(request)?;
                self.0.status().await?
            }
            _ => return Err(no_method(path)),
        };
        Ok(message::encode(&message::Report::from(report)))
    }
}

/// The coordinator's end.
#[derive(Clone, Debug)]
pub struct ControlClient<C>(Client<C>);

impl<C: Connection> ControlClient<C> {
    /// A client over a connection to a worker.
    pub fn new(connection: C) -> Self {
        Self(Client::new(connection))
    }

    /// Tells the worker the membership.
    ///
    /// # Errors
    ///
    /// The worker's status, `UNAVAILABLE` where there is no connection, or `INTERNAL` where its answer can not be read.
    pub async fn adopt(&mut self, request: AdoptRequest) -> Result<Report, Status> {
        self.0.call::<message::Report>(ADOPT, &message::Adopt::from(request)).await
    }

    /// Asks how things stand.
    ///
    /// # Errors
    ///
    /// As for [`ControlClient::adopt`].
    pub async fn status(&mut self) -> Result<Report, Status> {
        self.0.call::<message::Report>(STATUS, &StatusRequest {}).await
    }
}
