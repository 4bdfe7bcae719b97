//! One shard's merger: collects parts, sends them together, retries them together, answers each.
//!
//! Nagle's rule: with nothing on the way a part leaves at once; otherwise it waits a few milliseconds for company. So a
//! quiet gateway adds no latency and a busy one sends few, large requests.
//!
//! A batch is sent only while its way is in force for its membership. Before each attempt, and during the wait for it, a change
//! of membership or of the worker's place calls it back; an attempt under way is left to end, since its answer is worth more
//! than a guess.

use std::sync::Arc;
use std::time::Duration;

use shardset_model::Epoch;
use shardset_wire::ExportAnswer;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
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
    /// A part that could not travel with those before it.
    left_over: Option<Part>,
    window: Arc<Semaphore>,
    sender: Sender,
}

#[derive(Clone)]
struct Sender {
    link: Link,
    /// The epoch that this way is in force for; `None` when it is called off.
    serves: watch::Receiver<Option<Epoch>>,
    settings: DeliverSettings,
    metrics: ShardMetrics,
}

impl Merger {
    pub(super) fn new(
        queue: mpsc::Receiver<Part>,
        link: Link,
        serves: watch::Receiver<Option<Epoch>>,
        settings: DeliverSettings,
        metrics: ShardMetrics,
    ) -> Self {
        let window = Arc::new(Semaphore::new(settings.in_flight));
        Self { queue, left_over: None, window, sender: Sender { link, serves, settings, metrics } }
    }

    /// Runs until nobody can send here any more, and what was sent has been answered.
    pub(super) async fn run(mut self) -> Result<(), JoinError> {
        let mut flights = JoinSet::new();
        while let Some(first) = self.first().await {
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

    async fn first(&mut self) -> Option<Part> {
        match self.left_over.take() {
            Some(part) => Some(part),
            None => self.queue.recv().await,
        }
    }

    async fn collect(&mut self, first: Part) -> Batch {
        let settings = &self.sender.settings;
        let others_on_the_way = self.window.available_permits() + 1 < settings.in_flight;
        let linger = if others_on_the_way { settings.linger } else { Duration::ZERO };
        let leave = Instant::now() + linger;
        let mut batch = Batch::new(first);
        while batch.bytes() < settings.batch_bytes && self.left_over.is_none() {
            match timeout_at(leave, self.queue.recv()).await {
                Ok(Some(part)) => self.left_over = batch.push(part).err(),
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
    /// Sends the batch until each of its parts is answered, for as long as this is the way that they should take.
    async fn deliver(&self, mut batch: Batch) {
        let mut backoff = Backoff::default();
        let mut why = String::from("the worker was not asked in time");
        loop {
            batch.expire(Instant::now(), &why);
            let Some(deadline) = batch.deadline() else { return };
            if is_past(*self.serves.borrow(), batch.epoch()) {
                return batch.hand_back(None);
            }
            let status = match self.attempt(&batch, deadline).await {
                Ok(answer) => return batch.durable(&answer),
                Err(status) => status,
            };
            match Verdict::of(&status, batch.epoch()) {
                Verdict::Final => return self.isolate(batch, &status).await,
                Verdict::Stale(newer) => return batch.hand_back(Some(Arc::new(newer))),
                Verdict::Retry(asked) => self.pause((Instant::now() + backoff.next(asked)).min(deadline), &batch).await,
            }
            why = format!("the worker can not be reached or is busy: {}", status.message());
        }
    }

    /// Waits for the next attempt, or until this is not the batch's way any more.
    async fn pause(&self, until: Instant, batch: &Batch) {
        let mut serves = self.serves.clone();
        let called_off = async {
            if serves.wait_for(|serves| is_past(*serves, batch.epoch())).await.is_err() {
                // No membership will come any more.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = sleep_until(until) => {}
            () = called_off => {}
        }
    }

    async fn attempt(&self, batch: &Batch, deadline: Instant) -> Result<ExportAnswer, Status> {
        let began = Instant::now();
        self.metrics.sent(batch.len(), batch.bytes());
        let until = deadline.min(began + self.settings.attempt_timeout);
        let result = timeout_at(until, self.link.export(batch.request(), batch.membership())).await;
        let (ended, result) = match result {
            Ok(Ok(answer)) => (AttemptResult::Durable, Ok(answer)),
            Ok(Err(status)) => (attempt_result(&status, batch.epoch()), Err(status)),
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

/// Whether a way that serves this epoch is out of date for what was split under that one. What is newer than the way knows
/// of is on it because the membership has just changed.
fn is_past(serves: Option<Epoch>, epoch: Epoch) -> bool {
    serves.is_none_or(|serves| serves > epoch)
}

fn attempt_result(status: &Status, epoch: Epoch) -> AttemptResult {
    match Verdict::of(status, epoch) {
        Verdict::Retry(_) => AttemptResult::Retried,
        Verdict::Final => AttemptResult::Rejected,
        Verdict::Stale(_) => AttemptResult::OtherEpoch,
    }
}
