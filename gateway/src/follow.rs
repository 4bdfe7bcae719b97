//! The task that keeps the gateway's routes up to date: what is published and what workers say, in one place, one at a time.
//!
//! A change is made in this order: the ways to the new workers are there, new requests take them, and then what waits on
//! ways that are out of date is called back. So nobody is ever sent back to routes that are not there yet, and nothing
//! waits for a change.

pub(crate) mod heard;

use std::convert::Infallible;
use std::sync::Arc;

use shardset_membership::{Origin, Published, Record};
use shardset_model::{Membership, UnixMillis};
use shardset_process::logging::chain;
use shardset_process::{Condition, clock};
use tokio::sync::watch;

use crate::deliver::{Deliver, Lanes};
use crate::membership::{MembershipMetrics, Routes};
use heard::Heard;

/// The ways that requests take now; `None` before the first membership.
pub(crate) type Current = watch::Receiver<Option<Arc<Lanes>>>;

/// What a gateway routes by, at any time. Clones look at the same. It holds no ways to workers: those end when no request needs
/// them, whoever looks on.
#[derive(Clone, Debug)]
pub struct Routing(watch::Receiver<Option<Held>>);

impl Routing {
    /// The membership, and how it came; none before the first.
    pub fn held(&self) -> Option<Held> {
        self.0.borrow().clone()
    }
}

/// A membership, and how it came.
pub type Held = (Arc<Membership>, Origin);

/// Follows memberships and says which lanes are current.
pub(crate) struct Follow {
    published: Published,
    heard: watch::Receiver<Heard>,
    deliver: Deliver,
    metrics: MembershipMetrics,
    /// Met while no request has missed an epoch that is not reached.
    ready: Condition,
    /// The record that was looked at last.
    last: Option<Arc<Record>>,
    routes: Option<Routes>,
    lanes: watch::Sender<Option<Arc<Lanes>>>,
    routed_by: watch::Sender<Option<Held>>,
}

impl Follow {
    /// Whatever is known now is current when this comes back.
    pub(crate) fn start(
        published: Published,
        heard: watch::Receiver<Heard>,
        deliver: Deliver,
        metrics: MembershipMetrics,
        ready: Condition,
    ) -> (Self, Current) {
        let (lanes, current) = watch::channel(None);
        let routed_by = watch::Sender::new(None);
        let mut follow = Self { published, heard, deliver, metrics, ready, last: None, routes: None, lanes, routed_by };
        follow.look();
        (follow, current)
    }

    /// What is routed by.
    pub(crate) fn routing(&self) -> Routing {
        Routing(self.routed_by.subscribe())
    }

    /// Runs until nobody takes requests, and so nobody can hear a refusal, any more.
    pub(crate) async fn run(mut self) -> Result<(), Infallible> {
        let mut publishes = true;
        loop {
            tokio::select! {
                // Whoever publishes may go away; the last membership stays.
                changed = self.published.records.changed(), if publishes => publishes = changed.is_ok(),
                changed = self.heard.changed() => if changed.is_err() { return Ok(()) },
            }
            self.look();
        }
    }

    fn look(&mut self) {
        let record = self.published.records.borrow_and_update().clone();
        if let Some(record) = record.filter(|record| self.last.as_ref().is_none_or(|last| !Arc::ptr_eq(last, record))) {
            self.take(&record);
            self.last = Some(record);
        }
        let heard = self.heard.borrow_and_update().clone();
        if let Some(newest) = &heard.newest {
            self.adopt(newest);
        }
        let reached = |routes: &Routes| heard.missed.is_none_or(|missed| missed <= routes.epoch());
        self.ready.set(self.routes.as_ref().is_some_and(reached));
    }

    fn take(&mut self, record: &Record) {
        match Routes::after(self.routes.as_ref(), record) {
            Ok(routes) => {
                let changes = self.routes.as_ref().is_some_and(|held| held.membership() != routes.membership());
                self.route_by(routes);
                if let Some(published) = record.published().filter(|_| changes) {
                    self.metrics.published(seconds_since(published));
                }
            }
            Err(refused) => {
                self.metrics.refusals().count(&refused);
                tracing::warn!(error = chain(&refused), "a published membership is refused; the last good one stays");
            }
        }
    }

    fn adopt(&mut self, newest: &Membership) {
        if let Some(routes) = self.routes.as_ref().and_then(|held| held.adopt(newest)) {
            self.metrics.adopted();
            self.route_by(routes);
        }
    }

    fn route_by(&mut self, routes: Routes) {
        self.say(&routes);
        self.metrics.routed_by(routes.membership(), routes.origin());
        let before = self.lanes.borrow().clone();
        let lanes = Arc::new(self.deliver.lanes(&routes, before.as_deref()));
        self.routed_by.send_replace(Some((Arc::clone(routes.membership()), routes.origin())));
        self.routes = Some(routes);
        self.lanes.send_replace(Some(Arc::clone(&lanes)));
        if let Some(before) = before {
            before.make_way(&lanes);
        }
    }

    /// A change of owners is said once, with both epochs.
    fn say(&self, routes: &Routes) {
        let held = self.routes.as_ref().map_or(0, |held| held.epoch().get());
        let (epoch, shards) = (routes.epoch().get(), routes.membership().shards().get());
        if held == epoch {
            tracing::debug!(epoch, shards, "workers or the phase of the membership changed");
        } else {
            tracing::info!(from_epoch = held, epoch, shards, phase = ?routes.membership().phase(), "requests are routed by another membership");
        }
    }
}

fn seconds_since(published: UnixMillis) -> f64 {
    let now = clock::now().millis();
    // Two machines' clocks: a time in the future is no time at all.
    now.0.saturating_sub(published.0).max(0) as f64 / 1e3
}
