//! Signatures as another implementation makes them, and the life of credentials.

use std::sync::Arc;
use std::sync::Mutex as SyncMutex;
use std::time::UNIX_EPOCH;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{Result as Provided, future};

use super::*;

/// So many seconds after 12:00:00 UTC of 2026-11-26.
fn noon(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_694_400 + seconds)
}

const URL: &str = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write";

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn own_headers() -> HeaderMap {
    let table = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ];
    table.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// A signer with these keys, one after another, none of which expires.
pub(in super::super) fn signer_with(keys: &[&str]) -> Signer {
    signer(keys.iter().map(|key| Ok(credentials(key, None))).collect())
}

fn credentials(key: &str, lasting: Option<u64>) -> Credentials {
    let expiry = lasting.map(noon);
    Credentials::new(key, "SECRET", None, expiry, "test")
}

/// Whatever stands in it, each once; then it has none.
#[derive(Clone, Debug)]
struct Script(Arc<SyncMutex<Vec<Provided>>>);

impl ProvideCredentials for Script {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let next = self.0.lock().unwrap().pop();
        let none = || Err(CredentialsError::not_loaded("nobody knows who we are"));
        future::ProvideCredentials::ready(next.unwrap_or_else(none))
    }
}

fn signer(script: Vec<Provided>) -> Signer {
    let script = Script(Arc::new(SyncMutex::new(script.into_iter().rev().collect())));
    let held = Held { provider: Some(SharedCredentialsProvider::new(script)), ..Held::default() };
    Signer { held: Mutex::new(held), ..Signer::new(&SigV4::default(), &url(URL)).unwrap() }
}

/// The key that a request is signed with, so many seconds after noon.
async fn key(signer: &Signer, seconds: u64) -> Result<String, String> {
    let signed = signer.sign(&url(URL), &own_headers(), b"", noon(seconds)).await?;
    let text = signed["authorization"].to_str().unwrap();
    Ok(text.split(['=', '/']).nth(1).unwrap().to_owned())
}

#[test]
fn a_signature_is_the_one_that_botocore_makes() {
    // botocore 1.43, SigV4Auth("aps", "eu-west-1").add_auth of the same request at the same time.
    let table = [
        (URL, None, "dc8b6ee4d9f1ac7ccd2f36ae2f7b80cebc0b5c6db4229308fa8e602f05663eb7"),
        (URL, Some("TOKEN"), "4865733a582ff86f4a58be0dcdcbe56b71c2c0c301b7e747a07fa62c3d1144dd"),
        (
            "http://127.0.0.1:9090/a%20b/write?x=1",
            Some("TOKEN"),
            "e332c12696940fbb018972eecb5d98c45945ff9f6d4e391645d02ddaee46b269",
        ),
    ];
    for (to, token, expected) in table {
        let credentials = Credentials::new("AKIDEXAMPLE", "SECRET", token.map(str::to_owned), None, "test");
        let signed = signature(credentials, "eu-west-1", &url(to), &own_headers(), b"compressed", noon(0)).unwrap();
        let header = |name: &str| signed.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header("x-amz-date"), Some("20261126T120000Z"));
        assert_eq!(
            header("x-amz-content-sha256"),
            Some("9da308c2e4bc33afa72df5c088b5fc5673c477f3ef21d6bdaa358393834f9804")
        );
        assert_eq!(header("x-amz-security-token"), token);
        let token = if token.is_some() { "x-amz-security-token;" } else { "" };
        let names = format!(
            "content-encoding;content-type;host;x-amz-content-sha256;x-amz-date;{token}x-prometheus-remote-write-version"
        );
        let scope = "AKIDEXAMPLE/20261126/eu-west-1/aps/aws4_request";
        let whole = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={expected}");
        assert_eq!(header("authorization"), Some(&*whole), "{to}");
    }
}

#[test]
fn the_region_is_the_one_that_is_set_or_the_one_in_the_url() {
    let of = |region: Option<&str>, to: &str| {
        let settings = SigV4 { region: region.map(str::to_owned), role_arn: None };
        Signer::new(&settings, &url(to)).map(|signer| signer.region).map_err(|error| error.to_string())
    };
    let table = [
        (URL, "eu-west-1"),
        (
            "https://aps-workspaces-fips.us-gov-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
            "us-gov-west-1",
        ),
        ("https://aps-workspaces.us-east-1.api.aws/workspaces/ws-1/api/v1/remote_write", "us-east-1"),
        ("https://aps-workspaces.cn-north-1.amazonaws.com.cn/workspaces/ws-1/api/v1/remote_write", "cn-north-1"),
        ("https://vpce-1-2.aps-workspaces.eu-central-1.vpce.amazonaws.com/workspaces/ws-1/", "eu-central-1"),
    ];
    for (to, expected) in table {
        assert_eq!(of(None, to).as_deref(), Ok(expected), "{to}");
        assert_eq!(of(Some("x"), to).as_deref(), Ok("x"));
    }
    for to in ["https://aps-workspaces.example/", "http://proxy:8005/workspaces/ws-1", "http://[::1]/"] {
        assert!(of(None, to).unwrap_err().starts_with("sigv4.region: say the region"), "{to}");
    }
}

#[tokio::test]
async fn credentials_are_asked_for_again_before_they_expire_and_when_they_are_refused() {
    let signer = signer(vec![
        Ok(credentials("first", Some(1000))),
        Ok(credentials("second", Some(5000))),
        Ok(credentials("third", None)),
        Ok(credentials("fourth", None)),
    ]);
    for (seconds, expected) in [(0, "first"), (699, "first"), (700, "second"), (4000, "second")] {
        assert_eq!(key(&signer, seconds).await.unwrap(), expected, "{seconds}");
    }
    signer.refused().await;
    for (seconds, expected) in [(4001, "third"), (4900, "third"), (4901, "fourth")] {
        assert_eq!(key(&signer, seconds).await.unwrap(), expected, "{seconds}");
    }
}

#[tokio::test]
async fn credentials_that_hold_are_used_while_others_can_not_be_had() {
    let signer = signer(vec![Ok(credentials("first", Some(1000)))]);
    assert_eq!(key(&signer, 0).await.unwrap(), "first");
    assert_eq!(key(&signer, 999).await.unwrap(), "first");
    let told = key(&signer, 1000).await.unwrap_err();
    assert!(told.contains("nobody knows who we are"), "{told}");
}
