//! What reaches the backend, and when.

use std::time::Duration;

use axum::http::StatusCode;
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_worker::CHUNKS_IN_FLIGHT_MAX;

use crate::backend::{Backend, STALE};
use crate::harness::{Harness, Launch, now, to};
use crate::sender::{counter, cumulative, exemplar, gauge, histogram, number, sum};

const SECOND: u64 = 1_000_000_000;

#[tokio::test]
async fn deltas_become_a_total_that_begins_with_zero() {
    let backend = Backend::start().await;
    let worker = Harness::start(&backend).await;
    let (sender, start) = (worker.sender().await, now() - 10 * SECOND);
    sender.accept(vec![counter("claude_code.token.usage", "a", start, start + SECOND, 20.0)]).await;
    let first = backend.wait("the first total", |got| got.last("claude_code_token_usage_total{") == Some(20.0)).await;
    let samples = first.samples("claude_code_token_usage_total{").unwrap();
    assert_eq!(samples[0].value, 0.0);
    assert_eq!(samples[0].timestamp, (start / 1_000_000) as i64, "the zero is at the start of the stream");

    sender.accept(vec![counter("claude_code.token.usage", "a", start + SECOND, start + 2 * SECOND, 5.0)]).await;
    let second = backend.wait("the second total", |got| got.last("claude_code_token_usage_total{") == Some(25.0)).await;
    second.assert_in_order();
    let zeros = second.samples("claude_code_token_usage_total{").unwrap().iter().filter(|s| s.value == 0.0).count();
    assert_eq!(zeros, 1, "a stream begins once");
    worker.stop().await;
}

#[tokio::test]
async fn a_late_point_and_a_repeated_one_are_told_apart() {
    let backend = Backend::start().await;
    let worker = Harness::start(&backend).await;
    let (sender, start) = (worker.sender().await, now() - 60 * SECOND);
    let newer = counter("requests", "a", start + 30 * SECOND, start + 40 * SECOND, 4.0);
    let older = counter("requests", "a", start, start + 10 * SECOND, 3.0);
    for point in [&newer, &older, &newer, &older] {
        sender.accept(vec![point.clone()]).await;
    }
    backend.wait("the sum of both", |got| got.last("requests_total{") == Some(7.0)).await;
    let counted = |name: &str| worker.metric(&format!("shardset_worker_points_{name}_total{{shard=\"0\"}}"));
    assert_eq!((counted("accepted"), counted("late"), counted("duplicate")), (2, 1, 2));
    worker.stop().await;
}

#[tokio::test]
async fn an_unchanged_stream_is_repeated_at_its_heartbeat() {
    let backend = Backend::start().await;
    let worker = Harness::start_with(&backend, |settings| settings.heartbeat = Duration::from_millis(150)).await;
    let start = now() - SECOND;
    worker.sender().await.accept(vec![counter("requests", "a", start, now(), 1.0)]).await;
    let repeated = |got: &crate::backend::Received| got.samples("requests_total{").is_some_and(|s| s.len() >= 5);
    let received = backend.wait("four repetitions", repeated).await;
    received.assert_in_order();
    assert!(received.samples("requests_total{").unwrap()[1..].iter().all(|sample| sample.value == 1.0));
    let told = received.samples("target_info{").unwrap();
    assert!(told.iter().all(|sample| sample.value == 1.0));
    assert!(received.families.contains_key("requests_total") || received.families.contains_key("requests"));
    worker.stop().await;
}

#[tokio::test]
async fn without_a_heartbeat_an_unchanged_stream_is_told_once() {
    let backend = Backend::start().await;
    let worker = Harness::start(&backend).await;
    let (sender, start) = (worker.sender().await, now() - SECOND);
    sender.accept(vec![counter("quiet", "a", start, now(), 1.0)]).await;
    backend.wait("the quiet one", |got| got.last("quiet_total{") == Some(1.0)).await;
    for value in 1..=5 {
        sender.accept(vec![counter("busy", "a", start, now(), 1.0)]).await;
        backend.wait("the busy one", |got| got.last("busy_total{") == Some(f64::from(value))).await;
    }
    assert_eq!(backend.received().samples("quiet_total{").unwrap().len(), 2, "its zero and its value");
    worker.stop().await;
}

#[tokio::test]
async fn an_idle_stream_ends_with_a_staleness_marker_and_continues_its_total() {
    let backend = Backend::start().await;
    let worker =
        Harness::start_with(&backend, |settings| settings.accumulate.max_stale = Duration::from_millis(300)).await;
    let (sender, start) = (worker.sender().await, now() - SECOND);
    sender.accept(vec![counter("requests", "a", start, now(), 3.0)]).await;
    let is_stale = |value: Option<f64>| value.is_some_and(|value| value.to_bits() == STALE);
    backend.wait("the end", |got| is_stale(got.last("requests_total{"))).await;
    backend.wait("the end of the resource", |got| is_stale(got.last("target_info{"))).await;
    sender.accept(vec![counter("requests", "a", now(), now() + 1, 4.0)]).await;
    let back = backend.wait("the stream's return", |got| got.last("requests_total{") == Some(7.0)).await;
    backend.wait("the resource's return", |got| got.last("target_info{") == Some(1.0)).await;
    back.assert_in_order();
    worker.stop().await;
}

#[tokio::test]
async fn a_forgotten_stream_leaves_nothing_behind_and_comes_back_as_a_new_one() {
    let backend = Backend::start().await;
    let change = |settings: &mut shardset_worker::Settings| {
        settings.accumulate.max_stale = Duration::from_millis(200);
        settings.accumulate.forget_after = Duration::from_millis(600);
    };
    let worker = Harness::start_with(&backend, change).await;
    let (sender, start) = (worker.sender().await, now() - SECOND);
    sender.accept(vec![counter("requests", "a", start, now(), 3.0)]).await;
    backend.wait("the end", |got| got.last("requests_total{").is_some_and(|value| value.to_bits() == STALE)).await;
    worker.wait_metric("shardset_worker_streams_forgotten_total{shard=\"0\"}", |forgotten| forgotten == 1).await;
    worker.wait_metric("shardset_worker_streams{shard=\"0\",state=\"idle\"}", |idle| idle == 0).await;
    assert_eq!(worker.metric("shardset_worker_streams{shard=\"0\",state=\"live\"}"), 0);
    sender.accept(vec![counter("requests", "a", now(), now() + 1, 4.0)]).await;
    let back = backend.wait("a new total", |got| got.last("requests_total{") == Some(4.0)).await;
    back.assert_in_order();
    let zeros = back.samples("requests_total{").unwrap().iter().filter(|sample| sample.value == 0.0).count();
    assert_eq!(zeros, 2, "it began twice");
    worker.stop().await;
}

#[tokio::test]
async fn every_kind_of_point_arrives() {
    let backend = Backend::start().await;
    let worker = Harness::start(&backend).await;
    let (sender, start) = (worker.sender().await, now() - 10 * SECOND);
    let mut with_exemplar = number("a", start, start + SECOND, crate::sender::double(2.0));
    with_exemplar.exemplars = vec![exemplar(start + SECOND, 2.0)];
    sender
        .accept(vec![
            sum("traced", with_exemplar, crate::sender::DELTA),
            histogram("latency", "a", start, start + SECOND, &[1.0, 10.0], &[1, 2, 3]),
            cumulative("passed", "a", start, start + SECOND, 40.0),
            gauge("level", "a", start + SECOND, 0.5),
        ])
        .await;
    let arrived = |got: &crate::backend::Received| {
        got.last("traced_total{") == Some(2.0)
            && got.last("latency_count{") == Some(6.0)
            && got.last("passed_total{") == Some(40.0)
            && got.last("level{") == Some(0.5)
    };
    let received = backend.wait("all four", arrived).await;
    received.assert_in_order();
    let buckets: Vec<f64> = ["1", "10", "+Inf"]
        .iter()
        .map(|le| {
            let (_, samples) = received
                .series
                .iter()
                .find(|(name, _)| name.starts_with("latency_bucket") && name.contains(&format!("le={le:?}")))
                .unwrap();
            samples.last().unwrap().value
        })
        .collect();
    assert_eq!(buckets, [1.0, 3.0, 6.0]);
    assert_eq!(received.samples("level{").unwrap()[0].timestamp, ((start + SECOND) / 1_000_000) as i64);
    let traced = received.exemplars.iter().find(|(name, _)| name.starts_with("traced_total{")).unwrap();
    assert_eq!(*traced.1, 1);
    worker.stop().await;
}

#[tokio::test]
async fn a_piece_that_became_too_old_while_the_backend_was_away_is_told_again() {
    let backend = Backend::start().await;
    backend.answer(StatusCode::SERVICE_UNAVAILABLE);
    let worker = Harness::start(&backend).await;
    let sender = worker.sender().await;
    let sent = now();
    sender.accept(vec![counter("requests", "a", sent - 1_000_000, sent, 3.0)]).await;
    // A piece counts as old after four ticks of 50 ms; the first one is made within one tick.
    backend.wait("attempts", |received| received.refused > 0 && now() > sent + 400_000_000).await;
    // Older than the piece would be if it were made now, newer than when it was made.
    let back = i64::try_from(now() / 1_000_000).unwrap() - 100;
    backend.refuse_older_than(back);
    backend.answer(StatusCode::NO_CONTENT);
    // Nothing changed and the heartbeat is an hour away, so only the piece can tell it.
    let received = backend.wait("the total", |received| received.last("requests") == Some(3.0)).await;
    let samples = received.samples("requests").unwrap();
    assert!(samples.last().unwrap().timestamp >= back, "{samples:?}");
    assert_eq!(samples.iter().filter(|sample| sample.value == 0.0).count(), 1, "{samples:?}");
    received.assert_in_order();
    worker.stop().await;
}

#[tokio::test]
async fn a_backend_that_was_away_gets_exact_totals_and_costs_a_few_chunks() {
    let backend = Backend::start().await;
    backend.answer(StatusCode::SERVICE_UNAVAILABLE);
    let worker = Harness::start(&backend).await;
    let (sender, start) = (worker.sender().await, now() - 60 * SECOND);
    // Enough streams for many chunks, each counted many times while the backend is away.
    let sessions: Vec<String> = (0..12_000).map(|session| format!("s{session}")).collect();
    for round in 0..3 {
        let time = start + (round + 1) * SECOND;
        let metrics = sessions.iter().map(|session| counter("requests", session, start, time, 1.0)).collect();
        sender.accept(metrics).await;
        backend.wait("another attempt", move |got| got.refused > 5 * round as usize).await;
    }
    let chunks = || worker.metric("shardset_worker_export_samples_total{shard=\"0\",destination=\"main\"}");
    let made_while_away = chunks();
    assert!(made_while_away <= (CHUNKS_IN_FLIGHT_MAX as u64) * 2_001, "{made_while_away} samples were made");

    backend.answer(StatusCode::NO_CONTENT);
    let all = |got: &crate::backend::Received| {
        let totals = got.series.iter().filter(|(name, _)| name.starts_with("requests_total{"));
        totals.filter(|(_, samples)| samples.last().is_some_and(|sample| sample.value == 3.0)).count() == 12_000
    };
    let received = backend.wait("every total", all).await;
    received.assert_in_order();
    let zeros = received.series.iter().filter(|(name, _)| name.starts_with("requests_total{"));
    assert!(zeros.clone().all(|(_, samples)| samples.iter().filter(|sample| sample.value == 0.0).count() == 1));
    worker.stop().await;
}

#[tokio::test]
async fn a_dead_destination_does_not_hold_back_a_living_one() {
    let (living, dead) = (Backend::start().await, Backend::start().await);
    dead.answer(StatusCode::INTERNAL_SERVER_ERROR);
    let destinations = vec![to("dead", &dead.url), to("living", &living.url)];
    let worker = Launch { destinations, ..Launch::on(MemoryDisk::new(1)) }.run().await;
    let (sender, start) = (worker.sender().await, now() - 60 * SECOND);
    for round in 1..=10_u64 {
        sender.accept(vec![counter("requests", "a", start, start + round * SECOND, 1.0)]).await;
        living.wait("the living one's total", |got| got.last("requests_total{") == Some(round as f64)).await;
    }
    assert!(dead.received().series.is_empty());
    dead.answer(StatusCode::NO_CONTENT);
    let back = dead.wait("the total after all", |got| got.last("requests_total{") == Some(10.0)).await;
    back.assert_in_order();
    let zeros = back.samples("requests_total{").unwrap().iter().filter(|sample| sample.value == 0.0).count();
    assert_eq!(zeros, 1, "the stream begins there, too");
    worker.stop().await;
}
