//! Logs: `tracing` to stderr, as text for people or as JSON for machines, filtered by `RUST_LOG` or `--log`.
//!
//! WARN means surprising but nothing is lost; ERROR means that data is lost or that a person must act.

use std::io::IsTerminal;

use thiserror::Error;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, Error)]
pub enum LoggingError {
    /// The filter is none.
    #[error("{filter:?} is no log filter; examples: info, debug, warn,shardset_worker=debug")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody else has set it up already.
    #[error("logging is set up already")]
    Again,
}

/// Sends logs to stderr from now on.
///
/// # Errors
///
/// A filter that can not be read, or a second call in one process.
pub fn init(filter: &str, format: Format) -> Result<(), LoggingError> {
    let parsed =
        EnvFilter::try_new(filter).map_err(|source| LoggingError::Filter { filter: filter.to_owned(), source })?;
    let is_for_a_person = std::io::stderr().is_terminal();
    let lines =
        tracing_subscriber::fmt().with_env_filter(parsed).with_writer(std::io::stderr).with_ansi(is_for_a_person);
    match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(|_| LoggingError::Again)
}

/// An error and everything that caused it, in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(error.source(), |cause| cause.source())
        .fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::{Format, LoggingError, chain, init};

    #[test]
    fn a_bad_filter_is_named_with_its_cause() {
        let error = init("shardset=nonsense", Format::Text).expect_err("not a level");
        assert!(matches!(error, LoggingError::Filter { .. }));
        assert!(chain(&error).starts_with("\"shardset=nonsense\" is no log filter"));
    }
}
