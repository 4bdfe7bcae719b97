//! A shard that can not go on takes its process down and tells nobody that something counts.

use std::sync::{Arc, Mutex};

use shardset_accumulate::Streams;
use shardset_model::UnixMillis;
use shardset_worker::persist::{FileError, Journal, LossyMemory, PersistError, Receipt, Recovered};
use tonic::Code;

use crate::backend::{Backend, PATIENCE};
use crate::harness::{Harness, now, one_shard, settings, to};
use crate::sender::counter;

/// A journal whose disk can be made to fail.
#[derive(Debug)]
struct Breakable {
    memory: LossyMemory,
    broken: Arc<Mutex<bool>>,
}

impl Journal for Breakable {
    fn recover(&mut self, streams: &mut Streams) -> Result<Recovered, PersistError> {
        self.memory.recover(streams)
    }

    fn changes(&mut self) -> &mut Vec<u8> {
        self.memory.changes()
    }

    fn commit(&mut self) -> Result<Receipt, PersistError> {
        if *self.broken.lock().unwrap() {
            let source = std::io::Error::other("no space left on device");
            return Err(FileError::Io { what: "write", path: "journal".into(), source }.into());
        }
        self.memory.commit()
    }

    fn close(&mut self, streams: &Streams, latest: UnixMillis) -> Result<(), PersistError> {
        self.memory.close(streams, latest)
    }
}

#[tokio::test]
async fn a_failed_commit_is_never_answered_with_success_and_stops_the_process() {
    let backend = Backend::start().await;
    let broken = Arc::new(Mutex::new(false));
    let journal = Breakable { memory: LossyMemory::default(), broken: Arc::clone(&broken) };
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let destinations = vec![to("main", &backend.url)];
    let worker = Harness::run_on(settings(dir.path()), one_shard(), 0, destinations, dir, journal).await.unwrap();
    let (sender, start) = (worker.sender().await, now() - 1_000_000_000);
    sender.accept(vec![counter("requests", "a", start, now(), 1.0)]).await;

    *broken.lock().unwrap() = true;
    let refused = sender.send(vec![counter("requests", "a", start, now(), 1.0)]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    tokio::time::timeout(PATIENCE, worker.process.tasks.stop().cancelled()).await.unwrap();
    worker.worker.stop().await.unwrap_err();
    assert_eq!(worker.process.readiness.unmet(), ["shard 0"]);
    let failure = tokio::time::timeout(PATIENCE, worker.process.tasks.finished()).await.unwrap().unwrap_err();
    assert!(failure.to_string().contains("no space left on device"), "{failure}");
}

#[tokio::test]
async fn what_was_committed_before_a_crash_is_counted_once_after_it() {
    let backend = Backend::start().await;
    let memory = LossyMemory::default();
    let run = |journal: LossyMemory| {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let destinations = vec![to("main", &backend.url)];
        Harness::run_on(settings(dir.path()), one_shard(), 0, destinations, dir, journal)
    };
    let start = now() - 10_000_000_000;
    let first = counter("requests", "a", start, start + 1, 5.0);
    let worker = run(memory.clone()).await.unwrap();
    worker.sender().await.accept(vec![first.clone()]).await;
    backend.wait("the total", |got| got.last("requests_total{") == Some(5.0)).await;
    // The worker is not stopped: from the next one's point of view it died.
    let next = run(memory).await.unwrap();
    let sender = next.sender().await;
    sender.accept(vec![first, counter("requests", "a", start + 1, start + 2, 2.0)]).await;
    backend.wait("the continued total", |got| got.last("requests_total{") == Some(7.0)).await;
    next.stop().await;
    worker.stop().await;
}
