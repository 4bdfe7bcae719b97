//! Delivers batches to one backend by remote write 1.0: for as long as it takes, and losing nothing that could be kept.
//!
//! What an answer means:
//!
//! | answer | meaning | what is done |
//! | --- | --- | --- |
//! | 2xx | stored | |
//! | 5xx, 408, 429, no answer, too late | not now | again, after a pause that doubles from 30 ms to 5 s; `Retry-After` is honoured up to a minute |
//! | 400, 409, 413, 422 | something in it is refused | halve it until the offending series stand alone; those are dropped and counted by reason (`isolate`) |
//! | any other | the destination is set up wrongly, which is not the data's fault | again every 30 s, with an error in the log each time |
//!
//! The last line differs from Prometheus' sender, which drops the data. A wrong token is put right by somebody, and since
//! values are cumulative, waiting costs nothing but the ticks in between.
//!
//! One request is under way at a time: samples of a series must arrive in order. Whoever calls encodes the next batch
//! when this one is done, so a backend that is away costs one batch of memory, however long it is away.
//!
//! IO: sockets, the files of TLS and of secrets, timers. The clock and the seed of the jitter are given.

mod answer;
mod backoff;
mod isolate;
mod metrics;
mod rejection;
mod request;
mod settings;
mod sigv4;

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use shardset_model::UnixNanos;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use self::answer::{Answer, Later};
use self::backoff::Backoff;
use self::isolate::Isolation;
use self::rejection::Rejection;
use self::request::Requests;
use crate::Batch;

pub use self::metrics::{ClientMetrics, DestinationMetrics};
pub use self::rejection::DropReason;
pub use self::settings::{Auth, DestinationSettings, InvalidDestination, RetrySettings, Secret, SigV4, TlsSettings};

/// A backend that takes remote write.
#[derive(Debug)]
pub struct Destination {
    requests: Requests,
    backoff: Backoff,
    metrics: DestinationMetrics,
    clock: fn() -> UnixNanos,
}

/// What became of a batch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delivered {
    /// Samples the backend has taken.
    pub samples: u64,
    /// Samples the backend refuses for good.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Series of the batch that were refused for their age.
    pub aged: Vec<Range<usize>>,
    /// Series of the batch that were given up together with such as are refused.
    pub unproven: Vec<Range<usize>>,
}

/// The batch was given up because the process stops; what of it arrived is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("stopped before the batch was delivered")]
pub struct Stopped;

impl Destination {
    /// A destination, not yet connected. `clock` tells the time of the last success and of signatures, and what a `Retry-After` date
    /// means.
    ///
    /// # Errors
    ///
    /// The first setting that can not work, by its name.
    pub fn new(
        settings: &DestinationSettings,
        metrics: DestinationMetrics,
        clock: fn() -> UnixNanos,
    ) -> Result<Self, InvalidDestination> {
        let backoff = Backoff::new(settings.retry, settings.seed);
        Ok(Self { requests: Requests::new(settings, clock)?, backoff, metrics, clock })
    }

    /// Delivers a batch, whatever that takes.
    ///
    /// # Errors
    ///
    /// `stop` was cancelled first.
    pub async fn deliver(&self, batch: &Batch, stop: &CancellationToken) -> Result<Delivered, Stopped> {
        let mut delivered = Delivered::default();
        if batch.is_empty() {
            return Ok(delivered);
        }
        let all = 0..batch.series();
        match self.send(&batch.message(), stop).await? {
            None => self.count_taken(batch, all, &mut delivered),
            Some(rejection) => {
                self.log(&rejection, batch);
                let has_metadata = !batch.metadata.is_empty();
                let isolation = Isolation::of_refused(batch.series(), has_metadata);
                self.isolate(batch, isolation, rejection, &mut delivered, stop).await?;
            }
        }
        Ok(delivered)
    }

    /// Sends what is left piece by piece, until all of it is taken or dropped.
    async fn isolate(
        &self,
        batch: &Batch,
        mut isolation: Isolation,
        mut rejection: Rejection,
        delivered: &mut Delivered,
        stop: &CancellationToken,
    ) -> Result<(), Stopped> {
        while let Some(step) = isolation.next() {
            let series = match step {
                isolate::Step::Try(series) => series,
                isolate::Step::Drop(series) => {
                    self.count_dropped(batch, series, rejection.reason, delivered);
                    continue;
                }
            };
            match self.send(batch.message_of(series.clone()), stop).await? {
                None => self.count_taken(batch, series, delivered),
                Some(refused) => {
                    isolation.refused(series);
                    rejection = refused;
                }
            }
        }
        Ok(())
    }

    /// Sends one message until it is answered: taken (`None`) or refused.
    async fn send(&self, message: &[u8], stop: &CancellationToken) -> Result<Option<Rejection>, Stopped> {
        let body = compress(message);
        for attempt in 0.. {
            let _under_way = self.metrics.under_way();
            let answer = self.requests.send(body.clone(), attempt);
            match stop.run_until_cancelled(answer).await.ok_or(Stopped)? {
                Answer::Taken => {
                    self.metrics.succeeded((self.clock)());
                    break;
                }
                Answer::Refused(rejection) => return Ok(Some(rejection)),
                Answer::Later(later) => self.wait(&later, attempt, stop).await?,
            }
        }
        Ok(None)
    }

    async fn wait(&self, later: &Later, attempt: u32, stop: &CancellationToken) -> Result<(), Stopped> {
        let pause = self.backoff.pause(later, attempt, (self.clock)());
        self.metrics.retried(later.cause);
        let (url, cause, told) = (self.requests.shown_url(), later.cause.name(), &later.told);
        let pause_ms = pause.as_millis();
        if later.cause.is_misconfiguration() {
            tracing::error!(%url, cause, %told, attempt, pause_ms, "the destination does not take our requests; is it set up rightly? nothing is lost, trying again");
        } else if attempt.is_power_of_two() {
            tracing::warn!(%url, cause, %told, attempt, pause_ms, "the destination does not answer or asks us to wait; trying again");
        }
        stop.run_until_cancelled(tokio::time::sleep(pause)).await.ok_or(Stopped)
    }

    fn count_taken(&self, batch: &Batch, series: Range<usize>, delivered: &mut Delivered) {
        let samples = batch.samples_in(series);
        delivered.samples += samples;
        self.metrics.sent(samples);
    }

    fn count_dropped(&self, batch: &Batch, series: Range<usize>, reason: DropReason, delivered: &mut Delivered) {
        let samples = batch.samples_in(series.clone());
        if samples == 0 {
            return;
        }
        if series.len() > 1 {
            delivered.unproven.push(series.clone());
        }
        if reason.is_of_age() {
            delivered.aged.push(series);
        }
        *delivered.dropped.entry(reason).or_default() += samples;
        self.metrics.dropped(reason, samples);
    }

    /// One line per batch: the answers to its halves say the same again.
    fn log(&self, rejection: &Rejection, batch: &Batch) {
        let advice = if self.requests.is_amp() {
            "see DiscardedSamples by reason in CloudWatch, namespace AWS/Prometheus"
        } else {
            "see the backend's log"
        };
        tracing::warn!(
            url = %self.requests.shown_url(),
            status = rejection.status.as_u16(),
            reason = rejection.reason.name(),
            series = batch.series(),
            body = %rejection.told,
            advice,
            "the destination refuses something in a batch; isolating it"
        );
    }
}

/// The block format of snappy, which is what remote write means.
fn compress(message: &[u8]) -> Bytes {
    let compressed = snap::raw::Encoder::new().compress_vec(message);
    compressed.expect("a message is far below the 4 GiB that snappy takes").into()
}

#[cfg(test)]
mod tests;
