//! Asking the admin server of `shardset local`.

use std::time::Duration;

use anyhow::{Context, bail};

const TIMEOUT: Duration = Duration::from_secs(10);

/// The text under `path`.
pub(crate) async fn get(admin: &str, path: &str) -> anyhow::Result<String> {
    let request = reqwest::Client::new().get(format!("http://{admin}{path}"));
    answer(admin, request).await
}

/// Sends JSON to `path`; what it answers.
pub(crate) async fn post(admin: &str, path: &str, body: String) -> anyhow::Result<String> {
    let request = reqwest::Client::new().post(format!("http://{admin}{path}"));
    answer(admin, request.header("content-type", "application/json").body(body)).await
}

async fn answer(admin: &str, request: reqwest::RequestBuilder) -> anyhow::Result<String> {
    let sent = request.timeout(TIMEOUT).send().await;
    let response = sent.with_context(|| format!("no shardset local answers at {admin}; give its --admin address"))?;
    let status = response.status();
    let text = response.text().await.context("the answer is cut off")?;
    if !status.is_success() {
        bail!("{admin} answers {status}: {}", text.trim());
    }
    Ok(text)
}
