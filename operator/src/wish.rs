//! Which membership is wanted: what the set asks for, what it allows now, and what its streams need.
//!
//! Pure.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use shardset_crds::{Autoscaling, MetricsShardSet, RebalanceMode, RoutingKeyKind};
use shardset_handoff::Wish;
use shardset_model::{InvalidRoutingKey, Membership, RoutingAttributes, RoutingKey, ShardCount, ShardIndex};

/// Allows a change in mode Manual; its value is the number of shards.
pub const APPROVE: &str = "shardset.dev/approve-rebalance";
/// Ends a move without a worker: `ORDINAL@EPOCH`. Its streams that were not sent are lost.
pub const GIVE_UP: &str = "shardset.dev/give-up-worker";

/// Workers are taken away where the rest would have this part of their target, in percent.
const SHRINK_BELOW: u64 = 80;

/// What is wanted now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// What the coordinator may bring about.
    pub wish: Wish,
    /// How many shards there shall be in the end, where that may not be brought about yet.
    pub target: ShardCount,
    /// Why not yet.
    pub held: Option<Held>,
}

/// Why a change is not carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// Until the mode is another one.
    Paused,
    /// Until it is approved.
    Unapproved,
}

/// What is wanted of a set for which `published` is published and whose workers have so many streams; `None` for the streams
/// where not all workers have said.
///
/// # Errors
///
/// The routing key is none. The schema refuses those, but for what was stored before it did.
pub fn wanted(
    set: &MetricsShardSet,
    published: Option<&Membership>,
    streams: Option<u64>,
) -> Result<Wanted, InvalidRoutingKey> {
    let target = match &set.spec.workers.autoscaling {
        Some(autoscaling) => scaled(autoscaling, published.map(Membership::shards), streams),
        None => count(set.spec.workers.replicas),
    };
    let asked = Wish { shards: target, routing: routing(set)? };
    let Some(published) = published else { return Ok(Wanted { wish: asked, target, held: None }) };
    let is_so = published.shards() == asked.shards && *published.routing() == asked.routing;
    let held = match set.spec.rebalance.mode {
        _ if is_so => None,
        RebalanceMode::Automatic => None,
        RebalanceMode::Paused => Some(Held::Paused),
        RebalanceMode::Manual => (!is_approved(set, target)).then_some(Held::Unapproved),
    };
    let wish = match held {
        None => asked,
        Some(_) => Wish { shards: published.shards(), routing: published.routing().clone() },
    };
    Ok(Wanted { wish, target, held })
}

/// The schema allows 1 to 1000; whatever else is there is the nearest of them.
fn count(number: i32) -> ShardCount {
    let number = u32::try_from(number).unwrap_or(0).clamp(1, ShardCount::MAX);
    ShardCount::new(number).expect("it is from 1 to the most")
}

fn routing(set: &MetricsShardSet) -> Result<RoutingKey, InvalidRoutingKey> {
    Ok(match set.spec.routing.key {
        RoutingKeyKind::StreamId => RoutingKey::StreamId,
        RoutingKeyKind::Resource => RoutingKey::Resource,
        RoutingKeyKind::Service => RoutingKey::Service,
        RoutingKeyKind::Metric => RoutingKey::Metric,
        RoutingKeyKind::Attributes => {
            let names = set.spec.routing.attributes.iter().map(String::as_str);
            RoutingKey::Attributes(RoutingAttributes::new(names)?)
        }
    })
}

fn is_approved(set: &MetricsShardSet, target: ShardCount) -> bool {
    set.annotations().get(APPROVE).is_some_and(|value| value.trim() == target.to_string())
}

/// As many as the streams need; as before while that is not known. One more stream than the target is a worker more; a worker
/// less there is when the rest would stay well below it.
fn scaled(autoscaling: &Autoscaling, now: Option<ShardCount>, streams: Option<u64>) -> ShardCount {
    let (least, most) = (count(autoscaling.min_replicas), count(autoscaling.max_replicas));
    let bounded = |shards: u64| {
        let shards = u32::try_from(shards).unwrap_or(u32::MAX).clamp(least.get(), most.get().max(least.get()));
        ShardCount::new(shards).expect("it is between two counts")
    };
    let (Some(now), Some(streams)) = (now, streams) else {
        return now.map_or(least, |now| bounded(now.get().into()));
    };
    let target = u64::try_from(autoscaling.target_streams_per_shard).unwrap_or(1).max(1);
    let needed = streams.div_ceil(target).max(1);
    let comfortable = (streams * 100).div_ceil(target * SHRINK_BELOW).max(1);
    let now = u64::from(now.get());
    bounded(if needed > now { needed } else { now.min(comfortable) })
}

/// The worker that the user gives up in the move of this epoch.
pub(crate) fn given_up(set: &MetricsShardSet, published: &Membership) -> Option<ShardIndex> {
    let (ordinal, epoch) = set.annotations().get(GIVE_UP)?.split_once('@')?;
    let is_now = epoch.trim().parse() == Ok(published.epoch().get());
    let all = ShardCount::new(ShardCount::MAX)?;
    all.shard(ordinal.trim().parse().ok()?).filter(|_| is_now)
}

/// Whether a move that began then is stuck now.
pub(crate) fn is_stuck(set: &MetricsShardSet, since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(since).as_secs() >= i64::from(set.spec.rebalance.handoff_timeout_seconds)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::{SignedDuration, Timestamp};
    use serde_json::json;
    use shardset_crds::{Autoscaling, MetricsShardSet};
    use shardset_model::{Membership, Phase, ShardCount};

    use super::{GIVE_UP, given_up, is_stuck, scaled};

    fn set(annotation: Option<&str>) -> MetricsShardSet {
        let annotations = annotation.map_or(json!({}), |value| json!({ GIVE_UP: value }));
        let set = json!({
            "apiVersion": "shardset.dev/v1alpha1",
            "kind": "MetricsShardSet",
            "metadata": { "name": "a", "annotations": annotations },
            "spec": { "export": { "prometheus": {} } },
        });
        serde_json::from_value(set).unwrap()
    }

    #[test]
    fn a_worker_is_given_up_in_the_move_that_was_meant_and_in_no_other() {
        let moving = Membership::new(7, 3, 5, Phase::Moving).unwrap();
        let table = [
            (None, None),
            (Some("4@7"), Some(4)),
            (Some(" 4 @ 7 "), Some(4)),
            (Some("4@6"), None),
            (Some("4@8"), None),
            (Some("4"), None),
            (Some("@7"), None),
            (Some("1000@7"), None),
            (Some("all@7"), None),
        ];
        for (annotation, expected) in table {
            let found = given_up(&set(annotation), &moving).map(|shard| shard.get());
            assert_eq!(found, expected, "{annotation:?}");
        }
    }

    #[test]
    fn a_move_is_stuck_when_it_takes_longer_than_the_set_allows() {
        let since = Timestamp::from_second(1_700_000_000).unwrap();
        let after = |seconds| is_stuck(&set(None), since, since + SignedDuration::from_secs(seconds));
        assert_eq!([after(0), after(299), after(300)], [false, false, true]);
    }

    #[test]
    fn workers_follow_streams_and_do_not_flap() {
        let autoscaling = Autoscaling { min_replicas: 2, max_replicas: 20, target_streams_per_shard: 1_000_000 };
        let million = 1_000_000;
        let table = [
            ("nothing is known", None, None, 2),
            ("not all workers have said", Some(7), None, 7),
            ("few", Some(3), Some(10), 2),
            ("as many as they may have", Some(3), Some(3 * million), 3),
            ("one more", Some(3), Some(3 * million + 1), 4),
            ("many more", Some(3), Some(11 * million), 11),
            ("more than may be", Some(3), Some(90 * million), 20),
            ("a bit less: the rest would be full", Some(4), Some(3 * million - 1), 4),
            ("the rest would be at four fifths", Some(4), Some(2_400_000), 3),
            ("one above that", Some(4), Some(2_400_001), 4),
            ("nobody", Some(20), Some(0), 2),
        ];
        for (what, now, streams, expected) in table {
            let now = now.and_then(ShardCount::new);
            assert_eq!(scaled(&autoscaling, now, streams).get(), expected, "{what}");
        }
    }
}
