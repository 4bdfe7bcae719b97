//! A gateway as the worker sees it: OTLP requests over real gRPC with a membership in the metadata.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, exemplar,
    exponential_histogram_data_point::Buckets,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use shardset_model::{Membership, ShardIndex};
use shardset_wire::{ExportAnswer, MetricsClient, membership};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

pub(crate) const DELTA: AggregationTemporality = AggregationTemporality::Delta;

pub(crate) const fn double(value: f64) -> Value {
    Value::AsDouble(value)
}

/// Sends to one worker.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    client: MetricsClient<Channel>,
    membership: Option<Membership>,
}

impl Sender {
    pub(crate) async fn connect(address: std::net::SocketAddr, membership: Option<Membership>) -> Self {
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        Self { client: MetricsClient::new(channel), membership }
    }

    /// Sends bytes and gives the answer.
    pub(crate) async fn send_bytes(&self, bytes: Bytes) -> Result<ExportAnswer, Status> {
        self.send_request(Request::new(bytes)).await
    }

    /// Sends bytes that are meant for the worker of this shard.
    pub(crate) async fn send_to(&self, shard: ShardIndex, bytes: Bytes) -> Result<ExportAnswer, Status> {
        let mut request = Request::new(bytes);
        membership::write_to(shard, request.metadata_mut());
        self.send_request(request).await
    }

    async fn send_request(&self, mut request: Request<Bytes>) -> Result<ExportAnswer, Status> {
        if let Some(told) = &self.membership {
            membership::write(told, request.metadata_mut());
        }
        let answer = self.client.clone().export(request).await;
        let (metadata, code) = match &answer {
            Ok(answer) => (answer.metadata(), Code::Ok),
            Err(status) => (status.metadata(), status.code()),
        };
        // To a gateway it is no answer otherwise.
        let may_be_nobodys = matches!(code, Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal);
        assert!(may_be_nobodys || metadata.contains_key("shardset-from"), "{answer:?}");
        Ok(ExportAnswer::decode(answer?.into_inner()).unwrap())
    }

    /// Sends metrics of one resource.
    pub(crate) async fn send(&self, metrics: Vec<Metric>) -> Result<ExportAnswer, Status> {
        self.send_bytes(request(vec![("checkout", metrics)])).await
    }

    /// Sends metrics that must all be taken.
    pub(crate) async fn accept(&self, metrics: Vec<Metric>) {
        assert_eq!(self.send(metrics).await.unwrap(), ExportAnswer::default());
    }
}

/// A request of one `ResourceMetrics` per service.
pub(crate) fn request(services: Vec<(&str, Vec<Metric>)>) -> Bytes {
    let resource_metrics = services
        .into_iter()
        .map(|(service, metrics)| ResourceMetrics {
            resource: Some(Resource {
                attributes: vec![text("service.name", service), text("os.type", "linux")],
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        })
        .collect();
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec().into()
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// One point of a delta counter: what was added between `start` and `time`, both in ns.
pub(crate) fn counter(name: &str, session: &str, start: u64, time: u64, value: f64) -> Metric {
    let point = number(session, start, time, Value::AsDouble(value));
    sum(name, point, AggregationTemporality::Delta)
}

pub(crate) fn cumulative(name: &str, session: &str, start: u64, time: u64, value: f64) -> Metric {
    sum(name, number(session, start, time, Value::AsDouble(value)), AggregationTemporality::Cumulative)
}

pub(crate) fn sum(name: &str, point: NumberDataPoint, temporality: AggregationTemporality) -> Metric {
    let sum = Sum { data_points: vec![point], aggregation_temporality: temporality as i32, is_monotonic: true };
    Metric {
        name: name.to_owned(),
        description: format!("help of {name}"),
        data: Some(Data::Sum(sum)),
        ..Metric::default()
    }
}

pub(crate) fn gauge(name: &str, session: &str, time: u64, value: f64) -> Metric {
    let point = number(session, 0, time, Value::AsDouble(value));
    Metric { name: name.to_owned(), data: Some(Data::Gauge(Gauge { data_points: vec![point] })), ..Metric::default() }
}

pub(crate) fn number(session: &str, start: u64, time: u64, value: Value) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![text("session", session)],
        start_time_unix_nano: start,
        time_unix_nano: time,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

/// An exemplar of this value.
pub(crate) fn exemplar(time: u64, value: f64) -> Exemplar {
    Exemplar {
        time_unix_nano: time,
        value: Some(exemplar::Value::AsDouble(value)),
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        ..Exemplar::default()
    }
}

/// One point of a delta histogram.
pub(crate) fn histogram(name: &str, session: &str, start: u64, time: u64, bounds: &[f64], counts: &[u64]) -> Metric {
    let point = HistogramDataPoint {
        attributes: vec![text("session", session)],
        start_time_unix_nano: start,
        time_unix_nano: time,
        count: counts.iter().sum(),
        sum: Some(1.0),
        explicit_bounds: bounds.to_vec(),
        bucket_counts: counts.to_vec(),
        ..HistogramDataPoint::default()
    };
    let temporality = AggregationTemporality::Delta as i32;
    let histogram = Histogram { data_points: vec![point], aggregation_temporality: temporality };
    Metric { name: name.to_owned(), data: Some(Data::Histogram(histogram)), ..Metric::default() }
}

/// One point of a delta exponential histogram: so many values in one bucket.
pub(crate) fn exponential(name: &str, session: &str, start: u64, time: u64, count: u64) -> Metric {
    exponential_of(name, session, start, time, vec![count])
}

/// The same of many buckets with large counts: some 10 KB of state, and as much in the journal for each point.
pub(crate) fn large(name: &str, session: &str, start: u64, time: u64) -> Metric {
    exponential_of(name, session, start, time, vec![1 << 40; LARGE_BUCKETS as usize])
}

/// How many buckets a large point has.
pub(crate) const LARGE_BUCKETS: u32 = 1_500;

/// What so many large points of a stream come to.
pub(crate) fn large_count(points: u64) -> f64 {
    ((points * u64::from(LARGE_BUCKETS)) << 40) as f64
}

fn exponential_of(name: &str, session: &str, start: u64, time: u64, buckets: Vec<u64>) -> Metric {
    let count = buckets.iter().sum();
    let point = ExponentialHistogramDataPoint {
        attributes: vec![text("session", session)],
        start_time_unix_nano: start,
        time_unix_nano: time,
        count,
        sum: Some(count as f64),
        // So fine that the bounds of all buckets are numbers.
        scale: 2,
        positive: Some(Buckets { offset: 1, bucket_counts: buckets }),
        ..ExponentialHistogramDataPoint::default()
    };
    let temporality = AggregationTemporality::Delta as i32;
    let histogram = ExponentialHistogram { data_points: vec![point], aggregation_temporality: temporality };
    Metric { name: name.to_owned(), data: Some(Data::ExponentialHistogram(histogram)), ..Metric::default() }
}

/// Marks a counter's point as one without a value.
pub(crate) fn flag_no_value(metric: &mut Metric) {
    let Some(Data::Sum(sum)) = &mut metric.data else { panic!("not a sum") };
    sum.data_points[0].flags = 1;
    sum.data_points[0].value = None;
}
