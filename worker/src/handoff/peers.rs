//! Where the other workers are, as the coordinator said last, and the connections to them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shardset_model::{SetName, ShardIndex};
use shardset_tls::PeerTls;
use shardset_wire::{ToSet, to_set};
use tonic::transport::{Channel, Endpoint};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A worker that vanished without a word is noticed after the sum of both.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// A chunk is one message: it should be on its way as a whole.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;

/// The other workers. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    set: Option<SetName>,
    tls: PeerTls,
    known: Arc<Mutex<BTreeMap<ShardIndex, Peer>>>,
}

#[derive(Debug)]
struct Peer {
    address: String,
    channel: Option<Channel>,
}

impl Peers {
    /// Nobody yet, of this set, who are reached so.
    pub(crate) fn of(set: Option<SetName>, tls: PeerTls) -> Self {
        Self { set, tls, known: Arc::default() }
    }

    /// Learns where workers are; where one has moved its connection goes.
    pub(crate) fn know(&self, addresses: Vec<(ShardIndex, String)>) {
        let mut known = self.lock();
        for (shard, address) in addresses {
            if known.get(&shard).is_none_or(|peer| peer.address != address) {
                known.insert(shard, Peer { address, channel: None });
            }
        }
    }

    /// A connection to a worker, made when it is first used; none where its address is not known, or is none.
    pub(crate) fn channel(&self, shard: ShardIndex) -> Option<ToSet<Channel>> {
        let mut known = self.lock();
        let peer = known.get_mut(&shard)?;
        if peer.channel.is_none() {
            let endpoint = Endpoint::from_shared(format!("http://{}", peer.address)).ok()?;
            let endpoint = endpoint
                .connect_timeout(CONNECT_TIMEOUT)
                .tcp_nodelay(true)
                .initial_stream_window_size(STREAM_WINDOW_BYTES)
                .initial_connection_window_size(STREAM_WINDOW_BYTES)
                .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
                .keep_alive_timeout(KEEPALIVE_TIMEOUT);
            peer.channel = Some(self.tls.connect_lazy(&endpoint));
        }
        peer.channel.clone().map(|channel| to_set(channel, self.set.as_ref()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShardIndex, Peer>> {
        // A table of addresses is whole between any two statements.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
