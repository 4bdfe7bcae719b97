//! The door of a worker's server: requests for another set's worker, whose address this one has got, do not come in.
//!
//! For which shard a request is, and by which membership, is judged by each service; the set is the same question for all of them.

use prometheus_client::metrics::counter::Counter;
use shardset_model::SetName;
use shardset_wire::set::other_than;
use shardset_wire::status::unavailable;
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::admit::RETRY_AFTER;

/// Sends back what does not name this set.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// Whose worker this is; nobody is sent back where it is of none.
    pub(crate) set: Option<SetName>,
    pub(crate) sent_back: Counter,
}

impl Interceptor for Door {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(own) = &self.set else { return Ok(request) };
        match other_than(own, request.metadata()) {
            None => Ok(request),
            Some(other) => {
                self.sent_back.inc();
                let text = format!("this is a worker of {own}, and the request is for {other}");
                Err(unavailable(text, RETRY_AFTER))
            }
        }
    }
}
