//! Waiting for a state of one object by a watch of it: what is so for a moment only is seen, and seen at once.

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use futures_util::TryStreamExt;
use kube::Resource;
use kube::api::{Api, WatchEvent, WatchParams};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// How long anything that is watched for may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until it is so; the object as it is then.
///
/// # Errors
///
/// It is not so in time, or can not be watched.
pub async fn when<K>(api: &Api<K>, name: &str, what: &str, is_so: impl Fn(&K) -> bool) -> anyhow::Result<K>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    timeout(PATIENCE, seen(api, name, is_so)).await.with_context(|| format!("{what}: not within {PATIENCE:?}"))?
}

async fn seen<K>(api: &Api<K>, name: &str, is_so: impl Fn(&K) -> bool) -> anyhow::Result<K>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let params = WatchParams::default().fields(&format!("metadata.name={name}"));
    loop {
        // Begins with the object as it is, and goes on with each of its changes.
        let mut events = pin!(api.watch(&params, "0").await?);
        while let Ok(Some(event)) = events.try_next().await {
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) if is_so(&object) => return Ok(object),
                _ => {}
            }
        }
    }
}
