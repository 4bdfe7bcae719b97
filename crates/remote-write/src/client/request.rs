//! Requests of remote write 1.0 to one destination: headers, credentials, TLS.
//!
//! IO.

use std::net::IpAddr;
use std::path::Path;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Identity, RequestBuilder, Url, redirect};

use super::answer::{Answer, Cause, Later};
use super::settings::{Auth, DestinationSettings, InvalidDestination, Secret, TlsSettings};

/// What the specification calls 1.0 says 0.1.0 here.
const VERSION: (&str, &str) = ("x-prometheus-remote-write-version", "0.1.0");

const AGENT: &str = concat!("shardset/", env!("CARGO_PKG_VERSION"));

/// Headers that are ours.
const RESERVED: [HeaderName; 6] = [AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT];

/// Makes requests to one destination.
#[derive(Debug)]
pub(super) struct Requests {
    client: Client,
    url: Url,
    headers: HeaderMap,
    auth: Auth,
}

impl Requests {
    pub(super) fn new(settings: &DestinationSettings) -> Result<Self, InvalidDestination> {
        let url = parse_url(&settings.url)?;
        if settings.timeout.is_zero() {
            return Err(InvalidDestination::Timeout);
        }
        check_credentials(&settings.auth)?;
        let mut builder = Client::builder()
            .user_agent(AGENT)
            .timeout(settings.timeout)
            // A redirect would turn the post into a get of nothing.
            .redirect(redirect::Policy::none());
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let client = with_tls(builder, &settings.tls)?.build().map_err(InvalidDestination::Client)?;
        Ok(Self { client, url, headers: headers(&settings.headers)?, auth: settings.auth.clone() })
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

    /// Sends a compressed message once. `attempt` counts from 0.
    pub(super) async fn send(&self, body: Bytes, attempt: u32) -> Answer {
        let mut request = self.client.post(self.url.clone()).headers(self.headers.clone()).body(body);
        if attempt > 0 {
            request = request.header("Retry-Attempt", attempt);
        }
        let request = match self.authorize(request).await {
            Ok(request) => request,
            Err(error) => return Answer::Later(Later::because(Cause::Credentials, error.to_string())),
        };
        match request.send().await {
            Ok(response) => Answer::read(response).await,
            Err(error) => Answer::Later(Later::failed(error)),
        }
    }

    async fn authorize(&self, request: RequestBuilder) -> std::io::Result<RequestBuilder> {
        Ok(match &self.auth {
            Auth::None => request,
            Auth::Basic { username, password } => request.basic_auth(username, Some(reveal(password).await?)),
            Auth::Bearer(token) => request.bearer_auth(reveal(token).await?),
        })
    }
}

async fn reveal(secret: &Secret) -> std::io::Result<String> {
    match secret {
        Secret::Inline(secret) => Ok(secret.clone()),
        Secret::File(path) => match tokio::fs::read_to_string(path).await?.trim() {
            // Whoever writes the file anew has emptied it first.
            "" => Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the file of the secret is empty")),
            secret => Ok(secret.to_owned()),
        },
    }
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
    headers.insert(HeaderName::from_static(VERSION.0), HeaderValue::from_static(VERSION.1));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("snappy"));
    for (name, value) in set {
        let invalid = || InvalidDestination::Header(name.clone());
        let parsed = HeaderName::try_from(name).map_err(|_| invalid())?;
        if RESERVED.contains(&parsed) || parsed == VERSION.0 {
            return Err(invalid());
        }
        let mut value = HeaderValue::try_from(value).map_err(|_| invalid())?;
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    Ok(headers)
}

fn check_credentials(auth: &Auth) -> Result<(), InvalidDestination> {
    let sendable = match auth {
        Auth::Basic { username, .. } => !username.contains(':'),
        Auth::Bearer(Secret::Inline(token)) => HeaderValue::try_from(token).is_ok(),
        Auth::None | Auth::Bearer(Secret::File(_)) => true,
    };
    if sendable { Ok(()) } else { Err(InvalidDestination::Credentials) }
}

fn with_tls(mut builder: ClientBuilder, tls: &TlsSettings) -> Result<ClientBuilder, InvalidDestination> {
    if let Some(path) = &tls.ca_file {
        let field = "tls.ca-file";
        let pem = read(field, path)?;
        let authorities =
            Certificate::from_pem_bundle(&pem).map_err(|source| InvalidDestination::Pem { field, source })?;
        if authorities.is_empty() {
            return Err(InvalidDestination::NoAuthority);
        }
        builder = builder.tls_certs_only(authorities);
    }
    match (&tls.cert_file, &tls.key_file) {
        (None, None) => {}
        (Some(cert), Some(key)) => builder = builder.identity(identity(cert, key)?),
        _ => return Err(InvalidDestination::HalfIdentity),
    }
    Ok(builder.tls_danger_accept_invalid_certs(tls.insecure_skip_verify))
}

fn identity(cert: &Path, key: &Path) -> Result<Identity, InvalidDestination> {
    let mut pem = read("tls.cert-file", cert)?;
    pem.push(b'\n');
    pem.extend(read("tls.key-file", key)?);
    Identity::from_pem(&pem).map_err(|source| InvalidDestination::Pem { field: "tls.cert-file, tls.key-file", source })
}

fn read(field: &'static str, path: &Path) -> Result<Vec<u8>, InvalidDestination> {
    std::fs::read(path).map_err(|source| InvalidDestination::Unreadable { field, path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::Requests;
    use crate::client::settings::{Auth, DestinationSettings, Secret, TlsSettings};

    fn error_of(change: impl FnOnce(&mut DestinationSettings)) -> String {
        let mut settings = DestinationSettings::new("http://localhost:9090/api/v1/write");
        change(&mut settings);
        Requests::new(&settings).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn a_setting_that_can_not_work_is_named() {
        for url in ["", "localhost:9090", "ftp://host/", "http://"] {
            assert!(error_of(|settings| settings.url = url.into()).starts_with("url: "), "{url:?}");
        }
        for header in ["", "a b", "User-Agent", "content-type", "X-Prometheus-Remote-Write-Version"] {
            let message = error_of(|settings| settings.headers = vec![(header.into(), "v".into())]);
            assert!(message.starts_with("headers: "), "{header:?}");
        }
        assert!(error_of(|s| s.headers = vec![("x".into(), "a\nb".into())]).starts_with("headers: \"x\""));
        assert!(error_of(|s| s.auth = Auth::Bearer(Secret::Inline("a\nb".into()))).starts_with("auth: "));
        assert!(error_of(|s| s.timeout = std::time::Duration::ZERO).starts_with("timeout: "));
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
        let shown = |url: &str| Requests::new(&DestinationSettings::new(url)).unwrap().shown_url();
        assert_eq!(
            shown("https://me:secret@mimir.example:8443/api/v1/push?token=x"),
            "https://mimir.example:8443/api/v1/push"
        );
        assert_eq!(shown("http://[::1]/write"), "http://[::1]/write");
    }

    #[test]
    fn amp_is_known_by_its_hosts() {
        let is_amp = |url: &str| Requests::new(&DestinationSettings::new(url)).unwrap().is_amp();
        assert!(is_amp("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write"));
        assert!(is_amp("https://aps-workspaces-fips.us-east-1.api.aws/workspaces/ws-1/api/v1/remote_write"));
        assert!(!is_amp("https://mimir.example.com/api/v1/push"));
    }
}
