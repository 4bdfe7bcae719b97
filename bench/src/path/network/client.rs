//! Sends standard payloads as fast as they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use shardset_load::{PayloadShape, StandardPayload};
use shardset_process::clock;
use shardset_wire::{ExportAnswer, MetricsClient};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tonic::Request;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};

use crate::server::CpuTimes;

/// Streams that all senders together write to, about; more than fit into a core's cache.
const STREAMS: u32 = 64_000;

/// What is sent.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) shape: PayloadShape,
    pub(super) points: u32,
    pub(super) connections: u32,
    /// Per connection.
    pub(super) in_flight: u32,
    pub(super) compression: Option<CompressionEncoding>,
}

/// What was answered within a while, and what the server spent on it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Window {
    seconds: f64,
    requests: f64,
    points: f64,
    shards: Duration,
    others: Duration,
}

#[derive(Default)]
struct Shared {
    requests: AtomicU64,
    is_over: AtomicBool,
}

impl Window {
    /// Points per second, requests per second, cores, nanoseconds of CPU per point, and those of it in shards.
    pub(super) fn figures(&self) -> [f64; 5] {
        let cpu = self.shards + self.others;
        let per_point = |spent: Duration| spent.as_secs_f64() * 1e9 / self.points;
        let cores = cpu.as_secs_f64() / self.seconds;
        [self.points / self.seconds, self.requests / self.seconds, cores, per_point(cpu), per_point(self.shards)]
    }
}

/// Sends for a window of warm-up and then `windows` more, and says what was spent in each.
pub(super) fn windows(
    url: String,
    load: &Load,
    length: Duration,
    windows: usize,
    spent: impl Fn() -> anyhow::Result<CpuTimes>,
) -> anyhow::Result<Vec<Window>> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let shared = Arc::new(Shared::default());
        let mut senders = JoinSet::new();
        for number in 0..load.connections {
            let channel = Endpoint::from_shared(url.clone())?.connect().await?;
            for lane in 0..load.in_flight {
                let seed = u64::from(number * load.in_flight + lane);
                senders.spawn(send(channel.clone(), *load, seed, Arc::clone(&shared)));
            }
        }
        sleep(length).await;
        let mut measured = Vec::new();
        for _ in 0..windows {
            let (begun, requests, before) = (Instant::now(), shared.requests.load(Relaxed), spent()?);
            sleep(length).await;
            let (after, answered) = (spent()?, shared.requests.load(Relaxed) - requests);
            measured.push(Window {
                seconds: begun.elapsed().as_secs_f64(),
                requests: answered as f64,
                points: answered as f64 * f64::from(load.points),
                shards: after.shards - before.shards,
                others: after.others - before.others,
            });
        }
        shared.is_over.store(true, Relaxed);
        while let Some(ended) = senders.join_next().await {
            ended??;
        }
        Ok(measured)
    })
}

/// One request at a time, each a payload in turn with times of its own.
async fn send(channel: Channel, load: Load, seed: u64, shared: Arc<Shared>) -> anyhow::Result<()> {
    let mut client = MetricsClient::new(channel);
    if let Some(compression) = load.compression {
        client = client.send_compressed(compression);
    }
    let lanes = load.connections * load.in_flight;
    let count = (STREAMS / lanes / load.points).max(1);
    let mut payloads: Vec<StandardPayload> = (0..count)
        .map(|number| StandardPayload::new(load.shape, load.points, seed << 32 | u64::from(number)))
        .collect();
    let mut before = clock::now().0;
    while !shared.is_over.load(Relaxed) {
        for payload in &mut payloads {
            let now = clock::now().0.max(before + 1);
            payload.stamp(before, now);
            before = now;
            let answer = client.export(Request::new(Bytes::copy_from_slice(payload.bytes()))).await?;
            let answer = ExportAnswer::decode(answer.into_inner())?;
            anyhow::ensure!(answer.rejected_points == 0, "points were rejected: {}", answer.message);
            shared.requests.fetch_add(1, Relaxed);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Window;

    #[test]
    fn a_window_is_told_as_rates() {
        let [shards, others] = [500, 1500].map(Duration::from_millis);
        let window = Window { seconds: 2.0, requests: 10.0, points: 1000.0, shards, others };
        assert_eq!(window.figures(), [500.0, 5.0, 1.0, 2e6, 5e5]);
    }
}
