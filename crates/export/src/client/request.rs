//! Requests to one destination, of whichever protocol: headers and credentials.
//!
//! IO.

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, RequestBuilder, Url, redirect};
use shardset_model::UnixNanos;

use super::answer::{Answer, Cause, Later};
use super::connections::Connections;
use super::protocol::{Protocol, REMOTE_WRITE_VERSION};
use super::settings::{Auth, DestinationSettings, InvalidDestination, Secret};
use super::sigv4::Signer;

const AGENT: &str = concat!("shardset/", env!("CARGO_PKG_VERSION"));

/// Headers that are ours.
const RESERVED: [HeaderName; 7] = [AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE, USER_AGENT];

/// A server of gRPC that vanished without a word is noticed after the sum of both; its one connection is for all requests.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes requests to one destination.
#[derive(Debug)]
pub(super) struct Requests {
    protocol: Protocol,
    connections: Connections,
    url: Url,
    /// What the user adds to every request.
    headers: HeaderMap,
    credentials: Credentials,
    clock: fn() -> UnixNanos,
}

/// How requests say whose they are.
#[derive(Debug)]
enum Credentials {
    None,
    Basic(String, Secret),
    Bearer(Secret),
    Signature(Signer),
}

impl Requests {
    pub(super) fn new(settings: &DestinationSettings, clock: fn() -> UnixNanos) -> Result<Self, InvalidDestination> {
        let protocol = settings.protocol;
        let url = protocol.endpoint(&parse_url(&settings.url)?)?;
        if settings.timeout.is_zero() {
            return Err(InvalidDestination::Timeout);
        }
        if protocol != Protocol::RemoteWrite && matches!(settings.auth, Auth::SigV4(_)) {
            return Err(InvalidDestination::SigV4);
        }
        let credentials = Credentials::new(&settings.auth, &url)?;
        let (timeout, is_near) =
            (settings.timeout, is_loopback(&url) || (protocol.is_grpc() && url.scheme() == "http"));
        let connections = Connections::new(&settings.tls, move || builder(protocol, timeout, is_near))?;
        Ok(Self { protocol, connections, url, headers: headers(&settings.headers)?, credentials, clock })
    }

    /// What the destination speaks.
    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// A message as the body of a request.
    pub(super) fn body(&self, message: &[u8]) -> Bytes {
        self.protocol.body(message)
    }

    /// Where requests go, without what may be secret in a URL: credentials and the query.
    pub(super) fn shown_url(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{host}{port}{}", self.url.scheme(), self.url.path())
    }

    /// Whether this is Amazon Managed Service for Prometheus, which tells why it refuses in CloudWatch only.
    pub(super) fn is_amp(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        host.starts_with("aps-workspaces") && (host.ends_with(".amazonaws.com") || host.ends_with(".api.aws"))
    }

    /// Sends a body once. `attempt` counts from 0.
    pub(super) async fn send(&self, body: Bytes, attempt: u32) -> Answer {
        let client = self.connections.client().await;
        let mut request = client.post(self.url.clone()).headers(self.headers.clone()).headers(self.protocol.headers());
        if attempt > 0 && self.protocol == Protocol::RemoteWrite {
            request = request.header("Retry-Attempt", attempt);
        }
        let request = match self.authorize(request, &body).await {
            Ok(request) => request,
            Err(told) => return Answer::Later(Later::because(Cause::Credentials, told)),
        };
        let answer = match request.body(body).send().await {
            Ok(response) => self.protocol.read(response).await,
            Err(error) => Answer::Later(Later::failed(error)),
        };
        if let (Credentials::Signature(signer), Answer::Later(later)) = (&self.credentials, &answer)
            && later.cause == Cause::Misconfigured
        {
            signer.refused().await;
        }
        answer
    }

    async fn authorize(&self, request: RequestBuilder, body: &[u8]) -> Result<RequestBuilder, String> {
        Ok(match &self.credentials {
            Credentials::None => request,
            Credentials::Basic(username, password) => request.basic_auth(username, Some(reveal(password).await?)),
            Credentials::Bearer(token) => request.bearer_auth(reveal(token).await?),
            Credentials::Signature(signer) => {
                let now = UNIX_EPOCH + Duration::from_nanos((self.clock)().0);
                // What AWS' library awaits is 29 KB, which would be carried by every request otherwise.
                request.headers(Box::pin(signer.sign(&self.url, &self.protocol.headers(), body, now)).await?)
            }
        })
    }
}

impl Credentials {
    fn new(auth: &Auth, url: &Url) -> Result<Self, InvalidDestination> {
        match auth {
            Auth::None => Ok(Self::None),
            Auth::Basic { username, .. } if username.contains(':') => Err(InvalidDestination::Credentials),
            Auth::Basic { username, password } => Ok(Self::Basic(username.clone(), password.clone())),
            Auth::Bearer(Secret::Inline(token)) if HeaderValue::try_from(token).is_err() => {
                Err(InvalidDestination::Credentials)
            }
            Auth::Bearer(token) => Ok(Self::Bearer(token.clone())),
            Auth::SigV4(settings) => Signer::new(settings, url).map(Self::Signature),
        }
    }
}

async fn reveal(secret: &Secret) -> Result<String, String> {
    match secret {
        Secret::Inline(secret) => Ok(secret.clone()),
        Secret::File(path) => match tokio::fs::read_to_string(path).await.map_err(|error| error.to_string())?.trim() {
            // Whoever writes the file anew has emptied it first.
            "" => Err("the file of the secret is empty".to_owned()),
            secret => Ok(secret.to_owned()),
        },
    }
}

/// What clients are made of. No proxy is asked for what is `near`: a machine's own address, and plain gRPC, since a proxy of plain
/// requests speaks HTTP/1.
fn builder(protocol: Protocol, timeout: Duration, is_near: bool) -> ClientBuilder {
    // A redirect would turn the post into a get of nothing.
    let mut builder = Client::builder().user_agent(AGENT).timeout(timeout).redirect(redirect::Policy::none());
    if is_near {
        builder = builder.no_proxy();
    }
    if protocol.is_grpc() {
        builder = builder.http2_prior_knowledge();
        builder = builder.http2_keep_alive_interval(KEEPALIVE_INTERVAL).http2_keep_alive_timeout(KEEPALIVE_TIMEOUT);
    }
    builder
}

fn parse_url(text: &str) -> Result<Url, InvalidDestination> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| InvalidDestination::Url(text.to_owned()))
}

/// Whether the destination is on this machine, where no proxy can reach it.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn headers(set: &[(String, String)]) -> Result<HeaderMap, InvalidDestination> {
    let mut headers = HeaderMap::new();
    for (name, value) in set {
        let invalid = || InvalidDestination::Header(name.clone());
        let parsed = HeaderName::try_from(name).map_err(|_| invalid())?;
        if is_ours(&parsed) {
            return Err(invalid());
        }
        let mut value = HeaderValue::try_from(value).map_err(|_| invalid())?;
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    Ok(headers)
}

fn is_ours(header: &HeaderName) -> bool {
    RESERVED.contains(header) || header == REMOTE_WRITE_VERSION.0 || header.as_str().starts_with("grpc-")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, StatusCode};
    use bytes::Bytes;
    use shardset_model::UnixNanos;
    use tokio::net::TcpListener;

    use super::{Credentials, Requests};
    use crate::Protocol;
    use crate::client::answer::{Answer, Cause};
    use crate::client::protocol::Compression;
    use crate::client::settings::{Auth, DestinationSettings, Secret, SigV4, TlsSettings};
    use crate::client::sigv4::tests::signer_with;

    fn now() -> UnixNanos {
        UnixNanos(0)
    }

    fn remote_write(url: &str) -> DestinationSettings {
        DestinationSettings::new(Protocol::RemoteWrite, url)
    }

    fn error_of(change: impl FnOnce(&mut DestinationSettings)) -> String {
        let mut settings = remote_write("http://localhost:9090/api/v1/write");
        change(&mut settings);
        Requests::new(&settings, now).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn a_setting_that_can_not_work_is_named() {
        for url in ["", "localhost:9090", "ftp://host/", "http://"] {
            assert!(error_of(|settings| settings.url = url.into()).starts_with("url: "), "{url:?}");
        }
        for header in
            ["", "a b", "User-Agent", "content-type", "X-Prometheus-Remote-Write-Version", "te", "grpc-encoding"]
        {
            let message = error_of(|settings| settings.headers = vec![(header.into(), "v".into())]);
            assert!(message.starts_with("headers: "), "{header:?}");
        }
        assert!(error_of(|s| s.headers = vec![("x".into(), "a\nb".into())]).starts_with("headers: \"x\""));
        assert!(error_of(|s| s.auth = Auth::Bearer(Secret::Inline("a\nb".into()))).starts_with("auth: "));
        assert!(error_of(|s| s.auth = Auth::SigV4(SigV4::default())).starts_with("sigv4.region: "));
        assert!(error_of(|s| s.timeout = std::time::Duration::ZERO).starts_with("timeout: "));
    }

    #[test]
    fn a_url_of_otlp_has_the_path_that_its_protocol_has() {
        let gzip = Compression::Gzip;
        let url = |protocol, url: &str| {
            let requests = Requests::new(&DestinationSettings::new(protocol, url), now);
            requests.map(|requests| requests.url.to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(url(Protocol::OtlpHttp(gzip), "http://a/v1/metrics").unwrap(), "http://a/v1/metrics");
        let path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
        for given in ["https://a:4317", "https://a:4317/"] {
            assert_eq!(url(Protocol::OtlpGrpc(gzip), given).unwrap(), format!("https://a:4317{path}"));
        }
        assert!(url(Protocol::OtlpGrpc(gzip), "http://a/v1/metrics").unwrap_err().starts_with("url: by grpc"));
        assert!(url(Protocol::OtlpHttp(gzip), "http://a:4318").unwrap_err().starts_with("url: by http/protobuf"));
        let signed = |protocol| error_of(|s| (s.protocol, s.auth) = (protocol, Auth::SigV4(SigV4::default())));
        assert!(signed(Protocol::OtlpHttp(gzip)).starts_with("sigv4: "));
    }

    #[test]
    fn tls_files_that_can_not_work_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let empty = directory.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        let with = |tls: TlsSettings| error_of(|settings| settings.tls = tls);
        let missing = || Some(directory.path().join("missing.pem"));
        let none = TlsSettings::default;
        assert!(with(TlsSettings { ca_file: missing(), ..none() }).starts_with("tls.ca-file: "));
        assert!(with(TlsSettings { ca_file: Some(empty.clone()), ..none() }).starts_with("tls.ca-file: "));
        assert!(with(TlsSettings { cert_file: missing(), ..none() }).starts_with("tls.cert-file, tls.key-file: "));
        let identity = TlsSettings { cert_file: Some(empty.clone()), key_file: Some(empty), ..none() };
        assert!(with(identity).starts_with("tls.cert-file, tls.key-file: "));
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        let shown = |url: &str| Requests::new(&remote_write(url), now).unwrap().shown_url();
        assert_eq!(
            shown("https://me:secret@mimir.example:8443/api/v1/push?token=x"),
            "https://mimir.example:8443/api/v1/push"
        );
        assert_eq!(shown("http://[::1]/write"), "http://[::1]/write");
    }

    #[test]
    fn amp_is_known_by_its_hosts() {
        let is_amp = |url: &str| Requests::new(&remote_write(url), now).unwrap().is_amp();
        assert!(is_amp("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write"));
        assert!(is_amp("https://aps-workspaces-fips.us-east-1.api.aws/workspaces/ws-1/api/v1/remote_write"));
        assert!(!is_amp("https://mimir.example.com/api/v1/push"));
    }

    #[tokio::test]
    async fn a_key_that_is_refused_is_not_used_again() {
        let takes_second_key = async |headers: HeaderMap| {
            let is_second = headers["authorization"].to_str().unwrap().contains("Credential=second/");
            if is_second { StatusCode::NO_CONTENT } else { StatusCode::FORBIDDEN }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let mut server = tokio::task::JoinSet::new();
        server.spawn(async move { axum::serve(listener, axum::Router::new().fallback(takes_second_key)).await });
        let mut requests = Requests::new(&remote_write(&url), now).unwrap();
        requests.credentials = Credentials::Signature(signer_with(&["first", "second"]));

        let Answer::Later(later) = requests.send(Bytes::new(), 0).await else { panic!("the first key is taken") };
        assert_eq!(later.cause, Cause::Misconfigured);
        assert!(matches!(requests.send(Bytes::new(), 1).await, Answer::Taken(_)));
        assert!(matches!(requests.send(Bytes::new(), 0).await, Answer::Taken(_)));
    }
}
