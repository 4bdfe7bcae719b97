//! The last good record, kept in a file over restarts of the process.
//!
//! A gateway that restarts while the API server is away routes by it at once. It is as old as the last change, and epochs make
//! that harmless: a worker that is further refuses, and says where it is.

use std::path::Path;

use shardset_membership::{Expect, Origin, Record, publish, read};
use shardset_process::logging::chain;

/// What the file holds, if that is a record.
pub(crate) fn load(path: &Path) -> Option<Record> {
    match read(path) {
        Ok(record) => {
            let epoch = record.membership().epoch().get();
            tracing::info!(epoch, path = %path.display(), "a membership is known from before");
            Some(record.from_origin(Origin::Snapshot))
        }
        Err(error) => {
            tracing::debug!(error = chain(&error), "no membership is known from before");
            None
        }
    }
}

/// Keeps the record. A disk that takes none is said and is no reason to stop.
pub(crate) async fn keep(path: &Path, record: &Record) {
    let (path, record) = (path.to_owned(), record.clone());
    let kept = tokio::task::spawn_blocking(move || publish(&path, Expect::Anything, &record)).await;
    match kept {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = chain(&error), "the membership can not be kept over a restart"),
        Err(error) => tracing::warn!(%error, "the membership can not be kept over a restart"),
    }
}
