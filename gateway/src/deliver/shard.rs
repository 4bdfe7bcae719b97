//! One shard's merger: collects parts, sends them together, retries them together, answers each.
//!
//! Nagle's rule: with nothing on the way a part leaves at once; otherwise it waits a few milliseconds for company. So a
//! quiet gateway adds no latency and a busy one sends few, large requests.

use std::sync::Arc;
use std::time::Duration;

use shardset_wire::ExportAnswer;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::Status;

use super::DeliverSettings;
use super::batch::{Batch, Part};
use super::link::Link;
use super::metrics::{AttemptResult, ShardMetrics};
use super::retry::{Backoff, Verdict};

/// The task that serves one shard.
pub(super) struct Merger {
    queue: mpsc::Receiver<Part>,
    window: Arc<Semaphore>,
    sender: Sender,
}

#[derive(Clone)]
struct Sender {
    link: Link,
    settings: DeliverSettings,
    metrics: ShardMetrics,
}

impl Merger {
    pub(super) fn new(
        queue: mpsc::Receiver<Part>,
        link: Link,
        settings: DeliverSettings,
        metrics: ShardMetrics,
    ) -> Self {
        let window = Arc::new(Semaphore::new(settings.in_flight));
        Self { queue, window, sender: Sender { link, settings, metrics } }
    }

    /// Runs until every [`super::Deliver`] is gone and what they sent has been answered.
    pub(super) async fn run(mut self) -> Result<(), JoinError> {
        let mut flights = JoinSet::new();
        while let Some(first) = self.queue.recv().await {
            // While the window is full the queue fills, and the next batch is the larger for it.
            let place = Arc::clone(&self.window).acquire_owned().await.expect("the window is never closed");
            let batch = self.collect(first).await;
            flights.spawn(fly(self.sender.clone(), batch, place));
            while let Some(landed) = flights.try_join_next() {
                landed?;
            }
        }
        while let Some(landed) = flights.join_next().await {
            landed?;
        }
        Ok(())
    }

    async fn collect(&mut self, first: Part) -> Batch {
        let settings = &self.sender.settings;
        let others_on_the_way = self.window.available_permits() + 1 < settings.in_flight;
        let linger = if others_on_the_way { settings.linger } else { Duration::ZERO };
        let leave = Instant::now() + linger;
        let mut batch = Batch::default();
        batch.push(first);
        while batch.bytes() < settings.batch_bytes {
            match timeout_at(leave, self.queue.recv()).await {
                Ok(Some(part)) => batch.push(part),
                Ok(None) | Err(_) => break,
            }
        }
        batch
    }
}

async fn fly(sender: Sender, batch: Batch, _place: OwnedSemaphorePermit) {
    sender.deliver(batch).await;
}

impl Sender {
    /// Sends the batch until each of its parts is answered.
    async fn deliver(&self, mut batch: Batch) {
        let mut backoff = Backoff::default();
        let mut why = String::from("the worker was not asked in time");
        loop {
            batch.expire(Instant::now(), &why);
            let Some(deadline) = batch.deadline() else { return };
            let status = match self.attempt(&batch, deadline).await {
                Ok(answer) => return batch.durable(&answer),
                Err(status) => status,
            };
            match Verdict::of(&status) {
                Verdict::Final => return self.isolate(batch, &status).await,
                Verdict::OtherEpoch => why = format!("the worker is at another epoch: {}", status.message()),
                Verdict::Retry(_) => why = format!("the worker can not be reached or is busy: {}", status.message()),
            }
            let asked = shardset_wire::status::retry_after(&status);
            sleep_until((Instant::now() + backoff.next(asked)).min(deadline)).await;
        }
    }

    async fn attempt(&self, batch: &Batch, deadline: Instant) -> Result<ExportAnswer, Status> {
        let began = Instant::now();
        self.metrics.sent(batch.len(), batch.bytes());
        let until = deadline.min(began + self.settings.attempt_timeout);
        let result = timeout_at(until, self.link.export(batch.request())).await;
        let (ended, result) = match result {
            Ok(Ok(answer)) => (AttemptResult::Durable, Ok(answer)),
            Ok(Err(status)) => (attempt_result(&status), Err(status)),
            Err(_) => (AttemptResult::TimedOut, Err(Status::deadline_exceeded("no answer in time"))),
        };
        self.metrics.ended(ended, began.elapsed().as_secs_f64());
        if let Err(status) = &result {
            tracing::debug!(points = batch.points(), error = %status, "an attempt to deliver failed");
        }
        result
    }

    /// Bytes that no worker will take must not take other clients' parts with them: each part goes alone.
    async fn isolate(&self, batch: Batch, status: &Status) {
        if batch.len() == 1 {
            tracing::warn!(points = batch.points(), error = %status, "a worker rejects a request that the gateway had passed");
            return batch.rejected(status.message());
        }
        for alone in batch.apart() {
            Box::pin(self.deliver(alone)).await;
        }
    }
}

fn attempt_result(status: &Status) -> AttemptResult {
    match Verdict::of(status) {
        Verdict::Retry(_) => AttemptResult::Retried,
        Verdict::Final => AttemptResult::Rejected,
        Verdict::OtherEpoch => AttemptResult::OtherEpoch,
    }
}
