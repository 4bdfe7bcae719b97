//! Signatures of AWS (Signature Version 4), by which Amazon Managed Service for Prometheus knows who writes.
//!
//! Who we are is found as AWS' own programs find it: the environment, a profile, the web identity of a ServiceAccount (IRSA), EKS
//! Pod Identity and ECS, EC2; with a role to assume if one is set. It is asked for at the first request and again
//! before it expires, or when the backend has refused it. While what is held is good, a lookup that fails changes nothing.
//!
//! Signed is what AMP looks at: the host, our own headers, the hash of the compressed body. Headers that a user adds are not, as
//! proxies may change them; nor is `Retry-Attempt`.
//!
//! IO: the lookups. Time is given.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::{HeaderMap, HeaderValue};
use reqwest::Url;
use tokio::sync::Mutex;

use super::settings::{InvalidDestination, SigV4};

/// How AWS calls Amazon Managed Service for Prometheus.
const SERVICE: &str = "aps";

/// Credentials are asked for again so long before they expire.
const AHEAD: Duration = Duration::from_secs(300);

/// Credentials that do not say when they expire may stand in a file that somebody writes anew.
const LOOK_AGAIN: Duration = Duration::from_secs(900);

/// Signs the requests to one destination.
#[derive(Debug)]
pub(super) struct Signer {
    region: String,
    role: Option<String>,
    held: Mutex<Held>,
}

#[derive(Default, Debug)]
struct Held {
    /// Made at the first request, as it looks at files.
    provider: Option<SharedCredentialsProvider>,
    credentials: Option<Credentials>,
    /// When they are to be asked for again.
    until: Option<SystemTime>,
}

impl Signer {
    pub(super) fn new(settings: &SigV4, url: &Url) -> Result<Self, InvalidDestination> {
        let region = settings.region.clone().or_else(|| region(url)).ok_or(InvalidDestination::Region)?;
        Ok(Self { region, role: settings.role_arn.clone(), held: Mutex::default() })
    }

    /// The headers that make a request with this body, and these headers, one of ours.
    pub(super) async fn sign(
        &self,
        url: &Url,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<HeaderMap, String> {
        let credentials = self.credentials(now).await?;
        signature(credentials, &self.region, url, headers, body, now).map_err(|error| told(&*error))
    }

    /// Somebody has refused what is held: it is asked for again.
    pub(super) async fn refused(&self) {
        self.held.lock().await.until = None;
    }

    async fn credentials(&self, now: SystemTime) -> Result<Credentials, String> {
        let mut held = self.held.lock().await;
        let fresh = held.credentials.clone().filter(|_| held.until.is_some_and(|until| now < until));
        if let Some(credentials) = fresh {
            return Ok(credentials);
        }
        if held.provider.is_none() {
            held.provider = Some(self.provider().await);
        }
        let provider = held.provider.as_ref().expect("it was just made");
        match provider.provide_credentials().await {
            Ok(credentials) => {
                held.until = Some(credentials.expiry().map_or(now + LOOK_AGAIN, |expiry| expiry - AHEAD));
                held.credentials = Some(credentials.clone());
                Ok(credentials)
            }
            Err(error) => {
                let is_good = |held: &Credentials| held.expiry().is_none_or(|expiry| now < expiry);
                held.credentials.clone().filter(is_good).ok_or_else(|| told(&error))
            }
        }
    }

    async fn provider(&self) -> SharedCredentialsProvider {
        let region = Region::new(self.region.clone());
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).region(region).load().await;
        match &self.role {
            Some(role) => {
                let role = AssumeRoleProvider::builder(role).session_name("shardset").configure(&config);
                SharedCredentialsProvider::new(role.build().await)
            }
            None => config.credentials_provider().expect("the defaults have a chain of providers"),
        }
    }
}

/// The region in the name of an endpoint: `aps-workspaces.REGION.amazonaws.com`, `-fips` ones, those of a VPC, and of `api.aws`.
fn region(url: &Url) -> Option<String> {
    let mut labels = url.host_str()?.split('.');
    labels.find(|label| ["aps-workspaces", "aps-workspaces-fips"].contains(label))?;
    labels.next().filter(|region| region.contains('-')).map(str::to_owned)
}

fn signature(
    credentials: Credentials,
    region: &str,
    url: &Url,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> Result<HeaderMap, Box<dyn Error + Send + Sync>> {
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let identity = credentials.into();
    let params = v4::SigningParams::builder().identity(&identity).region(region).name(SERVICE);
    let params = params.time(now).settings(settings).build()?.into();
    let texts = headers.iter().map(|(name, value)| Ok((name.as_str(), value.to_str()?)));
    let texts = texts.collect::<Result<Vec<_>, http::header::ToStrError>>()?;
    let request = SignableRequest::new("POST", url.as_str(), texts.into_iter(), SignableBody::Bytes(body))?;
    let (instructions, _) = sign(request, &params)?.into_parts();
    let (added, _) = instructions.into_parts();
    let mut signed = HeaderMap::new();
    for header in added {
        let mut value = HeaderValue::from_str(header.value())?;
        value.set_sensitive(header.sensitive());
        signed.insert(header.name(), value);
    }
    Ok(signed)
}

/// An error with what led to it: AWS' own ones say it there only.
fn told(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| Error::source(*error));
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
pub(super) mod tests;
