//! Points that wait for their streams have a limit; at it, gateways keep the points, and none that was acknowledged is dropped.

use opentelemetry_proto::tonic::metrics::v1::Metric;
use shardset_wire::status;
use tonic::Code;

use crate::backend::Received;
use crate::cluster::{Cluster, a_minute_ago, counters, series};
use crate::harness::moving;
use crate::sender::counter;

const LIMIT: usize = 4096;

fn request(session: &str) -> Metric {
    counter("requests", session, 1, 2, 1.0)
}

/// The second shard is new; it knows of the change, and the first one does not.
async fn with_little_room() -> (Cluster, Vec<String>) {
    let mut cluster = Cluster::start_with(1, 2, |launch| launch.settings.parked_bytes_max = LIMIT).await;
    let moved = cluster.movers(request, &moving(2, 1, 2), 20);
    cluster.accept(&counters("requests", &moved, a_minute_ago(), (0, 1), 1.0)).await;
    cluster.begin(2);
    cluster.tell_alone(1).await;
    (cluster, moved)
}

/// Sends seconds of points until one is refused: how many were taken, and what was refused.
async fn fill(cluster: &Cluster, moved: &[String], start: u64) -> (u64, Vec<Metric>) {
    for second in 1.. {
        let points = counters("requests", moved, start, (second, second + 1), 1.0);
        if let Err(refused) = cluster.send_to(1, points.clone()).await {
            assert_eq!(refused.code(), Code::Unavailable, "{refused}");
            assert!(status::retry_after(&refused).is_some(), "{refused}");
            assert!(refused.message().contains("too many points wait"), "{refused}");
            return (second - 1, points);
        }
        assert!(second < 1000, "the limit was never reached");
    }
    unreachable!("the loop ends")
}

#[tokio::test]
async fn at_the_limit_points_are_refused_retryably_and_what_was_parked_counts() {
    let (mut cluster, moved) = with_little_room().await;
    let start = a_minute_ago();
    let (taken, refused) = fill(&cluster, &moved, start).await;
    assert_eq!(cluster.worker(1).metric("shardset_worker_requests_total{shard=\"1\",outcome=\"no_room_to_park\"}"), 1);
    let bytes = cluster.worker(1).report().await.parked_bytes;
    assert!(taken > 0 && bytes >= LIMIT as u64 && bytes < 4 * LIMIT as u64, "{taken} requests, {bytes} bytes");

    cluster.tell_all().await;
    cluster.end().await;
    assert_eq!(cluster.send_to(1, refused).await.unwrap().rejected_points, 0);
    let total = (1 + taken + 1) as f64;
    let is_all =
        |got: &Received| moved.iter().all(|session| got.last(&series("requests_total", session)) == Some(total));
    cluster.backend.wait("every point once", is_all).await;
}

#[tokio::test]
async fn parked_points_outlive_a_crash() {
    let (mut cluster, moved) = with_little_room().await;
    let (taken, refused) = fill(&cluster, &moved, a_minute_ago()).await;
    cluster.crash(1).await;
    cluster.boot(1).await;
    let still = cluster.send_to(1, refused.clone()).await.unwrap_err();
    assert_eq!(still.code(), Code::Unavailable, "{still}");
    cluster.tell_all().await;
    cluster.end().await;
    cluster.accept(&refused).await;
    let total = (1 + taken + 1) as f64;
    let is_all =
        |got: &Received| moved.iter().all(|session| got.last(&series("requests_total", session)) == Some(total));
    cluster.backend.wait("every point once", is_all).await;
}
