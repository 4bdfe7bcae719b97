//! The connection to one worker: one HTTP/2 connection, made when first needed and made again when it breaks.

use std::time::Duration;

use bytes::Bytes;
use shardset_membership::Address;
use shardset_model::{Membership, ShardIndex};
use shardset_wire::{ExportAnswer, MetricsClient, ToSet, membership, to_set};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Response, Status};

use super::DeliverSettings;

/// Requests are up to MiBs and the worker reads them as they come: a stream may have several merged requests' worth on the
/// way, the connection all that are in flight. HTTP/2's own 64 KiB cost 1.5x on requests of 380 KB.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 32 << 20;
/// A worker that vanished without a FIN (node loss) is noticed after interval + timeout.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The way to one worker.
#[derive(Clone, Debug)]
pub(super) struct Link {
    client: MetricsClient<ToSet<Channel>>,
    shard: ShardIndex,
}

impl Link {
    pub(super) fn new(shard: ShardIndex, address: &Address, settings: &DeliverSettings) -> Self {
        let uri: Uri = format!("http://{address}").parse().expect("a host and a port are the authority of a URI");
        let endpoint = Endpoint::from(uri)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        let channel = settings.tls.connect_lazy(&endpoint);
        Self { client: MetricsClient::new(to_set(channel, settings.set.as_ref())), shard }
    }

    /// One attempt to send what was split under `membership`.
    ///
    /// # Errors
    ///
    /// The worker's status; `UNAVAILABLE` where it is not the worker who answers, whatever it answers, or nobody does.
    pub(super) async fn export(&self, bytes: Bytes, membership: &Membership) -> Result<ExportAnswer, Status> {
        let mut request = Request::new(bytes);
        membership::write(membership, request.metadata_mut());
        membership::write_to(self.shard, request.metadata_mut());
        let answer = self.client.clone().export(request).await;
        let metadata = answer.as_ref().map_or_else(Status::metadata, Response::metadata);
        if !membership::is_from(self.shard, metadata) {
            let why = |status: Status| status.message().to_owned();
            let nobody = || format!("who answers at its address is not worker {}", self.shard);
            return Err(Status::unavailable(answer.err().map_or_else(nobody, why)));
        }
        ExportAnswer::decode(answer?.into_inner())
            .map_err(|error| Status::internal(format!("the worker's answer is broken: {error}")))
    }
}
