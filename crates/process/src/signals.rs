//! The signals that ask a process to stop: SIGTERM (Kubernetes, systemd) and SIGINT (a person).

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for either signal and says which it was.
///
/// # Errors
///
/// Where the handlers can not be installed.
pub async fn stop_asked() -> io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
