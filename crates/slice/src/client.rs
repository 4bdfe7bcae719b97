//! The connection to the API server, with the timeouts that a client of ours needs.
//!
//! The library's own are made for people: a dead watch is noticed after 295 s, a request may hang for ever, and answers of
//! "not now" are hidden behind minutes of retries. Here everything is noticed in seconds, and whoever asks decides what then.

use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::time::Duration;

use kube::{Client, Config};
use thiserror::Error;

const WATCH_SECONDS: RangeInclusive<u32> = 20..=30;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the longest watch may be silent, so that a watch ends by itself.
const READ_TIMEOUT: Duration = Duration::from_secs(40);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no client.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Neither a pod's service account nor a kubeconfig.
    #[error("no way to an API server is configured: run in a pod with a service account, or set KUBECONFIG")]
    Config(#[source] kube::config::InferConfigError),
    /// What is configured can not be used.
    #[error("the configured way to the API server can not be used")]
    Client(#[source] kube::Error),
}

/// A client of the cluster that this process runs in, or that the kubeconfig names.
///
/// # Errors
///
/// There is no configuration, or it can not be used. Whether the API server is there is not asked.
pub async fn client() -> Result<Client, ClientError> {
    let mut config = Config::infer().await.map_err(ClientError::Config)?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.write_timeout = Some(WRITE_TIMEOUT);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    Client::try_from(config).map_err(ClientError::Client)
}

/// After how many seconds a watch is renewed, whatever it says: a connection that is dead and does not say so is noticed a few
/// seconds later. Another time for each watch, so that many clients do not come at once.
pub fn watch_seconds() -> u32 {
    let (least, most) = WATCH_SECONDS.into_inner();
    let any = RandomState::new().hash_one(()) % u64::from(most - least + 1);
    least + u32::try_from(any).expect("it is below a u32")
}
