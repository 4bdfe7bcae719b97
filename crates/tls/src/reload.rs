//! Reading files again.
//!
//! A kubelet puts a new version of a Secret behind a symbolic link, and others write files in place: what both have in common is that
//! the bytes are others. They are few, so they are read every few seconds rather than watched. What can not be used, such as the
//! first half of a pair that is being replaced, is said once and passed over; what was read before stays in use.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use shardset_process::Tasks;
use shardset_process::logging::chain;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::files::{Contents, Files, TlsError};

/// A new certificate is in use after so long. They are renewed days before the old one ends.
const PAUSE: Duration = Duration::from_secs(10);

/// What was made of the files last.
pub(crate) type Current<T> = watch::Receiver<Arc<T>>;

/// What `make` makes of the files, now and whenever they are others.
pub(crate) fn reloaded<T: Send + Sync + 'static>(
    files: Files,
    tasks: &Tasks,
    make: impl Fn(&Files, &Contents) -> Result<T, TlsError> + Send + 'static,
) -> Result<Current<T>, TlsError> {
    let contents = files.read()?;
    let (sender, current) = watch::channel(Arc::new(make(&files, &contents)?));
    let name = format!("tls-{}", files.certificate.display());
    let (mut files, mut reload) = (files, Reload { last: contents, complained: None });
    let stop = tasks.stop();
    tasks.spawn(name, async move {
        while stop.run_until_cancelled(sleep(PAUSE)).await.is_some() {
            let read;
            (files, read) = read_aside(files).await;
            if let Some(made) = reload.take(&files, read, &make) {
                sender.send_replace(Arc::new(made));
            }
        }
        Ok::<(), Infallible>(())
    });
    Ok(current)
}

/// A file system that hangs must hold up nothing else.
async fn read_aside(files: Files) -> (Files, Result<Contents, TlsError>) {
    let work = tokio::task::spawn_blocking(move || {
        let read = files.read();
        (files, read)
    });
    work.await.expect("reading does not panic")
}

struct Reload {
    last: Contents,
    complained: Option<String>,
}

impl Reload {
    /// What is made of files that are not as before.
    fn take<T>(
        &mut self,
        files: &Files,
        read: Result<Contents, TlsError>,
        make: impl Fn(&Files, &Contents) -> Result<T, TlsError>,
    ) -> Option<T> {
        let made =
            read.and_then(
                |contents| {
                    if contents == self.last { Ok(None) } else { Ok(Some((make(files, &contents)?, contents))) }
                },
            );
        match made {
            Ok(None) => None,
            Ok(Some((made, contents))) => {
                tracing::info!(certificate = %files.certificate.display(), "a new certificate is in use");
                (self.last, self.complained) = (contents, None);
                Some(made)
            }
            Err(error) => {
                let why = chain(&error);
                if self.complained.as_ref() != Some(&why) {
                    tracing::warn!(error = why, "a new certificate can not be used; the one from before stays in use");
                }
                self.complained = Some(why);
                None
            }
        }
    }
}
