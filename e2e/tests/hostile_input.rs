//! Inputs that are wrong: each gets the answer that OTLP prescribes for it, and the process goes on.
#![cfg(feature = "real-parts")]

use std::io::Write;

use anyhow::{Context, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Method, Response, StatusCode};
use shardset_e2e::otlp::{self, Delta};
use shardset_e2e::shardset::{PATIENCE, Shardset};
use shardset_e2e::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LIMIT: usize = 1 << 20;
const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

async fn start() -> anyhow::Result<Shardset> {
    Shardset::start(&["--max-request-size", "1MiB", "--export-interval", "200ms"]).await
}

/// What is sent, and the status it is answered with.
struct Case {
    name: &'static str,
    method: Method,
    path: &'static str,
    content_type: &'static str,
    encoding: Option<&'static str>,
    body: Vec<u8>,
    status: StatusCode,
}

impl Case {
    fn new(name: &'static str, content_type: &'static str, body: impl Into<Vec<u8>>, status: StatusCode) -> Self {
        let (method, path, body) = (Method::POST, "/v1/metrics", body.into());
        Self { name, method, path, content_type, encoding: None, body, status }
    }

    fn encoded(self, encoding: &'static str) -> Self {
        Self { encoding: Some(encoding), ..self }
    }

    async fn send(&self, shardset: &Shardset) -> anyhow::Result<Response> {
        let url = Shardset::url(shardset.http, self.path);
        let mut request = reqwest::Client::new().request(self.method.clone(), url);
        request = request.header(CONTENT_TYPE, self.content_type);
        if let Some(encoding) = self.encoding {
            request = request.header(CONTENT_ENCODING, encoding);
        }
        Ok(request.body(self.body.clone()).send().await?)
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

fn cases() -> Vec<Case> {
    let bad = StatusCode::BAD_REQUEST;
    let bomb = gzip(&vec![b' '; 64 * LIMIT]);
    let mut cut_off = gzip(&[b' '; 1000]);
    cut_off.truncate(cut_off.len() - 9);
    vec![
        Case::new("no protobuf", PROTOBUF, "garbage, not protobuf", bad),
        Case::new("a length beyond the end", PROTOBUF, [0x0a, 0xff, 0xff, 0xff, 0x7f, 0x00], bad),
        Case::new("no JSON", JSON, "{\"resourceMetrics\": [", bad),
        Case::new("JSON of a wrong shape", JSON, "{\"resourceMetrics\": 7}", bad),
        Case::new("JSON that nests for ever", JSON, "[".repeat(100_000), bad),
        Case::new("no gzip", PROTOBUF, "garbage", bad).encoded("gzip"),
        Case::new("gzip cut off", JSON, cut_off, bad).encoded("gzip"),
        Case::new("an unknown encoding", PROTOBUF, "", StatusCode::UNSUPPORTED_MEDIA_TYPE).encoded("br"),
        Case::new("an unknown type", "text/plain", "hello", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        Case::new("too large", PROTOBUF, vec![0; LIMIT + 1], StatusCode::PAYLOAD_TOO_LARGE),
        Case::new("too large when unpacked", JSON, bomb, StatusCode::PAYLOAD_TOO_LARGE).encoded("gzip"),
        Case { method: Method::GET, ..Case::new("a GET", PROTOBUF, "", StatusCode::METHOD_NOT_ALLOWED) },
        Case { path: "/v1/traces", ..Case::new("traces", PROTOBUF, "", StatusCode::NOT_FOUND) },
        Case { path: "/v1/logs", ..Case::new("logs", JSON, "{}", StatusCode::NOT_FOUND) },
        Case { path: "/", ..Case::new("nowhere", PROTOBUF, "", StatusCode::NOT_FOUND) },
        Case::new("an empty request", PROTOBUF, "", StatusCode::OK),
        Case::new("an empty JSON request", JSON, "{}", StatusCode::OK),
    ]
}

#[tokio::test]
async fn each_wrong_request_over_http_gets_its_answer() -> anyhow::Result<()> {
    let mut shardset = start().await?;
    for case in cases() {
        let response = case.send(&shardset).await.context(case.name)?;
        let (status, content_type) = (response.status(), response.headers().get(CONTENT_TYPE).cloned());
        let body = response.bytes().await.context(case.name)?;
        assert_eq!(status, case.status, "{}: {}", case.name, String::from_utf8_lossy(&body));
        if status == StatusCode::BAD_REQUEST {
            assert_eq!(content_type.context("a type")?, case.content_type, "{}: the request's encoding", case.name);
            assert!(!body.is_empty(), "{}: a google.rpc.Status that says what is wrong", case.name);
        }
        shardset.is_well().await.context(case.name)?;
    }
    Ok(())
}

/// One gRPC call; its status code.
async fn call(shardset: &Shardset, path: &str, message: &[u8]) -> anyhow::Result<String> {
    let mut body = vec![0];
    body.extend(u32::try_from(message.len())?.to_be_bytes());
    body.extend(message);
    let client = reqwest::Client::builder().http2_prior_knowledge().build()?;
    let request = client.post(Shardset::url(shardset.grpc, path)).header(CONTENT_TYPE, "application/grpc");
    let response = request.header("te", "trailers").body(body).send().await?;
    // A refusal is headers alone; a success has its status in the trailers.
    Ok(response
        .headers()
        .get("grpc-status")
        .map_or("0".to_owned(), |code| String::from_utf8_lossy(code.as_bytes()).into()))
}

#[tokio::test]
async fn each_wrong_call_over_grpc_gets_its_code() -> anyhow::Result<()> {
    let mut shardset = start().await?;
    let (ok, invalid_argument, resource_exhausted, unimplemented) = ("0", "3", "8", "12");
    let logs = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    for (name, path, message, code) in [
        ("an empty request", EXPORT, vec![], ok),
        ("garbage", EXPORT, b"garbage, not protobuf".to_vec(), invalid_argument),
        ("too large", EXPORT, vec![0; LIMIT + 1], resource_exhausted),
        ("logs", logs, vec![], unimplemented),
    ] {
        assert_eq!(call(&shardset, path, &message).await.context(name)?, code, "{name}");
        shardset.is_well().await.context(name)?;
    }
    Ok(())
}

#[tokio::test]
async fn points_that_can_not_count_are_refused_by_name_and_the_rest_counts() -> anyhow::Result<()> {
    let shardset = start().await?;
    let now = otlp::now();
    let good = Delta { metric: "good", who: "a", start: now - 1000, time: now, value: 4.0 };
    let falling = Delta { metric: "falling", value: -1.0, ..good };
    let response = shardset.send_json(otlp::request(&[good, falling])).await?;
    assert_eq!(response.status(), StatusCode::OK);
    let answer: serde_json::Value = serde_json::from_slice(&response.bytes().await?)?;
    assert_eq!(answer["partialSuccess"]["rejectedDataPoints"], "1", "{answer}");
    assert!(answer["partialSuccess"]["errorMessage"].as_str().is_some_and(|text| text.contains("falling")), "{answer}");
    wait::until("the good one", PATIENCE, async || {
        let shown = shardset.series().await?.values("good_total", &[("who", "a")]);
        ensure!(shown == [4.0], "{shown:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_connection_that_speaks_no_http_or_stops_in_mid_request_is_only_closed() -> anyhow::Result<()> {
    let mut shardset = start().await?;
    for address in [shardset.grpc, shardset.http, shardset.admin, shardset.scrape] {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"\x16\x03\x01 this is no request\r\n\r\n").await?;
        // It may answer before it closes, and may close with a reset.
        let _answer =
            tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.context("it is closed")?;
    }
    let now = otlp::now();
    let body = otlp::request(&[Delta { metric: "half", who: "a", start: now - 1000, time: now, value: 4.0 }]);
    let head = format!(
        "POST /v1/metrics HTTP/1.1\r\nHost: e2e\r\nContent-Type: {JSON}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(shardset.http).await?;
    stream.write_all(format!("{head}{}", &body[..body.len() / 2]).as_bytes()).await?;
    drop(stream);
    shardset.is_well().await?;

    // The same request again, whole: it counts once.
    ensure!(shardset.send_json(body).await?.status().is_success());
    wait::until("the whole one", PATIENCE, async || {
        let shown = shardset.series().await?.values("half_total", &[]);
        ensure!(shown == [4.0], "{shown:?}");
        Ok(())
    })
    .await
}
