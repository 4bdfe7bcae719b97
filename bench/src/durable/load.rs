//! Load of a known rate: requests leave when it is their time, whatever became of those before, and every answer is kept.

use std::time::Duration;

use bytes::Bytes;
use shardset_load::{PayloadShape, StandardPayload};
use shardset_model::UnixNanos;
use shardset_process::clock;
use shardset_wire::{ExportAnswer, MetricsClient};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

/// Points of a request.
pub(super) const POINTS: u32 = 1000;
/// As many as a gateway may have towards a worker, about; one more waits until one is answered.
const IN_FLIGHT_MAX: usize = 1000;

const MINUTE: Duration = Duration::from_secs(60);

/// Requests of streams of their own, each sent in turn with new times.
pub(super) struct Ring {
    payloads: Vec<(StandardPayload, u64)>,
    next: usize,
}

/// What became of a request.
pub(super) struct Answer {
    pub(super) sent: Instant,
    pub(super) answered: Instant,
    /// Why it was not accepted, all of it.
    pub(super) error: Option<String>,
}

impl Ring {
    /// So many requests of [`POINTS`] points.
    pub(super) fn new(requests: u64) -> Self {
        Self::of(requests, POINTS)
    }

    /// So many requests of so many points.
    pub(super) fn of(requests: u64, points: u32) -> Self {
        let payload = |seed| (StandardPayload::new(PayloadShape::Big, points, seed), 0);
        Self { payloads: (0..requests).map(payload).collect(), next: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.payloads.len()
    }

    /// The next request. Its points begin where those of the last time ended.
    pub(super) fn turn(&mut self) -> Bytes {
        let requests = self.len();
        let (payload, before) = &mut self.payloads[self.next];
        self.next = (self.next + 1) % requests;
        let now = clock::now().0.max(*before + 1);
        let start = if *before == 0 { UnixNanos(now).minus(MINUTE).0 } else { *before };
        payload.stamp(start, now);
        *before = now;
        Bytes::copy_from_slice(payload.bytes())
    }

    /// All requests at a time that is given, a minute long.
    pub(super) fn at(
        &mut self,
        time: UnixNanos,
        mut each: impl FnMut(&StandardPayload) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for (payload, before) in &mut self.payloads {
            payload.stamp(time.minus(MINUTE).0, time.0);
            *before = time.0;
            each(payload)?;
        }
        Ok(())
    }
}

impl Answer {
    pub(super) fn took(&self) -> Duration {
        self.answered - self.sent
    }
}

/// Connections to a server.
pub(super) async fn connect(url: &str, connections: usize) -> anyhow::Result<Vec<Channel>> {
    let mut channels = Vec::new();
    for _ in 0..connections {
        channels.push(Endpoint::from_shared(url.to_owned())?.connect().await?);
    }
    Ok(channels)
}

/// Sends `requests`, so many at a time, and waits for all answers.
pub(super) async fn send_all(
    channels: &[Channel],
    ring: &mut Ring,
    requests: usize,
    in_flight: usize,
) -> anyhow::Result<()> {
    let mut sending = JoinSet::new();
    for number in 0..requests {
        if sending.len() >= in_flight {
            accepted(sending.join_next().await)?;
        }
        sending.spawn(send(channels[number % channels.len()].clone(), ring.turn()));
    }
    while let Some(answer) = sending.join_next().await {
        accepted(Some(answer))?;
    }
    Ok(())
}

/// Sends so many requests a second until told that it is over; all answers.
pub(super) async fn send_at(
    channels: Vec<Channel>,
    ring: &mut Ring,
    per_second: f64,
    is_over: watch::Receiver<bool>,
) -> anyhow::Result<Vec<Answer>> {
    let (begun, mut answers, mut sending) = (Instant::now(), Vec::new(), JoinSet::new());
    let mut number = 0_u32;
    while !*is_over.borrow() {
        sleep_until(begun + Duration::from_secs_f64(f64::from(number) / per_second)).await;
        while let Some(answer) = sending.try_join_next() {
            answers.push(answer?);
        }
        if sending.len() >= IN_FLIGHT_MAX {
            answers.extend(sending.join_next().await.transpose()?);
        }
        sending.spawn(send(channels[number as usize % channels.len()].clone(), ring.turn()));
        number += 1;
    }
    while let Some(answer) = sending.join_next().await {
        answers.push(answer?);
    }
    Ok(answers)
}

async fn send(channel: Channel, request: Bytes) -> Answer {
    let sent = Instant::now();
    let answer = MetricsClient::new(channel).export(Request::new(request)).await;
    let error = match answer.map(|answer| ExportAnswer::decode(answer.into_inner())) {
        Ok(Ok(answer)) if answer.rejected_points == 0 => None,
        Ok(Ok(answer)) => Some(format!("{} points were rejected: {}", answer.rejected_points, answer.message)),
        Ok(Err(error)) => Some(error.to_string()),
        Err(status) => Some(format!("{:?}: {}", status.code(), status.message())),
    };
    Answer { sent, answered: Instant::now(), error }
}

fn accepted(answer: Option<Result<Answer, tokio::task::JoinError>>) -> anyhow::Result<()> {
    match answer.transpose()?.and_then(|answer| answer.error) {
        Some(error) => anyhow::bail!("a request was not accepted: {error}"),
        None => Ok(()),
    }
}
