//! An API server that has one slice, or none, and answers when the test wants it to.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use shardset_membership::Record;
use shardset_slice::{format, names};
use tokio::sync::watch;

pub(crate) const SET: &str = "demo";

/// How the server is.
#[derive(Clone)]
enum State {
    /// It takes requests and answers none, as a process that is stopped.
    Silent,
    /// It answers each with an error.
    Refusing,
    /// It has this slice.
    Serving { slice: Option<Box<EndpointSlice>>, version: u64 },
}

/// The server.
pub(crate) struct Server(watch::Sender<State>);

impl Server {
    pub(crate) fn silent() -> Self {
        Self(watch::Sender::new(State::Silent))
    }

    pub(crate) fn refusing() -> Self {
        Self(watch::Sender::new(State::Refusing))
    }

    /// It answers from now on, and this is published.
    pub(crate) fn serve(&self, record: Option<&Record>) {
        let slice = record.map(|record| {
            let mut slice = format::write(SET, record, |_| Endpoint::default());
            slice.metadata.name = Some(names::membership(SET));
            Box::new(slice)
        });
        self.0.send_modify(|state| {
            let before = if let State::Serving { version, .. } = state { *version } else { 0 };
            *state = State::Serving { slice, version: before + 1 };
        });
    }

    pub(crate) fn client(&self) -> Client {
        let states = self.0.subscribe();
        let answer = move |request: Request<Body>| {
            let states = states.clone();
            async move { Ok::<_, Infallible>(answer(states, request.uri().query().unwrap_or_default()).await) }
        };
        Client::new(tower::service_fn(answer), "ns")
    }
}

async fn answer(mut states: watch::Receiver<State>, query: &str) -> Response<Body> {
    let is_membership = query.contains("fieldSelector");
    if let Some((_, version)) = query.split_once("watch=true").and(query.split_once("resourceVersion=")) {
        let seen: u64 = version.split('&').next().unwrap().parse().unwrap();
        let is_news = |state: &State| matches!(state, State::Serving { version, .. } if *version > seen);
        if !is_membership || states.wait_for(is_news).await.is_err() {
            return std::future::pending().await;
        }
    }
    match states.wait_for(|state| !matches!(state, State::Silent)).await.unwrap().clone() {
        State::Silent | State::Refusing => {
            let mut response = body(&json!({ "kind": "Status", "status": "Failure", "message": "away", "code": 503 }));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
        State::Serving { slice, version } => {
            let slice = slice.filter(|_| is_membership).map(|slice| at(&slice, version));
            if query.contains("watch=true") {
                return body(&json!({ "type": "MODIFIED", "object": slice }));
            }
            let metadata = json!({ "resourceVersion": version.to_string() });
            body(
                &json!({ "kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1", "metadata": metadata, "items": Vec::from_iter(slice) }),
            )
        }
    }
}

fn at(slice: &EndpointSlice, version: u64) -> Value {
    let mut slice = json!(slice);
    slice["metadata"]["resourceVersion"] = version.to_string().into();
    slice
}

fn body(value: &Value) -> Response<Body> {
    Response::new(Body::from(value.to_string().into_bytes()))
}
