//! The gateway's street: receive → identify, route → deliver → answer. Read this file first.
//!
//! At a stop, the order is the street's: no new requests, those under way end, then nothing waits at the mergers any more.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use shardset_model::{Membership, RoutingKey, ShardCount};
use shardset_process::{Condition, Readiness, Tasks};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Uri;

use crate::deliver::{Deliver, DeliverMetrics, DeliverSettings, Link, PartAnswer, Refused};
use crate::metrics::{Outcome, PointMetrics, Tally};
use crate::receive::{Addresses, Answer, BindError, Intake, ReceiveMetrics, ReceiveSettings, Receiver, Request};
use crate::route::Router;

/// Reasons of refusal that one answer names; the counters have them all.
const REASONS_NAMED: usize = 5;

/// What a gateway is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How requests are received.
    pub receive: ReceiveSettings,
    /// How they are delivered.
    pub deliver: DeliverSettings,
    /// What decides the shard of a point.
    pub routing_key: RoutingKey,
    /// The membership it routes by.
    pub membership: Membership,
    /// Where each shard's worker is (`http://host:port`), in the order of shards.
    pub workers: Vec<Uri>,
}

/// What a gateway counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    receive: ReceiveMetrics,
    points: PointMetrics,
    deliver: DeliverMetrics,
}

impl Metrics {
    /// Registers everything.
    pub fn register(registry: &mut Registry) -> Self {
        Self {
            receive: ReceiveMetrics::register(registry),
            points: PointMetrics::register(registry),
            deliver: DeliverMetrics::register(registry),
        }
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    addresses: Addresses,
    stop: CancellationToken,
    serving: TaskTracker,
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
        let Setup { receive, deliver, routing_key, membership, workers } = setup;
        let links = workers.into_iter().map(|worker| Link::new(worker, membership.clone())).collect();
        let deliver = Deliver::start(links, deliver, &metrics.deliver, tasks);
        let pipeline = Pipeline::new(routing_key, membership.shards(), deliver, metrics.points.clone());
        let receiver = Receiver::bind(receive, pipeline, metrics.receive.clone()).await?;
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
        Ok(Self { addresses, stop, serving, _ready: ready })
    }

    /// Where it takes requests.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Takes no more requests, and waits until those under way are answered.
    pub async fn stop(self) {
        self.stop.cancel();
        self.serving.close();
        self.serving.wait().await;
    }
}

/// The stages behind the receiver, under one membership. Clones share them.
#[derive(Clone, Debug)]
pub struct Pipeline {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    router: Router,
    deliver: Deliver,
    points: PointMetrics,
    retry_after: Duration,
}

impl Pipeline {
    /// Routes by `key` to `shards`, and delivers there.
    pub fn new(key: RoutingKey, shards: ShardCount, deliver: Deliver, points: PointMetrics) -> Self {
        let retry_after = deliver.retry_after();
        Self { shared: Arc::new(Shared { router: Router::new(key, shards), deliver, points, retry_after }) }
    }
}

impl Intake for Pipeline {
    async fn take(&self, request: Request) -> Answer {
        let Shared { router, deliver, points, retry_after } = &*self.shared;
        let routed = match router.route(&request.body) {
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
        let points_of_parts: Vec<u64> = routed.parts.iter().map(|part| part.points).collect();
        let answers = deliver.deliver(routed.parts).await;
        settle(&mut tally, &points_of_parts, &answers);
        answer(answers, *retry_after)
    }
}

fn settle(tally: &mut Tally, points_of_parts: &[u64], answers: &[PartAnswer]) {
    for (&points, answer) in points_of_parts.iter().zip(answers) {
        match answer {
            PartAnswer::Durable(refused) => {
                let refused: u64 = refused.iter().map(|refused| refused.points).sum();
                tally.settle(refused, Outcome::Refused);
                tally.settle(points.saturating_sub(refused), Outcome::Accepted);
            }
            PartAnswer::Unavailable(_) => tally.settle(points, Outcome::Unavailable),
            PartAnswer::Rejected(_) => tally.settle(points, Outcome::Rejected),
        }
    }
}

/// One answer for all parts. If any part is not durable the client sends the whole request again: the parts that are
/// durable recognise their points.
fn answer(answers: Vec<PartAnswer>, retry_after: Duration) -> Answer {
    let mut refused = Vec::new();
    let mut broken = None;
    for answer in answers {
        match answer {
            PartAnswer::Durable(mut part) => refused.append(&mut part),
            PartAnswer::Rejected(message) => broken = Some(message),
            PartAnswer::Unavailable(message) => return Answer::Unavailable { message, retry_after },
        }
    }
    match broken {
        Some(message) => Answer::Malformed { message },
        None => Answer::Accepted {
            rejected_points: refused.iter().map(|refused| refused.points).sum(),
            message: message(&refused),
        },
    }
}

fn message(refused: &[Refused]) -> String {
    let mut by_reason: BTreeMap<&str, u64> = BTreeMap::new();
    for Refused { points, reason } in refused {
        *by_reason.entry(reason).or_default() += points;
    }
    let named = by_reason.iter().take(REASONS_NAMED).map(|(reason, points)| format!("{reason} ({points} points)"));
    let mut message = named.collect::<Vec<_>>().join("; ");
    if let Some(more @ 1..) = by_reason.len().checked_sub(REASONS_NAMED) {
        message.push_str(&format!("; and {more} more reasons"));
    }
    message
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{REASONS_NAMED, answer};
    use crate::deliver::{PartAnswer, Refused};
    use crate::receive::Answer;

    const SECOND: Duration = Duration::from_secs(1);

    fn refused(points: u64, reason: &str) -> Refused {
        Refused { points, reason: reason.into() }
    }

    #[test]
    fn a_request_is_accepted_when_every_part_is_durable() {
        let answers = vec![
            PartAnswer::Durable(vec![refused(2, "x: too old")]),
            PartAnswer::Durable(vec![refused(3, "x: too old"), refused(1, "a: no value")]),
        ];
        let message = "a: no value (1 points); x: too old (5 points)".to_owned();
        assert_eq!(answer(answers, SECOND), Answer::Accepted { rejected_points: 6, message });
        let nothing = Answer::Accepted { rejected_points: 0, message: String::new() };
        assert_eq!(answer(Vec::new(), SECOND), nothing);
    }

    #[test]
    fn one_part_that_is_away_makes_the_client_send_all_again() {
        let answers = [
            PartAnswer::Rejected("broken".into()),
            PartAnswer::Durable(Vec::new()),
            PartAnswer::Unavailable("worker 1 is away".into()),
        ];
        let unavailable = Answer::Unavailable { message: "worker 1 is away".into(), retry_after: SECOND };
        assert_eq!(answer(answers.to_vec(), SECOND), unavailable);
        let malformed = Answer::Malformed { message: "broken".into() };
        assert_eq!(answer(answers[..2].to_vec(), SECOND), malformed);
    }

    #[test]
    fn a_message_names_a_few_reasons_and_counts_the_others() {
        let many = (0..REASONS_NAMED + 2).map(|number| refused(1, &format!("metric {number}"))).collect();
        let Answer::Accepted { message, .. } = answer(vec![PartAnswer::Durable(many)], SECOND) else {
            panic!("it is accepted");
        };
        assert!(message.ends_with("metric 4 (1 points); and 2 more reasons"), "{message}");
    }
}
