//! Compares what must be found with what a server shows, series by series and exactly.
//!
//! Series are matched by their name and by the labels that the generator knows; other labels (`job`, `instance`, scope,
//! what a scrape or a remote write adds) are left out of the comparison, so two series that differ in those alone count
//! as one stream shown twice, and their values add up to a difference.
//!
//! A path of `/metrics` is scraped. Any other URL is the base of a Prometheus query API, which is asked for the last value
//! within a window: an instant query would not see sessions that ended more than five minutes ago. A scrape shows what
//! the worker still exports, so a run that is to be verified by scrape must end within the worker's `max_stale`.
//!
//! What is asked for again and again until it fits is bounded by [`VerifySettings::patience`]: exports come on a clock.

mod expected;
mod query;
mod scrape;
mod verdict;

use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::run::Outcome;
use expected::Expected;
pub use verdict::{Difference, Verdict};

/// What a window is longer than the run and the wait for its totals.
const WINDOW_MARGIN: Duration = Duration::from_secs(600);

/// How to verify.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifySettings {
    /// For how long to ask again while something is still missing.
    pub patience: Duration,
    /// The pause between two looks.
    pub pause: Duration,
    /// How far back a query looks for a series' last value. `None`: ten minutes more than the run took.
    pub window: Option<Duration>,
    /// Whether points may have been refused or rejected.
    pub refusals_expected: bool,
}

/// Why there is no verdict.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The URL is none.
    #[error("`{0}` is no URL")]
    Url(String),
    /// The server does not answer.
    #[error("{url} does not answer")]
    Http {
        /// Which.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The server answers with an error.
    #[error("{url} answers {status}: {body}")]
    Status {
        /// Which.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The first part of the body.
        body: String,
    },
    /// What it shows can not be read.
    #[error("{url} shows what can not be read: {what}")]
    Format {
        /// Which.
        url: String,
        /// What is wrong.
        what: String,
    },
}

impl Default for VerifySettings {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(60),
            pause: Duration::from_secs(1),
            window: None,
            refusals_expected: false,
        }
    }
}

/// Looks at `url` until everything is as it must be, nothing can make it so any more, or patience ends.
///
/// # Errors
///
/// Where the last look did not succeed. Differences are not an error here but in the verdict.
pub async fn verify(outcome: &Outcome, url: &str, settings: &VerifySettings) -> Result<Verdict, VerifyError> {
    let client = client(url)?;
    let mut expected = Expected::new(&outcome.ledger);
    let deadline = Instant::now() + settings.patience;
    let run = Duration::from_secs_f64(outcome.summary.seconds);
    let window = settings.window.unwrap_or(run + settings.patience + WINDOW_MARGIN);
    loop {
        let looked = look(&client, url, window, &mut expected).await;
        let verdict = looked.map(|()| Verdict::new(&expected, &outcome.summary, settings.refusals_expected));
        let is_settled = verdict.as_ref().is_ok_and(|verdict| verdict.differences_total == 0 || verdict.is_hopeless);
        if is_settled || Instant::now() + settings.pause > deadline {
            return verdict;
        }
        sleep(settings.pause).await;
    }
}

fn client(url: &str) -> Result<reqwest::Client, VerifyError> {
    let failed = |source| VerifyError::Http { url: url.to_owned(), source };
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().map_err(failed)
}

async fn look(
    client: &reqwest::Client,
    url: &str,
    window: Duration,
    expected: &mut Expected,
) -> Result<(), VerifyError> {
    let parsed = reqwest::Url::parse(url).map_err(|_| VerifyError::Url(url.to_owned()))?;
    expected.forget_what_was_found();
    if parsed.path().ends_with("/metrics") {
        scrape::scrape(client, url, expected).await
    } else {
        query::query(client, &parsed, window, expected).await
    }
}

/// The answer, where it is one of success.
async fn get(client: &reqwest::Client, url: reqwest::Url) -> Result<reqwest::Response, VerifyError> {
    let shown = url.to_string();
    let response = client.get(url).send().await.map_err(|source| VerifyError::Http { url: shown.clone(), source })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default().chars().take(300).collect();
    Err(VerifyError::Status { url: shown, status: status.as_u16(), body })
}
