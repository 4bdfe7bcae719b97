//! Who acts, where several want to: against a server that keeps one lease as the API server does, by version.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use shardset_operator::lease::Election;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// One lease, or none yet, and whether the server answers.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lease: Option<Lease>,
    version: u64,
    is_away: bool,
}

impl Server {
    fn client(&self) -> Client {
        let server = self.clone();
        let answer = move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        };
        Client::new(tower::service_fn(answer), "system")
    }

    fn election(&self, identity: &str) -> Election {
        Election::new(self.client(), "system", "operator", identity.to_owned())
    }

    fn holder(&self) -> Option<String> {
        let state = self.0.lock().expect("nobody panicked");
        state.lease.as_ref()?.spec.as_ref()?.holder_identity.clone()
    }

    fn is_away(&self, is_away: bool) {
        self.0.lock().expect("nobody panicked").is_away = is_away;
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.expect("it is in memory").to_bytes();
        let mut state = self.0.lock().expect("nobody panicked");
        if state.is_away {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "away");
        }
        let held = state.lease.clone();
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        match (head.method, held) {
            (Method::GET, None) => refusal(StatusCode::NOT_FOUND, "NotFound"),
            (Method::GET, Some(held)) => answer(json!(held)),
            (Method::POST, Some(_)) => refusal(StatusCode::CONFLICT, "AlreadyExists"),
            (_, held) => {
                let mut lease: Lease = serde_json::from_slice(&body).expect("a lease");
                if held.is_some_and(|held| version(&held) != version(&lease)) {
                    return refusal(StatusCode::CONFLICT, "Conflict");
                }
                state.version += 1;
                lease.metadata.resource_version = Some(state.version.to_string());
                state.lease = Some(lease.clone());
                answer(json!(lease))
            }
        }
    }
}

fn answer(body: Value) -> Response<Body> {
    Response::new(Body::from(body.to_string().into_bytes()))
}

fn refusal(status: StatusCode, reason: &str) -> Response<Body> {
    let body =
        json!({ "kind": "Status", "status": "Failure", "reason": reason, "message": reason, "code": status.as_u16() });
    let mut response = answer(body);
    *response.status_mut() = status;
    response
}

/// Whether the lease is won within a minute, and after how many seconds.
async fn wins(election: &mut Election) -> Option<u64> {
    let begun = Instant::now();
    timeout(Duration::from_secs(60), election.win()).await.ok().map(|()| begun.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn one_of_two_acts_and_the_other_one_when_it_is_silent_for_15_seconds() {
    let server = Server::default();
    let (mut first, mut second) = (server.election("first"), server.election("second"));
    assert_eq!(wins(&mut first).await, Some(0));
    let taken_after = wins(&mut second).await.expect("the first one is silent");
    assert!((15..=18).contains(&taken_after), "after {taken_after} s");
    assert_eq!(server.holder().as_deref(), Some("second"));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_renews_keeps_the_lease_and_gives_it_back_when_it_stops() {
    let server = Server::default();
    let (mut first, mut second) = (server.election("first"), server.election("second"));
    first.win().await;
    let stop = CancellationToken::new();
    let (keeping, others) = (first.keep(stop.clone()), async {
        assert_eq!(wins(&mut second).await, None, "it is held");
        stop.cancel();
        wins(&mut second).await
    });
    let (kept, taken_after) = tokio::join!(keeping, others);
    assert!(kept.is_ok());
    assert!(taken_after.is_some_and(|seconds| seconds <= 2), "{taken_after:?}: it need not wait");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_can_not_renew_for_10_seconds_stops_before_another_one_acts() {
    let server = Server::default();
    let mut holder = server.election("holder");
    holder.win().await;
    server.is_away(true);
    let begun = Instant::now();
    let lost = holder.keep(CancellationToken::new()).await;
    let after = begun.elapsed().as_secs();
    assert!(lost.is_err() && (10..15).contains(&after), "after {after} s");
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_lease_is_anothers_stops_at_once() {
    let server = Server::default();
    let (mut first, mut second) = (server.election("first"), server.election("second"));
    first.win().await;
    // It was stopped for long, say, and did not renew.
    second.win().await;
    let begun = Instant::now();
    assert!(first.keep(CancellationToken::new()).await.is_err());
    assert!(begun.elapsed().as_secs() <= 2);
    assert_eq!(server.holder().as_deref(), Some("second"));
}

#[tokio::test(start_paused = true)]
async fn an_outage_shorter_than_that_changes_nothing() {
    let server = Server::default();
    let mut holder = server.election("holder");
    holder.win().await;
    let stop = CancellationToken::new();
    let outage = async {
        server.is_away(true);
        sleep(Duration::from_secs(7)).await;
        server.is_away(false);
        sleep(Duration::from_secs(30)).await;
        let held = server.holder();
        stop.cancel();
        held
    };
    let (kept, held) = tokio::join!(holder.keep(stop.clone()), outage);
    assert!(kept.is_ok());
    assert_eq!(held.as_deref(), Some("holder"));
}
