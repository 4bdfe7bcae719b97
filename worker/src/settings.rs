//! What can be set about a worker. The defaults are those of the flags.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use shardset_export::Translation;
use shardset_model::SetName;
use shardset_tls::PeerTls;

const MIB: usize = 1024 * 1024;

/// The settings of one worker.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where gateways send to. Port 0 takes a free one; see [`crate::Worker::address`].
    pub listen: SocketAddr,
    /// Which set it is of, where there are more that may reach it: what does not name this one is sent back.
    pub set: Option<SetName>,
    /// Whether gateways, other workers and whoever coordinates reach it with TLS.
    pub tls: PeerTls,
    /// How streams are counted.
    pub accumulate: shardset_accumulate::Settings,
    /// How streams are called on the other side. All workers and destinations of one set share it.
    pub translation: Translation,
    /// Time between ticks.
    pub export_interval: Duration,
    /// A live stream that does not change is repeated this often, rounded up to whole ticks.
    pub heartbeat: Duration,
    /// The most bytes of points that wait for streams which are on their way to this worker.
    pub parked_bytes_max: usize,
    /// How long a stop may take to deliver what is not delivered yet.
    pub stop_grace: Duration,
    /// The longest message taken, in bytes, before and after decompression.
    pub message_bytes_max: usize,
    /// The most bytes of requests that are not answered yet.
    pub inflight_bytes_max: usize,
    /// The most events that wait for the shard's thread. A waiting request is an `Arc` and a few words: what it weighs
    /// is bounded by `inflight_bytes_max`.
    pub mailbox_events_max: usize,
}

impl Settings {
    /// Every how many ticks an unchanged stream is repeated.
    pub(crate) fn heartbeat_ticks(&self) -> u64 {
        let interval = self.export_interval.as_nanos().max(1);
        u64::try_from(self.heartbeat.as_nanos().div_ceil(interval)).unwrap_or(u64::MAX).max(1)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            set: None,
            tls: PeerTls::default(),
            accumulate: shardset_accumulate::Settings::default(),
            translation: Translation::default(),
            export_interval: Duration::from_secs(15),
            heartbeat: Duration::from_secs(60),
            stop_grace: Duration::from_secs(10),
            // A client's 64 MiB and what re-framing adds to it: headers of resources that are repeated per shard.
            message_bytes_max: 68 * MIB,
            inflight_bytes_max: 256 * MIB,
            mailbox_events_max: 1024,
            parked_bytes_max: 64 * MIB,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Settings;

    #[test]
    fn a_heartbeat_is_a_whole_number_of_ticks_and_at_least_one() {
        for (interval, heartbeat, ticks) in [(15, 60, 4), (15, 50, 4), (30, 10, 1), (7, 0, 1)] {
            let settings = Settings {
                export_interval: Duration::from_secs(interval),
                heartbeat: Duration::from_secs(heartbeat),
                ..Settings::default()
            };
            assert_eq!(settings.heartbeat_ticks(), ticks, "{heartbeat} s at {interval} s");
        }
    }
}
