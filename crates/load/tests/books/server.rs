//! An OTLP server of three protocols on one port that does with each request what a script says, adds deltas up naively,
//! and shows the totals at `/metrics` and as a Prometheus query API.

mod points;

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::{get, post};
use points::Flat;
use shardset_wire::metrics_service::EXPORT_PATH;
use shardset_wire::{Export, ExportAnswer, MetricsServer};
use tokio::sync::watch;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status};

/// What is done with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Counted once, however often it comes.
    Apply,
    /// Counted, but never answered.
    ApplyAndHang,
    /// Neither.
    Hang,
    /// Success is said, nothing is counted.
    Lose,
    /// Everything is counted twice.
    ApplyTwice,
    /// A retryable error; nothing is counted.
    Unavailable,
    /// A final error.
    Refuse,
    /// Everything but the first point is counted.
    RejectOne,
}

/// The server; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Server {
    address: std::net::SocketAddr,
    state: Arc<Mutex<Totals>>,
    script: Arc<dyn Fn(u64) -> Action + Send + Sync>,
    requests: watch::Sender<u64>,
}

#[derive(Default)]
struct Totals {
    seen: HashSet<(String, u64, u64)>,
    /// Per series its value and, where only the newest counts, the time of that.
    series: BTreeMap<String, (f64, u64)>,
}

impl Server {
    pub(crate) async fn start(script: impl Fn(u64) -> Action + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
            script: Arc::new(script),
            requests: watch::Sender::new(0),
        };
        let grpc = MetricsServer::new(server.clone(), 1 << 20).accept_compressed(CompressionEncoding::Gzip);
        let app = Router::new()
            .route_service(EXPORT_PATH, grpc)
            .route("/v1/metrics", post(http))
            .route("/metrics", get(scrape))
            .route("/api/v1/query", get(query))
            .with_state(server.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, app).await });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ready once that many requests came.
    pub(crate) fn seen(&self, requests: u64) -> impl Future<Output = ()> + use<> {
        let mut count = self.requests.subscribe();
        async move {
            count.wait_for(|count| *count >= requests).await.unwrap();
        }
    }

    /// Success with how many points were rejected, or whether the error is final.
    async fn handle(&self, points: Vec<Flat>) -> Result<u64, bool> {
        let mut number = 0;
        self.requests.send_modify(|requests| {
            number = *requests;
            *requests += 1;
        });
        let action = (self.script)(number);
        match action {
            Action::Refuse => return Err(true),
            Action::Unavailable => return Err(false),
            Action::Hang | Action::Lose => {}
            Action::Apply | Action::ApplyAndHang | Action::ApplyTwice | Action::RejectOne => {
                self.state.lock().unwrap().apply(points, action);
            }
        }
        if matches!(action, Action::Hang | Action::ApplyAndHang) {
            pending::<()>().await;
        }
        Ok(u64::from(action == Action::RejectOne))
    }
}

impl Totals {
    fn apply(&mut self, points: Vec<Flat>, action: Action) {
        for point in points.into_iter().skip(usize::from(action == Action::RejectOne)) {
            let is_new = self.seen.insert((point.stream.clone(), point.start, point.time));
            if !is_new && action != Action::ApplyTwice {
                continue;
            }
            for (series, number) in point.numbers {
                let total = self.series.entry(series).or_default();
                if !point.is_latest {
                    total.0 += if action == Action::ApplyTwice { 2.0 * number } else { number };
                } else if point.time >= total.1 {
                    *total = (number, point.time);
                }
            }
        }
    }
}

impl Export for Server {
    async fn export(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
        match self.handle(points::of_protobuf(request.into_inner())).await {
            Ok(0) => Ok(Response::new(Bytes::new())),
            Ok(rejected) => Ok(Response::new(answer(rejected).encode())),
            Err(true) => Err(Status::invalid_argument("not liked")),
            Err(false) => Err(Status::unavailable("not now")),
        }
    }
}

fn answer(rejected_points: u64) -> ExportAnswer {
    ExportAnswer { rejected_points, message: "the first point is not liked".to_owned(), refused: Vec::new() }
}

async fn http(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> HttpResponse {
    let is_json = headers["content-type"] == "application/json";
    let body = if headers.contains_key("content-encoding") { points::inflate(&body) } else { body };
    let points = if is_json { points::of_json(&body) } else { points::of_protobuf(body) };
    match server.handle(points).await {
        Ok(0) if is_json => "{}".into_response(),
        Ok(0) => Bytes::new().into_response(),
        Ok(rejected) if is_json => {
            let message = answer(rejected).message;
            format!(r#"{{"partialSuccess":{{"rejectedDataPoints":"{rejected}","errorMessage":"{message}"}}}}"#)
                .into_response()
        }
        Ok(rejected) => answer(rejected).encode().into_response(),
        Err(true) => StatusCode::BAD_REQUEST.into_response(),
        Err(false) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn scrape(State(server): State<Server>) -> String {
    let mut text = "# HELP some\n".to_owned();
    for (series, (value, _)) in &server.state.lock().unwrap().series {
        writeln!(text, "{series} {value}").unwrap();
    }
    text
}

/// Knows the one expression that it is asked, with one name.
async fn query(State(server): State<Server>, RawQuery(query): RawQuery) -> String {
    let query = query.unwrap();
    let from = query.find("__name__%3D%22").unwrap() + "__name__%3D%22".len();
    let name = &query[from..from + query[from..].find("%22").unwrap()];
    let series = &server.state.lock().unwrap().series;
    let mut results = Vec::new();
    for (key, (value, _)) in series {
        let (of, labels) = key.split_once('{').unwrap();
        let labels = labels.trim_end_matches('}').replace("=\"", "\":\"").replace(",", ",\"");
        if of == name {
            results.push(format!(r#"{{"metric":{{"{labels}}},"value":[1.5,"{value}"]}}"#));
        } else if of.strip_suffix("_count") == Some(name) {
            let sum = series[&key.replacen("_count{", "_sum{", 1)].0;
            let histogram = format!(r#"{{"count":"{value}","sum":"{sum}","buckets":[]}}"#);
            results.push(format!(r#"{{"metric":{{"{labels}}},"histogram":[1.5,{histogram}]}}"#));
        }
    }
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#, results.join(","))
}
