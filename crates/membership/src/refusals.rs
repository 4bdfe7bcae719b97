//! How often a published membership was not taken, by reason. One count for every way that memberships come by.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::Refused;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// Refused memberships. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Family<Reason, Counter>);

impl Refusals {
    /// Registers the counter.
    pub fn register(registry: &mut Registry) -> Self {
        let refusals = Self::default();
        let help = "Published memberships that were not taken, by reason; the last good one stays";
        registry.register("shardset_membership_refused", help, refusals.0.clone());
        refusals
    }

    /// One more.
    pub fn count(&self, refused: &Refused) {
        self.0.get_or_create(&Reason { reason: refused.reason() }).inc();
    }

    /// How many there were for this reason.
    pub fn of(&self, reason: &'static str) -> u64 {
        self.0.get_or_create(&Reason { reason }).get()
    }
}
