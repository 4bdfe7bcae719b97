//! What is not served: other signals, paths, methods, types and encodings, each with an answer that clients do not retry.

use bytes::Bytes;
use http::{Method, Request, Version};
use http_body_util::Full;
use shardset_gateway::receive::Answer;
use shardset_wire::RawCodec;
use tonic::Code;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;

use crate::answers::channel;
use crate::http_client::{Reply, post_to, send};
use crate::scripted::{Script, Server, protobuf};

async fn request(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::builder().method(method).uri(path).header("host", "gateway");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(protobuf())).unwrap();
    send(server.addresses.http, Version::HTTP_11, request).await
}

#[tokio::test]
async fn other_paths_are_not_found_and_say_what_is_served() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    for (path, message) in [
        ("/v1/logs", "logs are not served here; this is a metrics gateway"),
        ("/v1/traces", "traces are not served here; this is a metrics gateway"),
        ("/v1development/profiles", "profiles are not served here; this is a metrics gateway"),
        ("/", "there is nothing here; metrics are taken at /v1/metrics"),
        ("/v1/metrics/", "there is nothing here; metrics are taken at /v1/metrics"),
    ] {
        let json = [("content-type", "application/json")];
        let reply = request(&server, Method::POST, path, &json).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.json(), serde_json::json!({ "code": 12, "message": message }));
        let reply = request(&server, Method::POST, path, &[("content-type", "application/x-protobuf")]).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (404, Some("application/x-protobuf")));
    }
    assert!(server.script.taken().is_empty());
}

#[tokio::test]
async fn other_methods_are_told_which_one_is_allowed() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let reply = request(&server, method.clone(), "/v1/metrics", &[]).await;
        assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, Some("POST")), "{method}");
        assert_eq!(reply.json()["message"], format!("/v1/metrics takes POST, not {method}"));
    }
}

#[tokio::test]
async fn other_content_types_and_encodings_are_unsupported_and_told_what_is_served() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    for kind in ["text/plain", "application/grpc", "application/jsonp", ""] {
        let reply = post_to(server.addresses.http, &[("content-type", kind)], protobuf()).await;
        assert_eq!(reply.status, 415, "{kind}");
        let message = "the content type must be application/x-protobuf or application/json";
        assert_eq!(reply.json()["message"], message, "{kind}");
    }
    assert_eq!(post_to(server.addresses.http, &[], protobuf()).await.status, 415);
    let kind = ("content-type", "application/json");
    for encodings in [&["br"][..], &["gzip, gzip"], &["gzip", "gzip"]] {
        let headers: Vec<_> = encodings.iter().map(|name| ("content-encoding", *name)).chain([kind]).collect();
        let reply = post_to(server.addresses.http, &headers, protobuf()).await;
        assert_eq!((reply.status.as_u16(), reply.header("accept-encoding")), (415, Some("gzip, deflate, zstd")));
        assert_eq!(reply.json()["code"], 3);
    }
    assert!(server.script.taken().is_empty());
}

#[tokio::test]
async fn other_grpc_services_and_methods_are_unimplemented_with_a_reason() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    let metrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService";
    for (path, message) in [
        (
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export".to_owned(),
            "logs are not served here; this is a metrics gateway".to_owned(),
        ),
        (
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export".to_owned(),
            "traces are not served here; this is a metrics gateway".to_owned(),
        ),
        (
            "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export".to_owned(),
            "profiles are not served here; this is a metrics gateway".to_owned(),
        ),
        (format!("{metrics}/Import"), format!("{metrics}/Import is not served here; {metrics}/Export is")),
    ] {
        let mut client = Grpc::new(channel(&server).await);
        client.ready().await.unwrap();
        let path: PathAndQuery = path.parse().unwrap();
        let reply = client.unary(tonic::Request::new(protobuf()), path, RawCodec).await;
        let status = reply.map(tonic::Response::<Bytes>::into_inner).unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unimplemented, message.as_str()));
    }
    assert!(server.script.taken().is_empty());
}

#[tokio::test]
async fn what_is_no_grpc_is_an_unsupported_type_on_its_port() {
    let server = Server::start(Script::answering(Answer::accepted())).await;
    let path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    let request = Request::post(path).header("content-type", "application/json").body(Full::new(protobuf())).unwrap();
    let reply = send(server.addresses.grpc, Version::HTTP_2, request).await;
    assert_eq!(reply.status, 415);
}
