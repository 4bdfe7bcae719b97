//! The gateway's street: receive → identify, route → deliver → answer. Read this file first.
//!
//! A request is split under the membership that is current when it comes, and stays with it. Where that changes under one of its
//! parts, the part comes back and is split again: it is a request itself, so points go to their new owners by the same two
//! stages, and nowhere else in between. The request waits for the newer membership no longer than for anything else.
//!
//! At a stop, the order is the street's: no new requests, those under way end, then nothing waits at the mergers any more.

mod answer;

use std::convert::Infallible;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use shardset_membership::{Published, Refusals};
use shardset_model::Membership;
use shardset_process::{Condition, Readiness, Tasks};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::deliver::{Acks, Deliver, DeliverMetrics, DeliverSettings, Lanes, PartAnswer, Progress, Settled, Stale};
use crate::follow::heard::Hearsay;
use crate::follow::{Current, Follow};
pub use crate::follow::{Held, Routing};
use crate::membership::MembershipMetrics;
use crate::metrics::PointMetrics;
use crate::receive::{Addresses, Answer, BindError, Intake, ReceiveMetrics, ReceiveSettings, Receiver, Request};
use crate::route::{Routed, Router};
use answer::{answer, settle};

const STOPPING: &str = "the gateway is stopping";

/// What a gateway is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How requests are received.
    pub receive: ReceiveSettings,
    /// How they are delivered.
    pub deliver: DeliverSettings,
    /// The memberships that it routes by, as they are published.
    pub membership: Published,
}

/// What a gateway counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    receive: ReceiveMetrics,
    points: PointMetrics,
    deliver: DeliverMetrics,
    membership: MembershipMetrics,
}

impl Metrics {
    /// Registers everything.
    pub fn register(registry: &mut Registry) -> Self {
        Self {
            receive: ReceiveMetrics::register(registry),
            points: PointMetrics::register(registry),
            deliver: DeliverMetrics::register(registry),
            membership: MembershipMetrics::register(registry),
        }
    }

    /// The count of memberships that were not taken, for whoever reads them.
    pub const fn membership_refusals(&self) -> &Refusals {
        self.membership.refusals()
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    addresses: Addresses,
    stop: CancellationToken,
    serving: TaskTracker,
    routing: Routing,
    _ready: Condition,
}

impl Gateway {
    /// Starts a gateway; it takes requests from now on.
    ///
    /// # Errors
    ///
    /// Where its settings contradict each other or a port can not be had.
    pub async fn start(
        setup: Setup,
        metrics: &Metrics,
        tasks: &Tasks,
        readiness: &Readiness,
    ) -> Result<Self, BindError> {
        let Setup { receive, deliver, membership } = setup;
        let deliver = Deliver::new(deliver, &metrics.deliver, tasks);
        let (pipeline, follow) = Pipeline::new(membership, deliver, metrics, readiness.condition("membership"));
        let routing = follow.routing();
        let receiver = Receiver::bind(receive, pipeline, metrics.receive.clone()).await?;
        tasks.spawn("gateway-membership", follow.run());
        let (addresses, stop, serving) = (receiver.addresses(), CancellationToken::new(), TaskTracker::new());
        let until = stop.clone();
        tasks.spawn(
            "gateway",
            serving.track_future(async move {
                receiver.serve(until).await;
                Ok::<(), Infallible>(())
            }),
        );
        let ready = readiness.condition("gateway");
        ready.set(true);
        Ok(Self { addresses, stop, serving, routing, _ready: ready })
    }

    /// Where it takes requests.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What it routes by.
    pub fn routing(&self) -> Routing {
        self.routing.clone()
    }

    /// Takes no more requests, and waits until those under way are answered.
    pub async fn stop(self) {
        self.stop.cancel();
        self.serving.close();
        self.serving.wait().await;
    }
}

/// The stages behind the receiver. Clones share them.
#[derive(Clone, Debug)]
pub struct Pipeline {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    router: Router,
    current: Current,
    hearsay: Hearsay,
    settings: DeliverSettings,
    points: PointMetrics,
    membership: MembershipMetrics,
    /// Where memberships come from.
    from: String,
}

impl Pipeline {
    /// Routes by what is published and delivers there; the task keeps what is current so.
    fn new(published: Published, deliver: Deliver, metrics: &Metrics, ready: Condition) -> (Self, Follow) {
        let (hearsay, heard) = Hearsay::channel();
        let (from, settings) = (published.from.clone(), deliver.settings().clone());
        let (points, membership) = (metrics.points.clone(), metrics.membership.clone());
        let (follow, current) = Follow::start(published, heard, deliver, membership.clone(), ready);
        let shared = Shared { router: Router::default(), current, hearsay, settings, points, membership, from };
        (Self { shared: Arc::new(shared) }, follow)
    }
}

impl Intake for Pipeline {
    async fn take(&self, request: Request) -> Answer {
        let Shared { router, current, settings, points, .. } = &*self.shared;
        let Some(lanes) = current.borrow().clone() else { return self.shared.no_membership() };
        let routed = match router.route(&request.body, lanes.membership()) {
            Ok(routed) => routed,
            Err(malformed) => {
                points.malformed();
                return Answer::Malformed { message: malformed.to_string() };
            }
        };
        let mut tally = points.receive(routed.points, routed.points_without_service);
        // The parts are of the same size as the body; the reservation goes on for them.
        let _reservation = request.reservation;
        drop(request.body);
        let settled = self.shared.bring(&lanes, routed.parts).await;
        settle(&mut tally, &settled);
        answer(settled, settings.retry_after)
    }
}

impl Shared {
    fn no_membership(&self) -> Answer {
        let message = format!("no membership is known yet; it is awaited from {}", self.from);
        Answer::Unavailable { message, retry_after: self.settings.retry_after }
    }

    /// Delivers all parts of one request, those again that come back, and comes back when all of them are at their end.
    async fn bring(&self, lanes: &Lanes, parts: Vec<Routed>) -> Vec<Settled> {
        let deadline = Instant::now() + self.settings.deadline;
        let acks = Acks::default();
        lanes.send(parts, &acks, deadline).await;
        loop {
            match acks.next().await {
                Progress::Settled(settled) => return settled,
                Progress::Stale(stale) => self.bring_again(stale, &acks, deadline).await,
            }
        }
    }

    /// Splits what came back under the current membership, which is at least as new as the newest that refused.
    async fn bring_again(&self, stale: Vec<Stale>, acks: &Acks, deadline: Instant) {
        let newest = stale.iter().filter_map(|part| part.newer.as_ref()).max_by_key(|newer| newer.epoch());
        let lanes = match newest {
            Some(newest) => self.reach(newest, deadline).await,
            None => self.current.borrow().clone().ok_or_else(|| STOPPING.to_owned()),
        };
        for part in stale {
            self.membership.split_again(part.newer.is_some());
            match &lanes {
                Ok(lanes) => self.split_again(part, lanes, acks, deadline).await,
                Err(why) => acks.settle(part.points, PartAnswer::Unavailable(why.clone())),
            }
        }
    }

    async fn split_again(&self, part: Stale, lanes: &Lanes, acks: &Acks, deadline: Instant) {
        match self.router.route(&part.bytes, lanes.membership()) {
            Ok(routed) => lanes.send(routed.parts, acks, deadline).await,
            // It was well-formed before; what can be wrong is that it has too much around its points for so many shards.
            Err(malformed) => acks.settle(part.points, PartAnswer::Rejected(malformed.to_string())),
        }
    }

    /// The current lanes, once they are of the epoch of `newer` or a later one.
    async fn reach(&self, newer: &Arc<Membership>, deadline: Instant) -> Result<Arc<Lanes>, String> {
        self.hearsay.hear(newer);
        let epoch = newer.epoch();
        let mut current = self.current.clone();
        let reached = current.wait_for(|lanes| lanes.as_ref().is_some_and(|lanes| lanes.epoch() >= epoch));
        match timeout_at(deadline, reached).await {
            Ok(Ok(lanes)) => lanes.clone().ok_or_else(|| STOPPING.to_owned()),
            Ok(Err(_)) => Err(STOPPING.to_owned()),
            Err(_) => {
                self.hearsay.missed(epoch);
                self.membership.missed();
                Err(format!("a worker is at membership {epoch}, which has not come from {} in time", self.from))
            }
        }
    }
}
