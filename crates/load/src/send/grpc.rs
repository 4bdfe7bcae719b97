//! OTLP/gRPC.

use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use shardset_wire::{ExportAnswer, MetricsClient, status};
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::{Answer, Certificates};
use crate::run::RunError;

/// One HTTP/2 connection.
#[derive(Clone, Debug)]
pub(crate) struct GrpcSender {
    plain: MetricsClient<Channel>,
    gzip: MetricsClient<Channel>,
}

impl GrpcSender {
    pub(crate) fn new(url: &str, tls: &Certificates, timeout: Duration) -> Result<Self, RunError> {
        let wrong = |source| RunError::Grpc { url: url.to_owned(), source };
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(wrong)?.connect_timeout(timeout).timeout(timeout);
        let is_tls = endpoint.uri().scheme() == Some(&Scheme::HTTPS);
        let endpoint = if is_tls { endpoint.tls_config(tls.of_grpc()).map_err(wrong)? } else { endpoint };
        let channel = endpoint.connect_lazy();
        let gzip = MetricsClient::new(channel.clone()).send_compressed(CompressionEncoding::Gzip);
        Ok(Self { plain: MetricsClient::new(channel), gzip })
    }

    pub(crate) async fn attempt(&self, gzip: bool, body: &Bytes) -> Answer {
        let mut client = if gzip { self.gzip.clone() } else { self.plain.clone() };
        match client.export(Request::new(body.clone())).await {
            Ok(response) => match ExportAnswer::decode(response.into_inner()) {
                Ok(answer) => of_success(answer.rejected_points, answer.message),
                Err(error) => Answer::Refused(format!("the answer can not be read: {error}")),
            },
            Err(status) => of_status(&status),
        }
    }
}

/// A success, perhaps a partial one. A message about 0 points is a mere warning.
pub(super) fn of_success(rejected: u64, message: String) -> Answer {
    if rejected == 0 { Answer::Accepted } else { Answer::Partial { rejected, message } }
}

/// OTLP 1.11, "OTLP/gRPC Response", the table of codes.
fn of_status(status: &Status) -> Answer {
    let after = status::retry_after(status);
    let why = format!("{:?}: {}", status.code(), status.message());
    match status.code() {
        Code::Cancelled | Code::DeadlineExceeded | Code::Aborted | Code::OutOfRange | Code::DataLoss => {
            Answer::Again { after, why }
        }
        Code::ResourceExhausted if after.is_some() => Answer::Again { after, why },
        Code::Unavailable if is_connect_error(status) => Answer::NoConnection(why),
        Code::Unavailable => Answer::Again { after, why },
        // What tonic makes of a connection that breaks in the middle; from a server these two are final.
        Code::Unknown | Code::Internal if std::error::Error::source(status).is_some() => Answer::Again { after, why },
        _ => Answer::Refused(why),
    }
}

/// Whether the request never left. tonic wraps the reason, so it is looked for among the sources.
fn is_connect_error(status: &Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.kind() == std::io::ErrorKind::ConnectionRefused;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shardset_wire::status::with_retry_info;
    use tonic::{Code, Status};

    use super::{Answer, of_status};

    #[test]
    fn only_the_codes_that_otlp_names_are_retried() {
        let retried = |code| matches!(of_status(&Status::new(code, "")), Answer::Again { .. });
        let codes = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        assert!(codes.into_iter().all(retried));
        let codes = [
            Code::Unknown,
            Code::InvalidArgument,
            Code::ResourceExhausted,
            Code::FailedPrecondition,
            Code::Unimplemented,
            Code::Internal,
        ];
        assert!(!codes.into_iter().any(retried));
    }

    #[test]
    fn an_exhausted_server_is_retried_where_it_says_when() {
        let status = with_retry_info(Code::ResourceExhausted, "full".to_owned(), Duration::from_secs(2));
        let Answer::Again { after, .. } = of_status(&status) else { panic!("it is retryable") };
        assert_eq!(after, Some(Duration::from_secs(2)));
    }
}
