//! The generator's books against a server that follows a script: whatever it does, the books must say so.
#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod server;

use std::future::pending;
use std::time::Duration;

use server::{Action, Server};
use shardset_load::{
    Endpoints, Extras, MischiefRates, Outcome, Retry, Settings, Summary, Verdict, VerifySettings, run, verify,
};
use shardset_model::UnixMillis;

const BASE: UnixMillis = UnixMillis(1_800_000_000_000);

/// Fast, with all protocols.
fn settings(server: &Server) -> Settings {
    Settings {
        endpoints: Endpoints { grpc: server.url(), http: server.url(), ..Endpoints::default() },
        sessions: Some(40),
        interval: Duration::from_millis(10),
        points: Some(2000),
        connections: 3,
        in_flight: 4,
        gzip: 0.3,
        retry: Retry {
            // Long enough that only a request which the script leaves hanging meets it.
            timeout: Duration::from_secs(10),
            attempts: 50,
            pause: Duration::from_millis(5),
            pause_max: Duration::from_millis(20),
            patience: Duration::from_secs(60),
        },
        ..Settings::default()
    }
}

async fn send(settings: &Settings) -> Outcome {
    let mut progress = Vec::new();
    run(settings, BASE, pending(), |line| progress.push(line.to_string())).await.unwrap()
}

async fn check(outcome: &Outcome, server: &Server) -> Verdict {
    let settings = VerifySettings { patience: Duration::ZERO, ..VerifySettings::default() };
    verify(outcome, &format!("{}/metrics", server.url()), &settings).await.unwrap()
}

fn everything_was(summary: &Summary) -> [u64; 5] {
    let Summary { points_accepted, points_rejected, points_refused, points_undelivered, points_unknown, .. } = summary;
    [*points_accepted, *points_rejected, *points_refused, *points_undelivered, *points_unknown]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_server_is_verified_exactly_with_every_kind_of_point_and_of_mischief() {
    let server = Server::start(|_| Action::Apply).await;
    let settings = Settings {
        extras: Extras::SOME,
        mischief: MischiefRates { send_twice: 0.1, race: 0.1, abandon: 0.2 },
        ..settings(&server)
    };
    let outcome = send(&settings).await;
    assert_eq!(everything_was(&outcome.summary), [outcome.summary.points_sent, 0, 0, 0, 0]);
    assert!(outcome.summary.duplicates > 20 && outcome.summary.points_sent >= 2000, "{}", outcome.summary);
    let verdict = check(&outcome, &server).await;
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.exact, verdict.series);
    assert_eq!((verdict.lost, verdict.doubled), (0.0, 0.0));
    assert_eq!(verdict.expected, verdict.found);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn temporary_trouble_is_retried_until_everything_is_accepted() {
    let server = Server::start(|request| match request % 5 {
        1 => Action::Unavailable,
        3 => Action::ApplyAndHang,
        _ => Action::Apply,
    })
    .await;
    let retry = Retry { timeout: Duration::from_millis(300), ..settings(&server).retry };
    let settings = Settings { points: Some(400), retry, ..settings(&server) };
    let outcome = send(&settings).await;
    assert_eq!(outcome.summary.points_accepted, outcome.summary.points_sent, "{}", outcome.summary);
    assert!(outcome.summary.retries > 10);
    let verdict = check(&outcome, &server).await;
    assert!(verdict.passed() && verdict.exact == verdict.series, "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_counted_and_nothing_is_expected_of_it() {
    let server = Server::start(|request| if request % 10 == 0 { Action::Refuse } else { Action::Apply }).await;
    let outcome = send(&settings(&server)).await;
    let [accepted, _, refused, ..] = everything_was(&outcome.summary);
    assert!(refused > 0 && accepted + refused == outcome.summary.points_sent, "{}", outcome.summary);
    let verdict = check(&outcome, &server).await;
    assert_eq!((verdict.differences_total, verdict.refused, verdict.passed()), (0, refused, false), "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partial_success_leaves_the_rest_of_its_request_uncertain() {
    let server = Server::start(|request| if request == 7 { Action::RejectOne } else { Action::Apply }).await;
    let outcome = send(&settings(&server)).await;
    assert_eq!(outcome.summary.points_rejected, 1);
    assert_eq!(outcome.summary.complaints, ["the first point is not liked"]);
    let verdict = check(&outcome, &server).await;
    assert_eq!((verdict.differences_total, verdict.refused, verdict.passed()), (0, 1, false), "{verdict}");
    assert!(verdict.exact < verdict.series || outcome.summary.points_unknown == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_never_answered_are_unknown_applied_or_not() {
    for action in [Action::ApplyAndHang, Action::Hang] {
        let server = Server::start(move |request| if request < 12 { action } else { Action::Apply }).await;
        let retry = Retry { attempts: 1, timeout: Duration::from_millis(200), ..Retry::default() };
        let outcome = send(&Settings { retry, ..settings(&server) }).await;
        assert!(outcome.summary.points_unknown > 0, "{}", outcome.summary);
        let verdict = check(&outcome, &server).await;
        assert!(verdict.passed() && verdict.within_unknown > 0, "{verdict}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_request_is_found() {
    let server = Server::start(|request| if request == 20 { Action::Lose } else { Action::Apply }).await;
    let outcome = send(&settings(&server)).await;
    assert_eq!(outcome.summary.points_accepted, outcome.summary.points_sent);
    let verdict = check(&outcome, &server).await;
    assert!(!verdict.passed() && verdict.lost > 0.0 && verdict.doubled == 0.0, "{verdict}");
    assert_eq!(verdict.expected - verdict.found, verdict.lost);
    assert!(!verdict.differences.is_empty() && verdict.to_string().contains("NOT verified"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubled_request_is_found() {
    let server = Server::start(|request| if request == 20 { Action::ApplyTwice } else { Action::Apply }).await;
    let outcome = send(&settings(&server)).await;
    let verdict = check(&outcome, &server).await;
    assert!(!verdict.passed() && verdict.lost == 0.0 && verdict.doubled > 0.0, "{verdict}");
    assert_eq!(verdict.found - verdict.expected, verdict.doubled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_api_is_verified_as_a_scrape_is() {
    let server = Server::start(|request| if request == 20 { Action::Lose } else { Action::Apply }).await;
    let outcome = send(&Settings { extras: Extras::SOME, ..settings(&server) }).await;
    let settings = VerifySettings { patience: Duration::ZERO, ..VerifySettings::default() };
    let by_query = verify(&outcome, &server.url(), &settings).await.unwrap();
    assert_eq!(by_query, check(&outcome, &server).await);
    assert!(by_query.lost > 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_reaches_a_server_that_is_not_there() {
    let server = Server::start(|_| Action::Apply).await;
    let nowhere = "http://127.0.0.1:9".to_owned();
    let endpoints = Endpoints { grpc: nowhere.clone(), http: nowhere, ..Endpoints::default() };
    let retry = Retry { attempts: 3, ..settings(&server).retry };
    let outcome = send(&Settings { endpoints, retry, points: Some(100), ..settings(&server) }).await;
    assert_eq!(everything_was(&outcome.summary), [0, 0, 0, outcome.summary.points_sent, 0], "{}", outcome.summary);
    assert!(!check(&outcome, &server).await.passed(), "a run of which nothing was accepted verifies nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_when_it_is_told_to() {
    let server = Server::start(|_| Action::Apply).await;
    let settings = Settings { points: None, duration: Some(Duration::from_secs(3600)), ..settings(&server) };
    let enough = server.seen(100);
    let outcome = run(&settings, BASE, enough, |_| ()).await.unwrap();
    assert!(outcome.summary.requests >= 100);
    assert!(check(&outcome, &server).await.passed());
}
