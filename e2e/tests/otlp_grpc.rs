//! Totals that go out by OTLP/gRPC to a receiver that knows nothing of Shardset: tonic's server, with the types of opentelemetry-proto.
#![cfg(feature = "real-parts")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, NumberDataPoint};
use shardset_e2e::certificates::Authority;
use shardset_e2e::otlp::{self, Delta};
use shardset_e2e::shardset::{PATIENCE, Shardset};
use shardset_e2e::{ports, wait};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

/// What a receiver was sent.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// While it is true, everybody is told to come back.
    is_busy: bool,
    turned_away: usize,
    /// The points of each stream, by its metric and its attribute `who`.
    points: BTreeMap<(String, String), Vec<NumberDataPoint>>,
    /// What is wrong with what came, in words.
    wrong: Vec<String>,
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let mut kept = self.0.lock().expect("nobody panics with it");
        if kept.is_busy {
            kept.turned_away += 1;
            return Err(Status::unavailable("busy"));
        }
        if request.metadata().get("tenant").is_none_or(|tenant| tenant != "team") {
            kept.wrong.push("a request without its header".to_owned());
        }
        kept.take(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Kept {
    fn take(&mut self, request: ExportMetricsServiceRequest) {
        for resource in request.resource_metrics {
            let service = resource.resource.unwrap_or_default().attributes.first().cloned().unwrap_or_default();
            if text(service.value.and_then(|value| value.value)) != "e2e" || service.key != "service.name" {
                self.wrong.push("another resource".to_owned());
            }
            for scope in resource.scope_metrics {
                if scope.scope.unwrap_or_default().name != "e2e" {
                    self.wrong.push("another scope".to_owned());
                }
                for metric in scope.metrics {
                    let Some(Data::Sum(sum)) = metric.data else { continue };
                    let is_cumulative = sum.aggregation_temporality == AggregationTemporality::Cumulative as i32;
                    if !is_cumulative || !sum.is_monotonic {
                        self.wrong.push(format!("{} is no cumulative counter", metric.name));
                    }
                    for point in sum.data_points {
                        let who = point.attributes.first().cloned().and_then(|who| who.value?.value);
                        self.points.entry((metric.name.clone(), text(who))).or_default().push(point);
                    }
                }
            }
        }
    }
}

fn text(value: Option<Any>) -> String {
    match value {
        Some(Any::StringValue(text)) => text,
        other => format!("{other:?}"),
    }
}

fn value(point: &NumberDataPoint) -> f64 {
    match point.value {
        Some(Value::AsDouble(value)) => value,
        Some(Value::AsInt(value)) => value as f64,
        None => f64::NAN,
    }
}

impl Receiver {
    /// Serves until the set of tasks is dropped.
    async fn start(&self) -> anyhow::Result<(SocketAddr, JoinSet<Result<(), tonic::transport::Error>>)> {
        self.start_as(Server::builder()).await
    }

    async fn start_as(
        &self,
        mut server: Server,
    ) -> anyhow::Result<(SocketAddr, JoinSet<Result<(), tonic::transport::Error>>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let service = MetricsServiceServer::new(self.clone()).accept_compressed(CompressionEncoding::Gzip);
        let mut serving = JoinSet::new();
        serving.spawn(server.add_service(service).serve_with_incoming(TcpIncoming::from(listener)));
        Ok((address, serving))
    }

    fn be_busy(&self, is_busy: bool) {
        self.0.lock().expect("nobody panics with it").is_busy = is_busy;
    }

    /// Waits until it has turned somebody away.
    async fn turns_away(&self) -> anyhow::Result<()> {
        wait::until("an attempt", PATIENCE, async || {
            ensure!(self.0.lock().expect("nobody panics with it").turned_away > 0, "none");
            Ok(())
        })
        .await
    }

    /// Waits until the newest total of a stream is this, and gives all of its points.
    async fn settles_at(&self, metric: &str, who: &str, total: f64) -> anyhow::Result<Vec<NumberDataPoint>> {
        wait::until("the total", PATIENCE, async || {
            let kept = self.0.lock().expect("nobody panics with it");
            ensure!(kept.wrong.is_empty(), "{:?}", kept.wrong);
            let points = kept.points.get(&(metric.to_owned(), who.to_owned())).context("nothing arrived")?;
            let newest = points.last().map(value);
            ensure!(newest == Some(total), "{metric} of {who} is at {newest:?}, not at {total}");
            Ok(points.clone())
        })
        .await
    }
}

/// Times ascend, the start stays, and the total begins with a zero and never falls.
fn is_one_life(points: &[NumberDataPoint]) -> bool {
    let ascends = points.windows(2).all(|pair| pair[0].time_unix_nano < pair[1].time_unix_nano);
    let starts = points.iter().all(|point| point.start_time_unix_nano == points[0].start_time_unix_nano);
    let values: Vec<f64> = points.iter().map(value).collect();
    let zeros = values.iter().filter(|value| **value == 0.0).count();
    ascends && starts && zeros == 1 && values[0] == 0.0 && values.is_sorted()
}

#[tokio::test]
async fn totals_stay_exact_while_the_receiver_is_busy_the_process_dies_and_workers_change_in_number()
-> anyhow::Result<()> {
    let receiver = Receiver::default();
    let (address, _serving) = receiver.start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("shardset.toml");
    let table = format!(
        "[[export-otlp]]\nurl = \"http://{address}\"\nprotocol = \"grpc\"\nheaders = {{ tenant = \"team\" }}\n"
    );
    std::fs::write(&file, table)?;
    let config = file.display().to_string();
    let flags = ["--workers", "3", "--export-interval", "200ms", "--config", &config];
    let mut shardset = Shardset::start(&flags).await?;
    let visitors: Vec<String> = (0..20).map(|n| format!("visitor {n}")).collect();
    let begin = otlp::now() - 60_000;
    let round = async |shardset: &Shardset, nth: u64| -> anyhow::Result<()> {
        let (start, time) = (begin + nth * 1000, begin + (nth + 1) * 1000);
        let delta = |who| Delta { metric: "page.visits", who, start, time, value: 0.5 };
        let request = otlp::request(&visitors.iter().map(|who| delta(who)).collect::<Vec<_>>());
        // Sent twice, counted once.
        for _ in 0..2 {
            let answer = shardset.send_json(request.clone()).await?;
            ensure!(answer.status().is_success(), "it answers {}", answer.status());
        }
        Ok(())
    };

    round(&shardset, 0).await?;
    receiver.settles_at("page.visits", &visitors[0], 0.5).await?;
    receiver.be_busy(true);
    for nth in 1..5 {
        round(&shardset, nth).await?;
    }
    receiver.turns_away().await?;
    receiver.be_busy(false);
    shardset.scale(&["5"])?;
    round(&shardset, 5).await?;
    receiver.settles_at("page.visits", &visitors[0], 3.0).await?;
    // What was told is noted with the next commit; a total that is told again is the same, and so is its start.
    shardset.process().kill()?;
    shardset.start_again().await?;
    round(&shardset, 6).await?;
    for who in &visitors {
        let points = receiver.settles_at("page.visits", who, 3.5).await?;
        ensure!(is_one_life(&points), "{who}: {points:?}");
        ensure!(points[0].start_time_unix_nano == begin * 1_000_000, "{who}: {points:?}");
    }
    shardset.stop().await
}

#[tokio::test]
async fn totals_reach_a_receiver_that_asks_for_certificates() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new()?;
    let ours = authority.issue_files(folder.path(), "client", &["shardset"])?;
    let theirs = authority.issue(&["127.0.0.1"])?;
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(theirs.certificate, theirs.private_key))
        .client_ca_root(Certificate::from_pem(authority.certificate()));
    let receiver = Receiver::default();
    let (address, _serving) = receiver.start_as(Server::builder().tls_config(tls)?).await?;
    let [certificate, key, authorities] = ours.paths();
    let table = format!(
        "[[export-otlp]]\nurl = \"https://{address}\"\nheaders = {{ tenant = \"team\" }}\n\
         tls = {{ ca-file = \"{authorities}\", cert-file = \"{certificate}\", key-file = \"{key}\" }}\n"
    );
    let file = folder.path().join("shardset.toml");
    std::fs::write(&file, table)?;
    let mut shardset =
        Shardset::start(&["--export-interval", "200ms", "--config", &file.display().to_string()]).await?;
    let now = otlp::now();
    let delta = Delta { metric: "sealed", who: "a", start: now - 1000, time: now, value: 3.0 };
    let answer = shardset.send_json(otlp::request(&[delta])).await?;
    ensure!(answer.status().is_success(), "it answers {}", answer.status());
    let points = receiver.settles_at("sealed", "a", 3.0).await?;
    ensure!(is_one_life(&points), "{points:?}");
    shardset.stop().await
}

#[tokio::test]
async fn a_receiver_that_is_not_there_harms_nobody_and_no_stop() -> anyhow::Result<()> {
    let url = format!("http://{}", ports::free());
    let flags = ["--export-interval", "200ms", "--stop-grace", "1s", "--export-otlp", &url];
    let mut shardset = Shardset::start(&flags).await?;
    let now = otlp::now();
    let delta = Delta { metric: "late", who: "a", start: now - 1000, time: now, value: 3.0 };
    let answer = shardset.send_json(otlp::request(&[delta])).await?;
    ensure!(answer.status().is_success(), "it answers {}", answer.status());
    wait::until("attempts", PATIENCE, async || {
        let shown = shardset.own_metrics().await?;
        ensure!(shown.sum("shardset_export_retries_total", &[("cause", "transport")]) >= 2.0, "not yet");
        Ok(())
    })
    .await?;
    let stopping = tokio::time::timeout(Duration::from_secs(20), shardset.stop()).await;
    stopping.context("it stops without its receiver")?
}
