//! The admin server: `/metrics`, `/healthz`, `/readyz`.
//!
//! `/healthz` says that the process runs; `/readyz` that it may be sent work, and if not, what it waits for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Readiness;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the admin server tells of.
#[derive(Clone, Debug)]
pub struct Admin {
    registry: Arc<Registry>,
    readiness: Readiness,
}

impl Admin {
    /// Tells of these metrics and this readiness.
    pub fn new(registry: Registry, readiness: Readiness) -> Self {
        Self { registry: Arc::new(registry), readiness }
    }

    /// The routes, for a server of the caller's own.
    pub fn router(self) -> Router {
        Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .with_state(self)
    }

    /// Serves on `listener` until `stop`.
    ///
    /// # Errors
    ///
    /// Where the listener fails.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        serve(self.router(), listener, stop).await
    }
}

/// How long a request of a stopping server may take: a scrape that nobody reads must not keep the process.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Serves `router` on `listener` until `stop`.
///
/// # Errors
///
/// Where the listener fails.
pub async fn serve(router: Router, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
    let over = async {
        stop.cancelled().await;
        tokio::time::sleep(STOP_GRACE).await;
    };
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned()) => served,
        () = over => Ok(()),
    }
}

/// Listens on `address`, with an error that names the flag to change.
///
/// # Errors
///
/// The system's, with the address and the flag.
pub async fn listen(address: SocketAddr, flag: &str) -> io::Result<TcpListener> {
    crate::listen(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("can not listen on {address} ({flag}): {error}")))
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &admin.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn readyz(State(admin): State<Admin>) -> Response {
    let unmet = admin.readiness.unmet();
    if unmet.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: waiting for {}\n", unmet.join(", "))).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::registry::Registry;
    use tower::ServiceExt;

    use super::Admin;
    use crate::Readiness;

    async fn get(admin: Admin, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let response = admin.router().oneshot(request).await.expect("infallible");
        let status = response.status();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn readiness_names_what_it_waits_for() {
        let readiness = Readiness::default();
        let condition = readiness.condition("shard 0");
        let admin = Admin::new(Registry::default(), readiness);
        let not_yet = (StatusCode::SERVICE_UNAVAILABLE, "not ready: waiting for shard 0\n".to_owned());
        assert_eq!(get(admin.clone(), "/readyz").await, not_yet);
        assert_eq!(get(admin.clone(), "/healthz").await.0, StatusCode::OK);
        condition.set(true);
        assert_eq!(get(admin, "/readyz").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_are_openmetrics_text() {
        let mut registry = Registry::default();
        let points = Counter::<u64>::default();
        registry.register("shardset_points", "Points", points.clone());
        points.inc_by(3);
        let (status, text) = get(Admin::new(registry, Readiness::default()), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("shardset_points_total 3\n") && text.ends_with("# EOF\n"), "{text}");
    }
}
