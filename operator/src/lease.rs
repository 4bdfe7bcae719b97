//! Who of several operators acts: the holder of a Lease.
//!
//! Another one takes over when the record has not changed for the lease's duration by its own clock, so clocks need not agree.
//! Each write names the version that was read, so of two that try one wins. A lease is no lock: a holder that was stopped for
//! long may act once more before it notices, which everything that the operator does allows for.
//!
//! The crates that do this write without the version, or by the wall clock; so it is here, in a page.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The times of client-go: a lease is another's after 15 s of silence, its holder gives up after 10 s, and tries every 2 s.
const DURATION: Duration = Duration::from_secs(15);
const RENEW_WITHIN: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// A lease that is tried for, or held.
#[derive(Debug)]
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    /// The record as it was when it last changed, and when that was seen.
    seen: Option<(Option<LeaseSpec>, Instant)>,
}

/// The lease is another operator's, or could not be renewed in time, so that it may be.
#[derive(Debug, Error)]
#[error("the lease {name} is another operator's, or could not be renewed for {} s", RENEW_WITHIN.as_secs())]
pub struct Lost {
    name: String,
}

/// How one try went.
enum Tried {
    Held,
    /// Another operator has it.
    Others,
    /// Who has it is not known.
    Failed,
}

impl Election {
    /// Tries for the lease of this name under this identity.
    pub fn new(client: Client, namespace: &str, name: &str, identity: String) -> Self {
        Self { api: Api::namespaced(client, namespace), name: name.to_owned(), identity, seen: None }
    }

    /// Comes back when the lease is held.
    pub async fn win(&mut self) {
        while !matches!(self.try_once().await, Tried::Held) {
            sleep(RETRY).await;
        }
        tracing::info!(lease = self.name, identity = self.identity, "this operator acts");
    }

    /// Renews the lease until `stop`, then gives it back.
    ///
    /// # Errors
    ///
    /// It could not be renewed in time.
    pub async fn keep(mut self, stop: CancellationToken) -> Result<(), Lost> {
        let mut renewed = Instant::now();
        while stop.run_until_cancelled(sleep(RETRY)).await.is_some() {
            match self.try_once().await {
                Tried::Held => renewed = Instant::now(),
                Tried::Failed if renewed.elapsed() <= RENEW_WITHIN => {}
                Tried::Failed | Tried::Others => return Err(Lost { name: self.name }),
            }
        }
        self.give_back().await;
        Ok(())
    }

    async fn try_once(&mut self) -> Tried {
        match timeout(REQUEST_TIMEOUT, self.request()).await {
            Ok(Ok(true)) => Tried::Held,
            Ok(Ok(false)) => Tried::Others,
            // Somebody was faster, or the same: what is written says who.
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Tried::Failed,
            Ok(Err(error)) => {
                tracing::warn!(
                    error = shardset_process::logging::chain(&error),
                    lease = self.name,
                    "the lease can not be asked for"
                );
                Tried::Failed
            }
            Err(_) => {
                tracing::warn!(lease = self.name, "the API server does not answer");
                Tried::Failed
            }
        }
    }

    /// Whether the lease is held now.
    async fn request(&mut self) -> Result<bool, kube::Error> {
        let Some(lease) = self.api.get_opt(&self.name).await? else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(self.record(None)) };
            self.api.create(&PostParams::default(), &lease).await?;
            return Ok(true);
        };
        let spec = lease.spec.clone();
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != spec) {
            self.seen = Some((spec.clone(), Instant::now()));
        }
        let held_by = spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or("");
        let since = self.seen.as_ref().map_or_else(Instant::now, |(_, since)| *since);
        let is_free = held_by.is_empty() || held_by == self.identity || since.elapsed() > DURATION;
        if is_free {
            let next = Lease { spec: Some(self.record(spec.as_ref())), ..lease };
            self.api.replace(&self.name, &PostParams::default(), &next).await?;
        }
        Ok(is_free)
    }

    fn record(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = Some(MicroTime(Timestamp::now()));
        let is_mine = before.and_then(|before| before.holder_identity.as_ref()) == Some(&self.identity);
        let changes = before.and_then(|before| before.lease_transitions).unwrap_or(0);
        let acquired = before.filter(|_| is_mine).and_then(|before| before.acquire_time.clone());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: acquired.or_else(|| now.clone()),
            renew_time: now,
            lease_transitions: Some(if is_mine { changes } else { changes.saturating_add(1) }),
            ..LeaseSpec::default()
        }
    }

    /// So that the next one need not wait. Where it fails, it waits.
    async fn give_back(&self) {
        let give = async {
            let lease = self.api.get(&self.name).await?;
            let spec = lease.spec.clone().unwrap_or_default();
            if spec.holder_identity.as_ref() != Some(&self.identity) {
                return Ok(());
            }
            let spec = LeaseSpec { holder_identity: None, lease_duration_seconds: Some(1), ..spec };
            let free = Lease { spec: Some(spec), ..lease };
            self.api.replace(&self.name, &PostParams::default(), &free).await.map(drop)
        };
        match timeout(REQUEST_TIMEOUT, give).await {
            Ok(Ok(())) => tracing::info!(lease = self.name, "the lease is given back"),
            Ok(Err(error)) => {
                let error: kube::Error = error;
                tracing::warn!(
                    error = shardset_process::logging::chain(&error),
                    lease = self.name,
                    "the lease can not be given back"
                );
            }
            Err(_) => tracing::warn!(lease = self.name, "the lease can not be given back in time"),
        }
    }
}
