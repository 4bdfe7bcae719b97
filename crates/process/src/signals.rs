//! The signals that ask a process to stop: SIGTERM (Kubernetes, systemd) and SIGINT (a person).

use std::future::Future;
use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Hears both signals from now on; what comes back waits for either and says which it was.
///
/// To be called before anything that takes time: who is not heard yet ends a process at once, and the first process of a
/// container not at all.
///
/// # Errors
///
/// Where the handlers can not be installed.
pub fn stop_asked() -> io::Result<impl Future<Output = &'static str> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}
