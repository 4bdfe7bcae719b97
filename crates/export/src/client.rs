//! Delivers batches to one backend: for as long as it takes, and losing nothing that could be kept.
//!
//! What an answer means, whatever the protocol (which answers are which stands in `remote_write`, `otlp` and `grpc`):
//!
//! | answer | what is done |
//! | --- | --- |
//! | stored | what an OTLP backend calls rejected is counted and logged |
//! | not now, no answer, too late | again, after a pause that doubles from 30 ms to 5 s; `Retry-After` and `RetryInfo` are honoured up to a minute |
//! | something in it is refused | halve it until the offending entries stand alone; those are dropped and counted by reason (`isolate`) |
//! | the destination is set up wrongly, which is not the data's fault | again every 30 s, with an error in the log each time |
//!
//! The last line differs from Prometheus' sender and from OTLP, which drop the data. A wrong token is put right by somebody, and since
//! values are cumulative, waiting costs nothing but the ticks in between.
//!
//! One request is under way at a time: samples of a series must arrive in order. Whoever calls encodes the next batch
//! when this one is done, so a backend that is away costs one batch of memory, however long it is away.
//!
//! IO: sockets, the files of TLS and of secrets, timers. The clock and the seed of the jitter are given.

mod answer;
mod backoff;
mod connections;
mod grpc;
mod isolate;
mod metrics;
mod otlp;
mod protocol;
mod rejection;
mod remote_write;
mod request;
mod settings;
mod sigv4;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use shardset_model::UnixNanos;
use shardset_wire::ExportAnswer;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use self::answer::{Answer, Later};
use self::backoff::Backoff;
use self::isolate::Isolation;
use self::rejection::Rejection;
use self::request::Requests;
use crate::Batch;

pub use self::metrics::{ClientMetrics, DestinationMetrics};
pub use self::protocol::{Compression, Protocol};
pub use self::rejection::DropReason;
pub use self::settings::{Auth, DestinationSettings, InvalidDestination, RetrySettings, Secret, SigV4, TlsSettings};

/// A backend that totals are told to.
#[derive(Debug)]
pub struct Destination {
    requests: Requests,
    backoff: Backoff,
    metrics: DestinationMetrics,
    clock: fn() -> UnixNanos,
    /// The last warning that came with a success.
    warned: Mutex<String>,
}

/// What became of a batch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delivered {
    /// Samples (of OTLP: points) the backend has taken.
    pub samples: u64,
    /// Samples the backend refuses for good.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Entries of the batch that were refused for their age.
    pub aged: Vec<Range<usize>>,
    /// Entries of the batch that were given up together with such as are refused.
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
        Ok(Self { requests: Requests::new(settings, clock)?, backoff, metrics, clock, warned: Mutex::default() })
    }

    /// What it speaks.
    pub fn protocol(&self) -> Protocol {
        self.requests.protocol()
    }

    /// Delivers a batch of its protocol, whatever that takes.
    ///
    /// # Errors
    ///
    /// `stop` was cancelled first.
    pub async fn deliver(&self, batch: &Batch, stop: &CancellationToken) -> Result<Delivered, Stopped> {
        let mut delivered = Delivered::default();
        if batch.is_empty() {
            return Ok(delivered);
        }
        let all = 0..batch.entries();
        match self.send(&batch.message(), stop).await? {
            Ok(answer) => self.count_taken(batch, all, &answer, &mut delivered),
            Err(rejection) => {
                self.log(&rejection, batch);
                let isolation = Isolation::of_refused(batch.entries(), batch.has_metadata());
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
            let entries = match step {
                isolate::Step::Try(entries) => entries,
                isolate::Step::Drop(entries) => {
                    self.count_dropped(batch, entries, rejection.reason, delivered);
                    continue;
                }
            };
            match self.send(&batch.message_of(entries.clone()), stop).await? {
                Ok(answer) => {
                    isolation.taken();
                    self.count_taken(batch, entries, &answer, delivered);
                }
                Err(refused) => {
                    if refused.is_doubtful {
                        isolation.refused_doubtfully(entries)
                    } else {
                        isolation.refused(entries)
                    }
                    rejection = refused;
                }
            }
        }
        Ok(())
    }

    /// Sends one message until it is answered: taken or refused.
    async fn send(&self, message: &[u8], stop: &CancellationToken) -> Result<Result<ExportAnswer, Rejection>, Stopped> {
        let body = self.requests.body(message);
        let mut attempt = 0;
        loop {
            let _under_way = self.metrics.under_way();
            let answer = self.requests.send(body.clone(), attempt);
            match stop.run_until_cancelled(answer).await.ok_or(Stopped)? {
                Answer::Taken(answer) => {
                    self.metrics.succeeded((self.clock)());
                    return Ok(Ok(answer));
                }
                Answer::Refused(rejection) => return Ok(Err(rejection)),
                Answer::Later(later) => self.wait(&later, attempt, stop).await?,
            }
            attempt = attempt.saturating_add(1);
        }
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

    fn count_taken(&self, batch: &Batch, entries: Range<usize>, answer: &ExportAnswer, delivered: &mut Delivered) {
        let samples = batch.samples_in(entries);
        let rejected = answer.rejected_points.min(samples);
        delivered.samples += samples - rejected;
        self.metrics.sent(samples - rejected);
        if rejected > 0 {
            *delivered.dropped.entry(DropReason::PartialSuccess).or_default() += rejected;
            self.metrics.dropped(DropReason::PartialSuccess, rejected);
        }
        if rejected > 0 || self.is_news(&answer.message) {
            let (url, told) = (self.requests.shown_url(), Rejection::beginning(&answer.message));
            tracing::warn!(%url, rejected, samples, %told, "the destination took a batch and says that not all is well with it");
        }
    }

    /// Whether a warning is another one than the last: a backend may have one for every batch.
    fn is_news(&self, warning: &str) -> bool {
        // A text is whole between any two statements.
        let mut last = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = !warning.is_empty() && *last != warning;
        if is_news {
            warning.clone_into(&mut last);
        }
        is_news
    }

    fn count_dropped(&self, batch: &Batch, entries: Range<usize>, reason: DropReason, delivered: &mut Delivered) {
        let samples = batch.samples_in(entries.clone());
        if samples == 0 {
            return;
        }
        if entries.len() > 1 {
            delivered.unproven.push(entries.clone());
        }
        if reason.is_of_age() {
            delivered.aged.push(entries);
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
            answer = %rejection.answer,
            reason = rejection.reason.name(),
            entries = batch.entries(),
            body = %rejection.told,
            advice,
            "the destination refuses something in a batch; isolating it"
        );
    }
}

#[cfg(test)]
mod tests;
