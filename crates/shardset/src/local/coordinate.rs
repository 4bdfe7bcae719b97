//! The coordinator of `shardset local`, and the way to it: `/scale` and `/status` of the admin server.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use shardset_coordinator::Coordinator;
use shardset_handoff::Wish;
use shardset_model::ShardCount;
use shardset_process::logging::chain;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use super::cluster::LocalCluster;
use crate::scale::ScaleRequest;
use crate::status::View;

/// How often things are looked at while something is under way. Workers answer in well under a millisecond.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often while nothing is.
const LOOK_EVERY_IDLE: Duration = Duration::from_secs(2);

/// What is wished and what is so.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    wish: watch::Sender<Wish>,
    view: watch::Receiver<View>,
}

/// The coordinator at work; gives its cluster back when it is stopped.
pub(super) type Working = Arc<Mutex<Option<Coordinator<LocalCluster>>>>;

/// Coordinates until `stop`.
pub(super) async fn coordinate(
    working: Working,
    mut wishes: watch::Receiver<Wish>,
    view: watch::Sender<View>,
    stop: CancellationToken,
) -> Result<(), std::convert::Infallible> {
    let mut said = String::new();
    while !stop.is_cancelled() {
        let wait = {
            let mut working = working.lock().await;
            let Some(coordinator) = working.as_mut() else { break };
            coordinator.wish(wishes.borrow_and_update().clone());
            match coordinator.round().await {
                Ok(round) => {
                    view.send_replace(View::of(&round));
                    said.clear();
                    if round.is_done() { LOOK_EVERY_IDLE } else { LOOK_EVERY }
                }
                Err(error) => {
                    let text = chain(&error);
                    if text != said {
                        tracing::error!(error = text, "the workers can not be coordinated now");
                        said = text;
                    }
                    LOOK_EVERY_IDLE
                }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            changed = wishes.changed() => if changed.is_err() { break },
            () = stop.cancelled() => {}
        }
    }
    Ok(())
}

impl Desk {
    /// Takes wishes for `wish`, and shows `view`.
    pub(super) fn new(wish: watch::Sender<Wish>, view: watch::Receiver<View>) -> Self {
        Self { wish, view }
    }

    /// Its routes.
    pub(super) fn router(self) -> Router {
        Router::new().route("/status", get(status)).route("/scale", post(scale)).with_state(self)
    }

    /// What is seen, with what is wished and not under way yet.
    fn seen(&self) -> View {
        let (mut view, wish) = (self.view.borrow().clone(), self.wish.borrow().clone());
        let is_wished = view.membership.as_ref().is_some_and(|membership| {
            membership.shards == wish.shards.get() && membership.routing == wish.routing.to_string()
        });
        if !is_wished && view.waiting.is_empty() {
            view.waiting.push(format!("{} shards, routed by {}, are asked for", wish.shards, wish.routing));
        }
        view
    }
}

async fn status(State(desk): State<Desk>) -> Json<View> {
    Json(desk.seen())
}

async fn scale(State(desk): State<Desk>, Json(request): Json<ScaleRequest>) -> Response {
    let bad = |text: String| (StatusCode::BAD_REQUEST, text + "\n").into_response();
    let Some(shards) = ShardCount::new(request.shards) else {
        return bad(format!("shards must be from 1 to {}", ShardCount::MAX));
    };
    let before = desk.wish.borrow().routing.clone();
    let routing = match request.routing.as_deref().map_or(Ok(before), str::parse) {
        Ok(routing) => routing,
        Err(error) => return bad(error.to_string()),
    };
    tracing::info!(shards = shards.get(), %routing, "another membership is asked for");
    desk.wish.send_replace(Wish { shards, routing });
    Json(desk.seen()).into_response()
}
