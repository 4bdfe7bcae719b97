//! A workspace of Amazon Managed Service for Prometheus, as far as one can be had: a Prometheus behind a server that checks signatures.
//!
//! The check is written down from AWS' description (Signature Version 4) and shares no code with the signer. Whoever writes gets its
//! keys from the same server, as in ECS and with EKS Pod Identity. They change every few seconds, and the workspace knows the last two only.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The path of a workspace's remote write.
const WRITE: &str = "/workspaces/ws-1/api/v1/remote_write";
/// The region that it is in.
pub const REGION: &str = "eu-west-1";
/// What a pod shows to be given keys.
const TOKEN: &str = "pod-token";
/// Keys that expire so soon are asked for again at once.
const LASTING: Duration = Duration::from_secs(303);

/// A workspace, and where keys to it are given out.
pub struct Workspace {
    address: SocketAddr,
    state: Arc<Mutex<Seen>>,
    _server: JoinSet<std::io::Result<()>>,
}

/// What happened at the workspace.
#[derive(Clone, Default, Debug)]
pub struct Seen {
    /// How many keys were given out.
    pub keys: u64,
    /// How many requests were signed rightly.
    pub signed: u64,
    /// Why requests were refused.
    pub refused: Vec<String>,
}

#[derive(Clone)]
struct Server {
    backend: String,
    client: reqwest::Client,
    seen: Arc<Mutex<Seen>>,
}

impl Workspace {
    /// A workspace in front of a backend that takes remote write at this URL.
    ///
    /// # Errors
    ///
    /// When there is no port for it.
    pub async fn start(backend: String) -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(Seen::default()));
        let server = Server { backend, client: reqwest::Client::new(), seen: Arc::clone(&state) };
        let router = Router::new().route("/keys", get(keys)).route(WRITE, post(write)).with_state(server);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, state, _server: tasks })
    }

    /// Where to write.
    pub fn url(&self) -> String {
        format!("http://{}{WRITE}", self.address)
    }

    /// What the platform puts into the environment of a pod, and nothing of this machine.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}/keys", self.address)),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", TOKEN.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ]
    }

    /// What has happened so far.
    ///
    /// # Panics
    ///
    /// When the server did.
    pub fn seen(&self) -> Seen {
        self.state.lock().expect("the server does not panic").clone()
    }
}

fn secret(key: u64) -> String {
    format!("secret-{key}")
}

async fn keys(State(server): State<Server>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let shown = headers.get("authorization").and_then(|value| value.to_str().ok());
    if shown != Some(TOKEN) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let mut seen = server.seen.lock().expect("the server does not panic");
    seen.keys += 1;
    let key = seen.keys;
    let expires = UNIX_EPOCH + Duration::from_millis(crate::otlp::now()) + LASTING;
    Ok(Json(json!({
        "AccessKeyId": format!("KEY{key}"),
        "SecretAccessKey": secret(key),
        "Token": format!("session-{key}"),
        "Expiration": humantime::format_rfc3339_seconds(expires).to_string(),
    })))
}

async fn write(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let newest = server.seen.lock().expect("the server does not panic").keys;
    if let Err(error) = check(&headers, &body, newest) {
        let told = format!("{error:#}");
        server.seen.lock().expect("the server does not panic").refused.push(told.clone());
        return (StatusCode::FORBIDDEN, told);
    }
    server.seen.lock().expect("the server does not panic").signed += 1;
    let mut request = server.client.post(&server.backend).body(body);
    for name in ["content-type", "content-encoding", "x-prometheus-remote-write-version"] {
        request = request.header(name, headers[name].clone());
    }
    match request.send().await {
        Ok(answer) => (answer.status(), answer.text().await.unwrap_or_default()),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()),
    }
}

/// Signature Version 4: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
fn check(headers: &HeaderMap, body: &[u8], newest: u64) -> anyhow::Result<()> {
    let header = |name: &str| -> anyhow::Result<&str> {
        let value = headers.get(name).with_context(|| format!("{name} is missing"))?;
        Ok(value.to_str()?.trim())
    };
    let authorization = header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ").context("not signed")?;
    let fields: BTreeMap<&str, &str> = authorization.split(", ").filter_map(|field| field.split_once('=')).collect();
    let field = |name: &str| fields.get(name).copied().with_context(|| format!("no {name}"));
    let (key, scope) = field("Credential")?.split_once('/').context("a credential has a scope")?;
    let number: u64 = key.strip_prefix("KEY").context("not a key of ours")?.parse()?;
    ensure!(number <= newest && number + 1 >= newest, "{key} is not one of the last two of {newest}");
    ensure!(header("x-amz-security-token")? == format!("session-{number}"), "the token is not that of {key}");
    let hash = hex(&Sha256::digest(body));
    ensure!(header("x-amz-content-sha256")? == hash, "the body is another");

    let signed: Vec<&str> = field("SignedHeaders")?.split(';').collect();
    for name in ["host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"] {
        ensure!(signed.contains(&name), "{name} is not signed");
    }
    let lines = signed.iter().map(|name| Ok(format!("{name}:{}\n", header(name)?)));
    let lines = lines.collect::<anyhow::Result<String>>()?;
    let canonical = format!("POST\n{WRITE}\n\n{lines}\n{}\n{hash}", field("SignedHeaders")?);
    let date = header("x-amz-date")?;
    let day = date.get(..8).context("a date has a day")?;
    ensure!(scope == format!("{day}/{REGION}/aps/aws4_request"), "the scope is {scope}");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(&canonical)));
    let start = format!("AWS4{}", secret(number)).into_bytes();
    let parts = [day, REGION, "aps", "aws4_request", &text];
    let expected = hex(&parts.iter().fold(start, |key, part| authenticated(&key, part)));
    if field("Signature")? != expected {
        bail!("the signature is not that of\n{canonical}");
    }
    Ok(())
}

fn authenticated(key: &[u8], text: &str) -> Vec<u8> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    code.update(text.as_bytes());
    code.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
