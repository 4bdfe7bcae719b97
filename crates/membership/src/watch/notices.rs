//! Tells that something changed in a directory: Linux's inotify.
//!
//! The directory and not the file, because a file that is replaced by renaming is another inode under the same name. What
//! changed is not looked at: whoever listens reads its file again, and a Kubernetes volume changes its files by renaming a
//! link with another name.
//!
//! Three calls of `rustix`, which is here already, rather than the crate `notify`: that brings four crates, a thread and
//! other systems' interfaces, for one directory on Linux. Where the kernel gives no watch (it counts them per user), there
//! are no notices until it does.

use std::future;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::io::unix::AsyncFd;

/// A file is new, was written, was renamed to its name or away from it, or is gone.
const WATCHED: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE);

/// Events are 16 bytes and a name of at most 255; several fit. They are read to be thrown away.
const BUFFER: usize = 4096;

/// Notices of changes in one directory.
pub(super) struct Notices {
    directory: PathBuf,
    events: Option<AsyncFd<OwnedFd>>,
    complained: bool,
}

impl Notices {
    pub(super) fn new(directory: &Path) -> Self {
        let mut notices = Self { directory: directory.to_owned(), events: None, complained: false };
        notices.renew();
        notices
    }

    /// Watches the directory that has the name now. Where that is the one that was watched, nothing changes.
    pub(super) fn renew(&mut self) {
        match self.try_renew() {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                self.complained = true;
                tracing::warn!(%error, directory = %self.directory.display(), "no notices of changes; the membership file is read again every few seconds");
            }
            Err(_) => {}
        }
    }

    fn try_renew(&mut self) -> io::Result<()> {
        let events = match self.events.take() {
            Some(events) => events,
            None => listen(inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?)?,
        };
        inotify::add_watch(events.get_ref(), &self.directory, WATCHED)?;
        self.events = Some(events);
        Ok(())
    }

    /// Comes back when something has changed.
    pub(super) async fn changed(&self) {
        let Some(events) = &self.events else { return future::pending().await };
        loop {
            let Ok(mut ready) = events.readable().await else { return future::pending().await };
            match ready.try_io(|events| drain(events.get_ref())) {
                Ok(_) => return,
                // Somebody woke us for nothing; the runtime waits again.
                Err(_) => continue,
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "a type may lie about its descriptor and `new` takes any; `OwnedFd` does not, and the successor is unsafe"
)]
fn listen(events: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(events)
}

/// Reads what there is. Only "nothing at all" is reported as such.
fn drain(events: &OwnedFd) -> io::Result<()> {
    let mut buffer = [MaybeUninit::uninit(); BUFFER];
    let mut reader = inotify::Reader::new(events, &mut buffer);
    reader.next()?;
    while reader.next().is_ok() {}
    Ok(())
}
