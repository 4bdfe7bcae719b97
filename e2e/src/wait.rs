//! Waiting for an event, with a bound.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_millis(50);

/// Asks until the answer is there, and gives up after `bound` with the last reason why it was not.
///
/// # Errors
///
/// The reason, when time is up.
pub async fn until<T>(
    what: &str,
    bound: Duration,
    mut ask: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + bound;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() >= deadline => bail!("{what}: not within {bound:?}: {error:#}"),
            Err(_) => sleep(PAUSE).await,
        }
    }
}
