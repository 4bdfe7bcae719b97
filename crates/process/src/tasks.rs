//! Tasks and threads that can not die unnoticed.
//!
//! A bare spawn that panics leaves a process which looks alive and does nothing. Here the first task that fails or panics
//! asks all others to stop and becomes the process's exit: better down and restarted than up and lying.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::{error, io, thread};

use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one process, and the token that asks them to stop. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    failure: Arc<OnceLock<TaskFailed>>,
}

/// The first task that ended as it should not.
#[derive(Clone, Debug, Error)]
#[error("task {task} failed: {cause}")]
pub struct TaskFailed {
    task: String,
    cause: String,
}

impl Tasks {
    /// Cancelled when the process should stop, for whatever reason.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs `work` until it ends; an error or a panic of it stops the process.
    #[expect(clippy::disallowed_methods, reason = "this is the place the ban points to")]
    pub fn spawn<E>(&self, task: impl Into<String>, work: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: error::Error + Send + 'static,
    {
        let (task, tasks) = (task.into(), self.clone());
        let work = tokio::spawn(work);
        self.tracker.spawn(async move {
            match work.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tasks.fail(task, crate::logging::chain(&error)),
                Err(stopped) => tasks.fail(task, stopped.to_string()),
            }
        });
    }

    /// Runs `work` on a thread of its own, for work that blocks or that keeps a core busy; a panic of it stops the process.
    ///
    /// # Errors
    ///
    /// Where the system gives no more threads.
    pub fn spawn_thread(&self, task: impl Into<String>, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let (task, tasks, running) = (task.into(), self.clone(), self.tracker.token());
        thread::Builder::new().name(task.clone()).spawn(move || {
            // Nothing that `work` could leave half done is used again: the process goes down.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
                tasks.fail(task, panic_message(panic.as_ref()));
            }
            drop(running);
        })?;
        Ok(())
    }

    /// Waits until every task has ended.
    ///
    /// # Errors
    ///
    /// The first failure, if there was one.
    pub async fn finished(&self) -> Result<(), TaskFailed> {
        self.tracker.close();
        self.tracker.wait().await;
        self.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    fn fail(&self, task: String, cause: String) {
        tracing::error!(task, cause, "a task failed; the process stops");
        // Only the first failure is the cause; later ones follow from the stop.
        let _first = self.failure.set(TaskFailed { task, cause });
        self.stop.cancel();
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without a message"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::Tasks;

    #[tokio::test]
    async fn tasks_that_end_well_leave_the_process_running() {
        let tasks = Tasks::default();
        tasks.spawn("fine", async { Ok::<(), Infallible>(()) });
        assert!(tasks.finished().await.is_ok());
        assert!(!tasks.stop().is_cancelled());
    }

    #[tokio::test]
    async fn an_error_stops_the_others_and_is_reported_with_its_task() {
        let tasks = Tasks::default();
        let stop = tasks.stop();
        tasks.spawn("waits", async move {
            stop.cancelled().await;
            Ok::<(), Infallible>(())
        });
        tasks.spawn("breaks", async { Err(std::io::Error::other("no")) });
        assert_eq!(tasks.finished().await.expect_err("it broke").to_string(), "task breaks failed: no");
    }

    #[tokio::test]
    async fn a_panic_of_a_thread_is_a_failure() {
        let tasks = Tasks::default();
        tasks.spawn_thread("shard-0", || panic!("boom")).expect("a thread");
        let failed = tasks.finished().await.expect_err("it panicked");
        assert_eq!(failed.to_string(), "task shard-0 failed: panicked: boom");
        assert!(tasks.stop().is_cancelled());
    }
}
