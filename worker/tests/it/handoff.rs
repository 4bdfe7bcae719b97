//! Streams that change owners between real workers: totals, beginnings and the memory of counted points go along, and points
//! that come meanwhile count once.

use std::time::Duration;

use opentelemetry_proto::tonic::metrics::v1::Metric;
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_model::Membership;

use crate::backend::Received;
use crate::cluster::{Cluster, a_minute_ago, counters, owners, series};
use crate::harness::{Launch, moving, wait};
use crate::sender::{counter, exponential, gauge, histogram};

const SECOND: u64 = 1_000_000_000;

/// What all shards of a change hold of a metric, from the machines that are members.
fn sum(cluster: &Cluster, metric: &str, machines: u32) -> u64 {
    (0..machines).map(|number| cluster.worker(number).metric(&format!("{metric}{{shard=\"{number}\"}}"))).sum()
}

fn all_at(sessions: &[String], value: f64) -> impl Fn(&Received) -> bool {
    move |got| sessions.iter().all(|session| got.last(&series("requests_total", session)) == Some(value))
}

/// Points before a change, while streams are on their way and their old owners do not know of it yet, and after it.
async fn every_point_counts_once_over_a_change(previous: u32, shards: u32) {
    let machines = previous.max(shards);
    // So often that an old owner which is not silent says so at once.
    let repeats = |launch: &mut Launch<MemoryDisk>| launch.settings.heartbeat = Duration::from_millis(100);
    let mut cluster = Cluster::start_with(previous, machines, repeats).await;
    let change = moving(2, previous, shards);
    let moved = cluster.movers(request, &change, 10);
    let stays = |session: &String| {
        let (now, before) = owners(&request(session), &change);
        now == before
    };
    let stay: Vec<String> = (0..).map(|session| format!("s{session}")).filter(stays).take(10).collect();
    let (start, all) = (a_minute_ago(), [moved.clone(), stay.clone()].concat());
    let before = counters("requests", &all, start, (0, 1), 1.0);
    cluster.accept(&before).await;
    cluster.backend.wait("the first totals", all_at(&all, 1.0)).await;

    cluster.begin(shards);
    // The new owners know of the change, and the old ones do not know where to send to.
    for number in (0..shards).rev() {
        cluster.tell_alone(number).await;
    }
    let during = counters("requests", &all, start, (1, 2), 2.0);
    cluster.accept(&during).await;
    cluster.accept(&during).await;
    let parked = sum(&cluster, "shardset_worker_points_parked_total", machines);
    assert_eq!(parked, 2 * moved.len() as u64, "acknowledged, and decided on later");
    let unmoved: Vec<String> = all.iter().filter(|session| !moved.contains(session)).cloned().collect();
    let told = cluster.backend.wait("the totals of those that stay", all_at(&unmoved, 3.0)).await;
    for session in &moved {
        assert_eq!(told.last(&series("requests_total", session)), Some(1.0), "nothing is told of what is on its way");
    }

    cluster.tell_all().await;
    cluster.arrived().await;
    let told = cluster.backend.wait("what waited", all_at(&all, 3.0)).await;
    let number = |got: &Received| got.samples(&series("requests_total", &stay[0])).map_or(0, |samples| samples.len());
    cluster.backend.wait("some heartbeats", |got| number(got) > number(&told) + 3).await;
    cluster.end().await;
    cluster.accept(&before).await;
    cluster.accept(&during).await;
    cluster.accept(&counters("requests", &all, start, (2, 3), 4.0)).await;
    let received = cluster.backend.wait("the last totals", all_at(&all, 7.0)).await;
    for session in &all {
        received.assert_one_life(&series("requests_total", session));
    }
    for session in &moved {
        old_owner_is_silent(&received, session, &change);
    }
    for gauge in ["shardset_worker_parked", "shardset_worker_moving", "shardset_worker_streams_to_send"] {
        wait(gauge, || sum(&cluster, gauge, machines) == 0).await;
    }
}

fn request(session: &str) -> Metric {
    counter("requests", session, 1, 2, 1.0)
}

/// Whoever had the stream before told its first total, and no later one.
fn old_owner_is_silent(received: &Received, session: &str, change: &Membership) {
    let (now, before) = owners(&request(session), change);
    let told_by = |number: u32| received.told_by.get(&(number, series("requests_total", session))).copied();
    assert_eq!((told_by(before.get()), told_by(now.get())), (Some(1.0), Some(7.0)), "{session}");
}

#[tokio::test]
async fn every_point_counts_once_when_two_shards_become_three() {
    every_point_counts_once_over_a_change(2, 3).await;
}

#[tokio::test]
async fn every_point_counts_once_when_three_shards_become_two() {
    every_point_counts_once_over_a_change(3, 2).await;
}

#[tokio::test]
async fn every_point_counts_once_when_one_shard_becomes_two() {
    every_point_counts_once_over_a_change(1, 2).await;
}

/// A point of each kind for each session, in the second that ends at `time`.
fn every_kind(sessions: &[String], time: u64) -> Vec<Metric> {
    let of = |session: &String| {
        [
            histogram("latency", session, time - SECOND, time, &[1.0, 10.0], &[1, 2, 3]),
            exponential("size", session, time - SECOND, time, 4),
            gauge("level", session, time, (time / SECOND) as f64),
        ]
    };
    sessions.iter().flat_map(of).collect()
}

#[tokio::test]
async fn streams_of_every_kind_move() {
    let mut cluster = Cluster::start(2, 3).await;
    let sessions: Vec<String> = (0..20).map(|session| format!("s{session}")).collect();
    let start = a_minute_ago();
    let (first, second) = (every_kind(&sessions, start), every_kind(&sessions, start + SECOND));
    cluster.accept(&first).await;
    cluster.scale(3).await;
    let taken = cluster.worker(2).metric("shardset_worker_streams_received_total{shard=\"2\"}");
    assert!(taken > 0 && cluster.worker(2).report().await.streams == taken, "{taken}");
    cluster.accept(&first).await;
    cluster.accept(&second).await;
    let is_all = |got: &Received| {
        sessions.iter().all(|session| {
            got.last(&series("latency_count", session)) == Some(12.0)
                && got.last(&series("latency_sum", session)) == Some(2.0)
                && got.last(&series("size", session)) == Some(8.0)
                && got.last(&series("level", session)) == Some(((start + SECOND) / SECOND) as f64)
        })
    };
    cluster.backend.wait("every kind", is_all).await;
}

#[tokio::test]
async fn streams_move_forth_and_back_and_stay_what_they_are() {
    let mut cluster = Cluster::start(1, 4).await;
    let sessions: Vec<String> = (0..40).map(|session| format!("s{session}")).collect();
    let start = a_minute_ago();
    let mut total = 0.0;
    for (second, shards) in [3, 2, 4, 1, 3].into_iter().enumerate() {
        let second = second as u64;
        cluster.accept(&counters("requests", &sessions, start, (second, second + 1), 1.0)).await;
        total += 1.0;
        cluster.scale(shards).await;
        let received = cluster.backend.wait("the totals", all_at(&sessions, total)).await;
        sessions.iter().for_each(|session| received.assert_one_life(&series("requests_total", session)));
    }
    let mut held = 0;
    for number in 0..3 {
        held += cluster.worker(number).report().await.streams;
    }
    assert_eq!(held, 40, "each stream is at one worker");
}

#[tokio::test]
async fn a_second_change_right_after_the_first_one_finds_nothing_left_over() {
    let mut cluster = Cluster::start(2, 5).await;
    let sessions: Vec<String> = (0..300).map(|session| format!("s{session}")).collect();
    let start = a_minute_ago();
    cluster.accept(&counters("requests", &sessions, start, (0, 1), 1.0)).await;
    for shards in [3, 5, 4] {
        cluster.begin(shards);
        cluster.tell_all().await;
        cluster.arrived().await;
    }
    cluster.end().await;
    cluster.accept(&counters("requests", &sessions, start, (1, 2), 1.0)).await;
    cluster.backend.wait("the totals", all_at(&sessions, 2.0)).await;
}
