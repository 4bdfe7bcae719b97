//! The few requests that the harness itself has for the API server, as the administrator.

use std::fs;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Certificate, Client, Method, StatusCode};
use serde_json::Value;

use crate::ground::network;
use crate::place::Place;

/// A test may stop the server, so an answer may never come.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client of the API server.
pub(crate) struct Api {
    client: Client,
    token: String,
}

impl Api {
    /// A client that trusts the server's certificate, which has to be there already.
    pub(crate) fn new(place: &Place, token: &str) -> anyhow::Result<Self> {
        let certificates = fs::read(place.certificate()).context("read the API server's certificate")?;
        let certificates = Certificate::from_pem_bundle(&certificates)?;
        let client = Client::builder().tls_certs_only(certificates).no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { client, token: token.to_owned() })
    }

    /// Whether the server says of itself that it is ready.
    pub(crate) async fn is_ready(&self) -> anyhow::Result<()> {
        self.ask(Method::GET, "/readyz", None).await.map(|_| ())
    }

    /// One object, or a list of them.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.ask(Method::GET, path, None).await?)?)
    }

    /// Makes an object. One that is there stays as it is.
    pub(crate) async fn create(&self, path: &str, object: &Value) -> anyhow::Result<()> {
        self.ask(Method::POST, path, Some(object)).await.map(|_| ())
    }

    /// Changes some fields of an object.
    pub(crate) async fn change(&self, path: &str, fields: &Value) -> anyhow::Result<()> {
        self.ask(Method::PATCH, path, Some(fields)).await.map(|_| ())
    }

    /// Removes an object, if it is there.
    pub(crate) async fn remove(&self, path: &str) -> anyhow::Result<()> {
        self.ask(Method::DELETE, path, None).await.map(|_| ())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Vec<u8>> {
        let url = format!("https://{}:6443{path}", network::NODE);
        let mut request = self.client.request(method.clone(), url).bearer_auth(&self.token);
        if let Some(body) = body {
            let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
            request = request.header("content-type", kind).body(body.to_string());
        }
        let answer = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = answer.status();
        let body = answer.bytes().await?.to_vec();
        let is_done = match method {
            Method::POST => status == StatusCode::CONFLICT,
            Method::DELETE => status == StatusCode::NOT_FOUND,
            _ => false,
        };
        if !status.is_success() && !is_done {
            bail!("{method} {path}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}
