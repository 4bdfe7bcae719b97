//! What becomes of the points that a gateway receives: received = accepted + refused + rejected + unavailable + abandoned,
//! at any moment when no request is in flight.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What became of a point.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// Durable at its worker (counted, or recognised as counted already).
    Accepted,
    /// Refused for good by its worker; the client was told.
    Refused,
    /// In a request that a worker called broken although the gateway had passed it.
    Rejected,
    /// The client was told to come back.
    Unavailable,
    /// The client went away before it was answered.
    Abandoned,
}

impl Outcome {
    /// The value of the label `outcome`.
    const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::Abandoned => "abandoned",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// Counters of the gateway's points.
#[derive(Clone, Debug, Default)]
pub struct PointMetrics {
    received: Counter,
    without_service: Counter,
    malformed_requests: Counter,
    outcomes: Family<OutcomeLabels, Counter>,
}

impl PointMetrics {
    /// Registers the counters.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Points in well-formed requests";
        registry.register("shardset_gateway_points_received", help, metrics.received.clone());
        let help = "What became of the points received";
        registry.register("shardset_gateway_points", help, metrics.outcomes.clone());
        let help = "Points routed by their resource because it has no service.name (routing key service)";
        registry.register("shardset_gateway_points_without_service", help, metrics.without_service.clone());
        let help = "Requests refused because their protobuf is malformed";
        registry.register("shardset_gateway_malformed_requests", help, metrics.malformed_requests.clone());
        metrics
    }

    /// A request could not be walked.
    pub(crate) fn malformed(&self) {
        self.malformed_requests.inc();
    }

    /// A request's points are on their way. What is not settled when the tally is dropped was abandoned.
    pub(crate) fn receive(&self, points: u64, without_service: u64) -> Tally {
        self.received.inc_by(points);
        self.without_service.inc_by(without_service);
        Tally { metrics: self.clone(), open: points }
    }
}

/// The points of one request that nothing has become of yet.
#[derive(Debug)]
pub(crate) struct Tally {
    metrics: PointMetrics,
    open: u64,
}

impl Tally {
    /// `points` of them have this outcome.
    pub(crate) fn settle(&mut self, points: u64, outcome: Outcome) {
        let points = points.min(self.open);
        self.open -= points;
        self.metrics.outcomes.get_or_create(&OutcomeLabels { outcome: outcome.name() }).inc_by(points);
    }

    /// All that are left have this outcome.
    pub(crate) fn settle_rest(&mut self, outcome: Outcome) {
        self.settle(self.open, outcome);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if self.open > 0 {
            self.settle_rest(Outcome::Abandoned);
        }
    }
}
