//! Plans, as tables.

use std::collections::{BTreeMap, BTreeSet};

use shardset_model::{Incarnation, Membership, Phase, RoutingKey, ShardCount, ShardIndex};

use super::{Observed, Step, Waiting, Wish, plan};
use crate::message::{Reception, Report, Sending};
use crate::peers::{receivers, senders};

fn shard(index: u32) -> ShardIndex {
    ShardCount::new(1000).unwrap().shard(index).unwrap()
}

fn count(shards: u32) -> ShardCount {
    ShardCount::new(shards).unwrap()
}

fn incarnation(index: u32) -> Incarnation {
    Incarnation::new(u128::from(index) + 1).unwrap()
}

fn moving(epoch: u64, previous: u32, shards: u32) -> Membership {
    Membership::new(epoch, shards, previous, Phase::Moving).unwrap()
}

fn stable(epoch: u64, previous: u32, shards: u32) -> Membership {
    moving(epoch, previous, shards).settled()
}

/// A worker at this membership that has done everything it has to.
fn done(index: u32, membership: Option<Membership>) -> Report {
    let moving = membership.clone().filter(|membership| membership.phase() == Phase::Moving);
    let sending = |to: ShardIndex| {
        let receiver = Some(incarnation(to.get()));
        Sending { to, receiver, sent: 1, total: 1, completed: true }
    };
    Report {
        shard: shard(index),
        incarnation: incarnation(index),
        membership,
        streams: 0,
        idle: 0,
        leftovers: 0,
        parked_points: 0,
        parked_bytes: 0,
        sending: moving.iter().flat_map(|moving| receivers(moving, shard(index))).map(sending).collect(),
        receiving: moving
            .iter()
            .flat_map(|moving| senders(moving, shard(index)))
            .map(|from| Reception { from, completed: true })
            .collect(),
    }
}

struct Scene {
    published: Option<Membership>,
    wish: u32,
    reports: BTreeMap<ShardIndex, Report>,
    given_up: BTreeSet<ShardIndex>,
}

impl Scene {
    fn new(published: Option<Membership>, wish: u32, reports: impl IntoIterator<Item = Report>) -> Self {
        let reports = reports.into_iter().map(|report| (report.shard, report)).collect();
        Self { published, wish, reports, given_up: BTreeSet::new() }
    }

    /// The plan, with those who are told by their numbers alone.
    fn plan(&self) -> Vec<String> {
        let wish = Wish { shards: count(self.wish), routing: RoutingKey::StreamId };
        let seen = Observed {
            published: self.published.as_ref(),
            wish: &wish,
            reports: &self.reports,
            given_up: &self.given_up,
        };
        let text = |step: &Step| match step {
            Step::Publish(m) => format!("publish {} {}<-{} {:?}", m.epoch(), m.shards(), m.previous(), m.phase()),
            Step::Tell(shard, adopt) => format!("tell {shard} {}", adopt.membership.epoch()),
            Step::Run(shards) => format!("run {shards}"),
            Step::Stop(shards) => format!("stop from {shards}"),
            Step::Wait(waiting) => waiting.to_string(),
        };
        plan(&seen).iter().map(text).collect()
    }
}

#[test]
fn the_first_membership_is_published_and_told() {
    let empty = || (0..2).map(|index| done(index, None));
    assert_eq!(Scene::new(None, 2, empty()).plan(), ["publish e1 2<-2 Stable"]);
    let one_is_away = Scene::new(None, 2, empty().take(1)).plan();
    assert_eq!(one_is_away, ["run 2", "worker 1 does not answer"], "it may know of one that was deleted");
    let told = Scene::new(Some(stable(1, 2, 2)), 2, empty()).plan();
    let behind = |index| Waiting::Behind(shard(index)).to_string();
    assert_eq!(told, ["tell 0 e1".into(), "tell 1 e1".into(), behind(0), behind(1)]);
    let all = (0..2).map(|index| done(index, Some(stable(1, 2, 2))));
    assert!(Scene::new(Some(stable(1, 2, 2)), 2, all).plan().is_empty());
}

#[test]
fn a_wish_for_more_is_published_when_the_new_workers_run_and_are_empty() {
    let at = || stable(4, 2, 2);
    let members = || (0..2).map(|index| done(index, Some(at())));
    assert_eq!(Scene::new(Some(at()), 3, members()).plan(), ["run 3", "worker 2 does not answer"]);
    let with_new = members().chain([done(2, None)]);
    assert_eq!(Scene::new(Some(at()), 3, with_new).plan(), ["run 3", "publish e5 3<-2 Moving"]);
    let old_disk = Report { streams: 3, ..done(2, Some(stable(2, 3, 3))) };
    let plan = Scene::new(Some(at()), 3, members().chain([old_disk])).plan();
    assert_eq!(plan, ["tell 2 e4", "run 3", "worker 2 is to be added and is not empty"]);
}

#[test]
fn a_move_ends_when_everyone_has_sent_and_received_everything() {
    let at = || moving(5, 2, 3);
    let workers = || (0..3).map(|index| done(index, Some(at())));
    assert_eq!(Scene::new(Some(at()), 3, workers()).plan(), ["publish e5 3<-2 Stable"]);

    let mut sends = Scene::new(Some(at()), 3, workers());
    let sending = &mut sends.reports.get_mut(&shard(0)).unwrap().sending[0];
    (sending.completed, sending.sent, sending.total) = (false, 3, 9);
    assert_eq!(sends.plan(), ["tell 0 e5", "worker 0 sends streams to worker 2: 3 of 9"]);

    let mut receives = Scene::new(Some(at()), 3, workers());
    receives.reports.get_mut(&shard(2)).unwrap().receiving[1].completed = false;
    assert_eq!(receives.plan(), ["worker 2 waits for worker 1"]);

    let mut away = Scene::new(Some(at()), 3, workers());
    away.reports.remove(&shard(1));
    assert_eq!(away.plan(), ["run 3", "worker 1 does not answer"]);
    away.given_up.insert(shard(1));
    assert_eq!(away.plan(), ["run 3", "publish e5 3<-2 Stable"]);
}

#[test]
fn a_member_that_a_late_coordinator_stopped_runs_again() {
    let grown = || stable(4, 2, 3);
    let without = [done(0, Some(grown())), done(1, Some(grown()))];
    assert_eq!(Scene::new(Some(grown()), 3, without).plan(), ["run 3", "worker 2 does not answer"]);
    let shrinks = || moving(5, 3, 2);
    let without = [done(0, Some(shrinks())), done(1, Some(shrinks()))];
    let plan = Scene::new(Some(shrinks()), 1, without).plan();
    assert_eq!((plan[0].as_str(), plan.last().map(String::as_str)), ("run 3", Some("worker 2 does not answer")));
}

#[test]
fn a_receiver_that_lost_its_disk_is_told_and_sent_everything_again() {
    let mut scene = Scene::new(Some(moving(5, 2, 3)), 3, (0..3).map(|index| done(index, Some(moving(5, 2, 3)))));
    let lost = Report { incarnation: incarnation(77), ..done(2, None) };
    scene.reports.insert(shard(2), lost);
    let plan = scene.plan();
    let told = ["tell 0 e5", "tell 1 e5", "tell 2 e5"];
    let waits = ["worker 0 sends streams to worker 2: 1 of 1", "worker 1 sends streams to worker 2: 1 of 1"];
    assert_eq!(plan[..3], told);
    assert_eq!(plan[3..5], waits);
    assert_eq!(plan[5..], ["worker 2 has not taken the membership yet"]);
}

#[test]
fn workers_that_left_are_stopped_when_all_who_stay_know_that_nothing_moves() {
    let ended = || stable(6, 3, 2);
    let still = [done(0, Some(ended())), done(1, Some(moving(6, 3, 2))), done(2, Some(moving(6, 3, 2)))];
    let plan = Scene::new(Some(ended()), 2, still).plan();
    assert_eq!(plan, ["tell 1 e6", "tell 2 e6", "worker 1 has not taken the membership yet"]);
    let known = [done(0, Some(ended())), done(1, Some(ended())), done(2, Some(moving(6, 3, 2)))];
    assert_eq!(Scene::new(Some(ended()), 2, known).plan(), ["tell 2 e6", "stop from 2"]);
}

#[test]
fn a_wish_made_in_a_move_waits_for_its_end() {
    let at = || moving(6, 3, 2);
    let workers = (0..3).map(|index| done(index, Some(at())));
    assert_eq!(Scene::new(Some(at()), 9, workers).plan(), ["publish e6 2<-3 Stable"]);
    let ended = || stable(6, 3, 2);
    let left = Report { leftovers: 4, ..done(0, Some(ended())) };
    let plan = Scene::new(Some(ended()), 1, [left, done(1, Some(ended()))]).plan();
    assert_eq!(plan, ["worker 0 clears away what is left of the last move"]);
}

#[test]
fn empty_disks_alone_are_told_only_when_nobody_can_know_better() {
    let at = || stable(4, 3, 3);
    let empty = || [done(0, None), done(1, None)];
    let waits = [0, 1].map(|index| Waiting::Behind(shard(index)).to_string());
    let mut scene = Scene::new(Some(at()), 3, empty());
    assert_eq!(scene.plan(), ["run 3", &waits[0], &waits[1], "worker 2 does not answer"]);
    scene.given_up.insert(shard(2));
    assert_eq!(scene.plan()[..2], ["tell 0 e4", "tell 1 e4"]);
    let all = Scene::new(Some(at()), 3, empty().into_iter().chain([done(2, None)]));
    assert_eq!(all.plan()[..3], ["tell 0 e4", "tell 1 e4", "tell 2 e4"]);
    let one_knows = Scene::new(Some(at()), 3, [done(0, None), done(1, Some(at()))]);
    assert_eq!(one_knows.plan()[..1], ["tell 0 e4"]);
}

#[test]
fn a_published_epoch_that_went_back_is_found_again_at_the_workers() {
    let workers = || (0..3).map(|index| done(index, Some(stable(9, 2, 3))));
    assert_eq!(Scene::new(Some(stable(4, 2, 2)), 2, workers()).plan(), ["publish e9 3<-2 Stable"]);
    assert_eq!(Scene::new(None, 2, workers()).plan(), ["publish e9 3<-2 Stable"]);
}
