//! Where batches go and how: what a user can set about a destination, and what can be wrong with it.
//!
//! Pure; the files named here are read in [`super::request`] and [`super::connections`].

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::protocol::Protocol;

/// Everything that can be set about a destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DestinationSettings {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it is, such as `https://prometheus:9090/api/v1/write`, `http://collector:4318/v1/metrics` or `http://collector:4317`;
    /// see [`Protocol`].
    pub url: String,
    /// How we say who we are.
    pub auth: Auth,
    /// Headers of every request, such as `X-Scope-OrgID`.
    pub headers: Vec<(String, String)>,
    /// How long one request may take, answer included.
    pub timeout: Duration,
    /// How the server is trusted, and how it trusts us.
    pub tls: TlsSettings,
    /// How long to pause between attempts.
    pub retry: RetrySettings,
    /// Where the jitter begins, so that destinations and processes do not knock in step.
    pub seed: u64,
}

impl DestinationSettings {
    /// The defaults: no authentication, 30 s.
    pub fn new(protocol: Protocol, url: impl Into<String>) -> Self {
        Self {
            protocol,
            url: url.into(),
            auth: Auth::None,
            headers: Vec::new(),
            timeout: Duration::from_secs(30),
            tls: TlsSettings::default(),
            retry: RetrySettings::default(),
            seed: 0,
        }
    }
}

/// How we say who we are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Auth {
    /// Not at all.
    #[default]
    None,
    /// By name and password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// By a token.
    Bearer(Secret),
    /// By signatures of AWS, with the credentials that AWS gives to this process.
    SigV4(SigV4),
}

/// Signatures for Amazon Managed Service for Prometheus.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SigV4 {
    /// The region of the workspace. Left out: the one in the URL.
    pub region: Option<String>,
    /// A role to assume, by its ARN: where the workspace is another account's.
    pub role_arn: Option<String>,
}

/// Something that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Here it is.
    Inline(String),
    /// It stands in this file, which is read for every request, since secrets are rotated. Blanks around it do not count.
    File(PathBuf),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Inline(***)"),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

/// How the server is trusted, and how it trusts us. Files are PEM, and are read again every few seconds, since certificates are renewed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsSettings {
    /// Authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Our certificate, with those that lead to it.
    pub cert_file: Option<PathBuf>,
    /// The key to it.
    pub key_file: Option<PathBuf>,
    /// Whether any certificate will do. For tests only.
    pub insecure_skip_verify: bool,
}

impl TlsSettings {
    pub(super) fn has_files(&self) -> bool {
        self.ca_file.is_some() || self.cert_file.is_some()
    }
}

/// How long to pause between attempts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetrySettings {
    /// After the first attempt; doubled after each.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// The longest pause that a `Retry-After` can ask for.
    pub longest_asked: Duration,
    /// The pause after an answer that says that the destination is set up wrongly.
    pub misconfigured: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(30),
            longest: Duration::from_secs(5),
            longest_asked: Duration::from_secs(60),
            misconfigured: Duration::from_secs(30),
        }
    }
}

/// Why a destination can not work.
#[derive(Debug, Error)]
pub enum InvalidDestination {
    /// The URL is none, or not one of HTTP.
    #[error("url: {0:?} must be an http:// or https:// URL with a host")]
    Url(String),
    /// A path where gRPC has its own.
    #[error("url: by grpc it has no path; one with a path is of http/protobuf")]
    Path,
    /// No path where each server has its own.
    #[error("url: by http/protobuf it has a path, usually /v1/metrics")]
    NoPath,
    /// A header that can not be sent, or that is ours to set.
    #[error("headers: {0:?} is no header that can be set here")]
    Header(String),
    /// The user's name or the secret has characters that no header can carry.
    #[error("auth: the credentials have characters that a header can not carry")]
    Credentials,
    /// Signatures are made for what Amazon Managed Service for Prometheus takes.
    #[error("sigv4: only requests of remote write are signed")]
    SigV4,
    /// Nothing says for which region requests are signed.
    #[error("sigv4.region: say the region of the workspace, as the URL does not name it")]
    Region,
    /// A timeout of nothing.
    #[error("timeout: it must be longer than 0")]
    Timeout,
    /// A certificate without its key or the reverse.
    #[error("tls.cert-file, tls.key-file: one needs the other")]
    HalfIdentity,
    /// A file that can not be read.
    #[error("{field}: {} can not be read", path.display())]
    Unreadable {
        /// The setting.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that has nothing of use.
    #[error("{field}: no usable PEM")]
    Pem {
        /// The setting.
        field: &'static str,
        /// Why.
        source: reqwest::Error,
    },
    /// An authority file without authorities.
    #[error("tls.ca-file: no certificate in it")]
    NoAuthority,
    /// TLS could not be set up.
    #[error("tls: the client could not be set up")]
    Client(#[source] reqwest::Error),
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::Inline("hunter2".into())), "Inline(***)");
        assert_eq!(format!("{:?}", Secret::File("/run/token".into())), "File(/run/token)");
    }
}
