//! What OTLP says about answers: every protocol, every encoding, every outcome.

use std::time::Duration;

use bytes::Bytes;
use http::Version;
use shardset_gateway::receive::{Answer, Outcome, Protocol};
use shardset_wire::{MetricsClient, status};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::http_client::{Reply, post, send};
use crate::scripted::{Script, Server, Squeeze, json, protobuf};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

pub(crate) async fn channel(server: &Server) -> Channel {
    Channel::from_shared(format!("http://{}", server.addresses.grpc)).unwrap().connect().await.unwrap()
}

pub(crate) async fn export(server: &Server, squeeze: Squeeze, body: Bytes) -> Result<Bytes, Status> {
    let mut client = MetricsClient::new(channel(server).await);
    if let Some(encoding) = squeeze.grpc() {
        client = client.send_compressed(encoding);
    }
    client.export(Request::new(body)).await.map(tonic::Response::into_inner)
}

/// What the next stage says, and what clients are to see of it.
struct Case {
    answer: Answer,
    outcome: Outcome,
    protobuf: (u16, Vec<u8>),
    json: (u16, &'static str),
    retry_after: Option<&'static str>,
    grpc: Result<Vec<u8>, (Code, &'static str, Option<Duration>)>,
}

fn cases() -> [Case; 5] {
    let partial = vec![0x0a, 8, 0x08, 3, 0x12, 4, b'l', b'a', b't', b'e'];
    let warning = vec![0x0a, 6, 0x12, 4, b'l', b'a', b't', b'e'];
    let wait = Duration::from_millis(1500);
    [
        Case {
            answer: Answer::accepted(),
            outcome: Outcome::Accepted,
            protobuf: (200, Vec::new()),
            json: (200, "{}"),
            retry_after: None,
            grpc: Ok(Vec::new()),
        },
        Case {
            answer: Answer::Accepted { rejected_points: 3, message: "late".into() },
            outcome: Outcome::Partial,
            protobuf: (200, partial.clone()),
            json: (200, r#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"late"}}"#),
            retry_after: None,
            grpc: Ok(partial),
        },
        Case {
            answer: Answer::Accepted { rejected_points: 0, message: "late".into() },
            outcome: Outcome::Partial,
            protobuf: (200, warning.clone()),
            json: (200, r#"{"partialSuccess":{"rejectedDataPoints":"0","errorMessage":"late"}}"#),
            retry_after: None,
            grpc: Ok(warning),
        },
        Case {
            answer: Answer::Malformed { message: "not \"so\"".into() },
            outcome: Outcome::Malformed,
            protobuf: (400, status::encode(Code::InvalidArgument, "not \"so\"")),
            json: (400, r#"{"code":3,"message":"not \"so\""}"#),
            retry_after: None,
            grpc: Err((Code::InvalidArgument, "not \"so\"", None)),
        },
        Case {
            answer: Answer::Unavailable { message: "busy".into(), retry_after: wait },
            outcome: Outcome::Unavailable,
            protobuf: (503, status::encode(Code::Unavailable, "busy")),
            json: (503, r#"{"code":14,"message":"busy"}"#),
            retry_after: Some("2"),
            grpc: Err((Code::Unavailable, "busy", Some(wait))),
        },
    ]
}

fn check_http(reply: &Reply, case: &Case, content_type: &str) {
    assert_eq!(reply.header("content-type"), Some(content_type));
    assert_eq!(reply.header("retry-after"), case.retry_after);
    if content_type == "application/json" {
        let expected: serde_json::Value = serde_json::from_str(case.json.1).unwrap();
        assert_eq!((reply.status.as_u16(), reply.json()), (case.json.0, expected));
    } else {
        assert_eq!((reply.status.as_u16(), reply.body.to_vec()), case.protobuf);
    }
}

fn check_grpc(reply: Result<Bytes, Status>, case: &Case) {
    let reply = reply.map(|body| body.to_vec());
    let seen = reply.as_ref().map_err(|status| (status.code(), status.message(), status::retry_after(status)));
    assert_eq!(seen, case.grpc.as_ref().map_err(|error| *error));
}

#[tokio::test]
async fn every_protocol_encoding_and_outcome_is_answered_as_otlp_has_it() {
    for case in cases() {
        let server = Server::start(Script::answering(case.answer.clone())).await;
        for squeeze in Squeeze::ALL {
            for (version, kind, body) in [
                (Version::HTTP_11, PROTOBUF, protobuf()),
                (Version::HTTP_11, JSON, json()),
                (Version::HTTP_2, PROTOBUF, protobuf()),
                (Version::HTTP_2, JSON, json()),
            ] {
                let encoding = squeeze.header().map(|name| ("content-encoding", name));
                let headers: Vec<_> = [kind].into_iter().chain(encoding).collect();
                let reply = send(server.addresses.http, version, post(&headers, squeeze.apply(&body))).await;
                check_http(&reply, &case, kind.1.split(';').next().unwrap());
            }
            check_grpc(export(&server, squeeze, protobuf()).await, &case);
        }
        let expected = [(Protocol::HttpProtobuf, 8), (Protocol::HttpJson, 8), (Protocol::Grpc, 4)];
        for (protocol, requests) in expected {
            server.settles(protocol, case.outcome, requests).await;
        }
        let taken = server.script.taken();
        assert_eq!(taken.len(), 20);
        assert!(taken.iter().all(|(_, body)| *body == protobuf()), "one request is the same bytes whatever it came by");
    }
}

#[tokio::test]
async fn empty_requests_are_handed_on_and_succeed() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    let http = server.addresses.http;
    for (kind, body) in [(PROTOBUF, ""), (JSON, "{}"), (JSON, r#"{"resourceMetrics":null}"#)] {
        let reply = send(http, Version::HTTP_11, post(&[kind], body)).await;
        assert_eq!(reply.status, 200, "{kind:?} {body}");
    }
    assert_eq!(export(&server, Squeeze::Gzip, Bytes::new()).await.unwrap(), Bytes::new());
    assert!(server.script.taken().iter().all(|(_, body)| body.is_empty()));
}

#[tokio::test]
async fn the_health_service_says_that_it_serves_and_later_that_it_stops() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    let mut client = HealthClient::new(channel(&server).await);
    for service in ["", "opentelemetry.proto.collector.metrics.v1.MetricsService"] {
        let request = HealthCheckRequest { service: service.into() };
        let answer = client.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
    }
    let mut watch = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    server.stop.cancel();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
}
