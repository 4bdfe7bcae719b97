//! A remote-write receiver that keeps what it gets and answers what the test tells it to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Nothing in these tests takes longer, so whoever waits this long waits for something that will not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The staleness marker.
pub(crate) const STALE: u64 = 0x7ff0_0000_0000_0002;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    exemplars: Vec<Exemplar>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<Native>,
}

/// A native histogram, as far as these tests look into it.
#[derive(Clone, Copy, PartialEq, Message)]
struct Native {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(int64, tag = "15")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Sample {
    #[prost(double, tag = "1")]
    pub(crate) value: f64,
    #[prost(int64, tag = "2")]
    pub(crate) timestamp: i64,
}

impl Sample {
    fn of(histogram: Native) -> Self {
        Self { value: histogram.count as f64, timestamp: histogram.timestamp }
    }
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(double, tag = "2")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    family: String,
    #[prost(string, tag = "4")]
    help: String,
}

/// Everything the backend has taken, by series as `name{label="value",…}`. A native histogram stands there with its count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) series: BTreeMap<String, Vec<Sample>>,
    /// The newest value of each series, by who told it where that is known; see [`Backend::url_for`].
    pub(crate) told_by: BTreeMap<(u32, String), f64>,
    pub(crate) exemplars: BTreeMap<String, usize>,
    pub(crate) families: BTreeMap<String, String>,
    pub(crate) requests: usize,
    pub(crate) refused: usize,
}

impl Received {
    /// The newest sample of the series whose name begins so.
    pub(crate) fn last(&self, prefix: &str) -> Option<f64> {
        Some(self.samples(prefix)?.last()?.value)
    }

    /// All samples of the one series that begins so.
    pub(crate) fn samples(&self, prefix: &str) -> Option<&[Sample]> {
        self.series.iter().find(|(name, _)| name.starts_with(prefix)).map(|(_, samples)| samples.as_slice())
    }

    /// Every series' times must ascend strictly, or a real backend would have refused some.
    pub(crate) fn assert_in_order(&self) {
        for (name, samples) in &self.series {
            let ascends = samples.windows(2).all(|pair| pair[0].timestamp < pair[1].timestamp);
            assert!(ascends, "{name} is out of order: {samples:?}");
        }
    }

    /// What a backend that sorts by time has of a counter, whoever told it: it begins with zero, and never falls.
    pub(crate) fn assert_one_life(&self, prefix: &str) {
        let mut samples = self.samples(prefix).unwrap_or_default().to_vec();
        samples.sort_by_key(|sample| sample.timestamp);
        // Told twice at the same time, it is the same sample.
        samples.dedup_by_key(|sample| (sample.timestamp, sample.value.to_bits()));
        let ascends = samples.windows(2).all(|pair| pair[0].timestamp < pair[1].timestamp);
        assert!(ascends, "{prefix} has two values at one time: {samples:?}");
        assert!(samples.is_sorted_by_key(|sample| sample.value), "{prefix} falls: {samples:?}");
        let zeros = samples.iter().filter(|sample| sample.value == 0.0).count();
        assert!(zeros >= 1, "{prefix} begins with zero: {samples:?}");
    }
}

/// A scripted backend. It ends with its handle.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) url: String,
    shared: Arc<Shared>,
    received: watch::Receiver<Received>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Shared {
    answer: Mutex<StatusCode>,
    /// While it is true, whoever was taken is not told so.
    silent: watch::Sender<bool>,
    oldest: Mutex<i64>,
    received: watch::Sender<Received>,
}

impl Backend {
    /// Listens on a free port and takes everything.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1/write", listener.local_addr().unwrap());
        let (sender, received) = watch::channel(Received::default());
        let shared = Arc::new(Shared {
            answer: Mutex::new(StatusCode::NO_CONTENT),
            silent: watch::Sender::new(false),
            oldest: Mutex::new(0),
            received: sender,
        });
        let router = Router::new()
            .route("/api/v1/write", post(write))
            .route("/api/v1/write/{source}", post(write))
            .with_state(Arc::clone(&shared));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        #[expect(clippy::disallowed_methods, reason = "a test's server ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await });
        Self { url, shared, received, _stop: stop.drop_guard() }
    }

    /// Where it takes what this one tells.
    pub(crate) fn url_for(&self, source: u32) -> String {
        format!("{}/{source}", self.url)
    }

    /// Answers like this from now on; what is not a success is not kept.
    pub(crate) fn answer(&self, status: StatusCode) {
        *self.shared.answer.lock().unwrap() = status;
    }

    /// Takes the series that come from now on and does not say so, or says it again. A family may be announced before its first series,
    /// by a pass that has begun before that; whoever waits for the series must not wait for that answer.
    pub(crate) fn be_silent(&self, silent: bool) {
        self.shared.silent.send_replace(silent);
    }

    /// Refuses from now on requests with a series whose newest sample is older than this, in milliseconds.
    pub(crate) fn refuse_older_than(&self, oldest: i64) {
        *self.shared.oldest.lock().unwrap() = oldest;
    }

    /// What it has now.
    pub(crate) fn received(&self) -> Received {
        self.received.borrow().clone()
    }

    /// Waits until what it has is as wished.
    pub(crate) async fn wait(&self, what: &str, wished: impl Fn(&Received) -> bool) -> Received {
        let mut received = self.received.clone();
        let waited = tokio::time::timeout(PATIENCE, received.wait_for(|now| wished(now))).await;
        match waited {
            Ok(now) => now.unwrap().clone(),
            Err(_) => panic!("waited in vain for {what}; the backend has {:#?}", self.received()),
        }
    }
}

async fn write(
    State(shared): State<Arc<Shared>>,
    source: Option<Path<u32>>,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let mut answer = *shared.answer.lock().unwrap();
    let message = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
    let request = WriteRequest::decode(message.as_slice()).unwrap();
    let oldest = *shared.oldest.lock().unwrap();
    let is_old = |series: &TimeSeries| series.samples.last().is_some_and(|newest| newest.timestamp < oldest);
    if answer.is_success() && request.timeseries.iter().any(is_old) {
        answer = StatusCode::BAD_REQUEST;
    }
    let has_series = !request.timeseries.is_empty();
    shared.received.send_modify(|received| {
        if answer.is_success() {
            received.requests += 1;
            take(received, source.map(|Path(source)| source), request);
        } else {
            received.refused += 1;
        }
    });
    // Ends with the connection where nobody speaks any more.
    let mut silent = shared.silent.subscribe();
    let _speaks = silent.wait_for(|silent| !silent || !has_series).await.is_ok();
    (answer, if answer == StatusCode::BAD_REQUEST { "sample is too old" } else { "" })
}

fn take(received: &mut Received, source: Option<u32>, request: WriteRequest) {
    for series in request.timeseries {
        let name = name_of(&series.labels);
        *received.exemplars.entry(name.clone()).or_default() += series.exemplars.len();
        let counts = series.histograms.into_iter().map(Sample::of);
        let samples: Vec<Sample> = series.samples.into_iter().chain(counts).collect();
        if let (Some(source), Some(newest)) = (source, samples.last()) {
            received.told_by.insert((source, name.clone()), newest.value);
        }
        received.series.entry(name).or_default().extend(samples);
    }
    received.families.extend(request.metadata.into_iter().map(|metadata| (metadata.family, metadata.help)));
}

fn name_of(labels: &[Label]) -> String {
    let name = labels.iter().find(|label| label.name == "__name__").map_or("", |label| &label.value);
    let others: Vec<String> = labels
        .iter()
        .filter(|label| label.name != "__name__")
        .map(|label| format!("{}={:?}", label.name, label.value))
        .collect();
    format!("{name}{{{}}}", others.join(","))
}
