//! A receiver on loopback whose next stage says what the test wants, and a request that everybody sends.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, number_data_point,
};
use prometheus_client::registry::Registry;
use prost::Message;
use shardset_gateway::receive::{
    Addresses, Answer, Intake, Outcome, Protocol, ReceiveMetrics, ReceiveSettings, Receiver, Request,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;

/// Nothing here takes as long; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Answers what it was told, and keeps what it was given.
#[derive(Clone)]
pub(crate) struct Script {
    answer: Answer,
    taken: Arc<Mutex<Vec<(Protocol, Bytes)>>>,
    gate: Arc<Semaphore>,
}

impl Script {
    /// Answers at once.
    pub(crate) fn answering(answer: Answer) -> Self {
        Self { answer, taken: Arc::default(), gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)) }
    }

    /// Answers full success to as many requests as it is let.
    pub(crate) fn held() -> Self {
        Self { gate: Arc::new(Semaphore::new(0)), ..Self::answering(Answer::accepted()) }
    }

    pub(crate) fn let_through(&self, requests: usize) {
        self.gate.add_permits(requests);
    }

    pub(crate) fn taken(&self) -> Vec<(Protocol, Bytes)> {
        self.taken.lock().unwrap().clone()
    }
}

impl Intake for Script {
    async fn take(&self, request: Request) -> Answer {
        self.taken.lock().unwrap().push((request.protocol, request.body.clone()));
        self.gate.acquire().await.unwrap().forget();
        self.answer.clone()
    }
}

/// A receiver under test. Stops with the test.
pub(crate) struct Server {
    pub(crate) addresses: Addresses,
    pub(crate) metrics: ReceiveMetrics,
    pub(crate) script: Script,
    pub(crate) stop: CancellationToken,
    pub(crate) running: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(script: Script) -> Self {
        Self::start_with(script, settings()).await
    }

    pub(crate) async fn start_with(script: Script, settings: ReceiveSettings) -> Self {
        let metrics = ReceiveMetrics::register(&mut Registry::default());
        let receiver = Receiver::bind(settings, script.clone(), metrics.clone()).await.unwrap();
        let (addresses, stop, mut running) = (receiver.addresses(), CancellationToken::new(), JoinSet::new());
        running.spawn(receiver.serve(stop.clone()));
        Self { addresses, metrics, script, stop, running }
    }

    /// Waits until requests that ended so are this many and nothing is in flight.
    pub(crate) async fn settles(&self, protocol: Protocol, outcome: Outcome, requests: u64) {
        let settled = || self.metrics.requests(protocol, outcome) == requests && self.metrics.in_flight_bytes() == 0;
        eventually(&format!("{requests} x {protocol:?} {outcome:?}"), settled).await;
    }
}

/// The defaults, on free ports.
pub(crate) fn settings() -> ReceiveSettings {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    ReceiveSettings { grpc: any, http: any, ..ReceiveSettings::default() }
}

/// Comes back as soon as `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"));
}

/// One request, as protobuf.
pub(crate) fn protobuf() -> Bytes {
    let point = NumberDataPoint {
        start_time_unix_nano: 1_000_000_000,
        time_unix_nano: 2_000_000_000,
        value: Some(number_data_point::Value::AsInt(20)),
        ..NumberDataPoint::default()
    };
    let sum = Sum { data_points: vec![point], aggregation_temporality: 1, is_monotonic: true };
    let metric = Metric { name: "requests".into(), data: Some(Data::Sum(sum)), ..Metric::default() };
    let scope_metrics = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
    let resource_metrics = ResourceMetrics { scope_metrics: vec![scope_metrics], ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }.encode_to_vec().into()
}

/// The same request, as a JavaScript SDK writes it.
pub(crate) fn json() -> Bytes {
    Bytes::from_static(
        br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"requests","description":"","unit":"",
            "sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{"attributes":[],
            "startTimeUnixNano":"1000000000","timeUnixNano":"2000000000","asInt":20}]}}]}]}]}"#,
    )
}

/// An encoding by its names over HTTP and gRPC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Squeeze {
    None,
    Gzip,
    Deflate,
    Zstd,
}

impl Squeeze {
    pub(crate) const ALL: [Self; 4] = [Self::None, Self::Gzip, Self::Deflate, Self::Zstd];

    pub(crate) const fn header(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Deflate => Some("deflate"),
            Self::Zstd => Some("zstd"),
        }
    }

    pub(crate) const fn grpc(self) -> Option<CompressionEncoding> {
        match self {
            Self::None => None,
            Self::Gzip => Some(CompressionEncoding::Gzip),
            Self::Deflate => Some(CompressionEncoding::Deflate),
            Self::Zstd => Some(CompressionEncoding::Zstd),
        }
    }

    pub(crate) fn apply(self, body: &[u8]) -> Bytes {
        match self {
            Self::None => Bytes::copy_from_slice(body),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(body).unwrap();
                encoder.finish().unwrap().into()
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(body).unwrap();
                encoder.finish().unwrap().into()
            }
            Self::Zstd => zstd::encode_all(body, 3).unwrap().into(),
        }
    }
}
