//! Giving back the blocks of files that have lost their name, slowly enough for nobody to notice.
//!
//! Freeing blocks keeps a core and the file system's own journal busy, and a sync that comes meanwhile waits for it. So a file
//! gets shorter by a step at a time, with a pause after each. A file that has another name, such as that of a backup by hard
//! links, is left as it is. What a process that ends has not given back yet, the file system does.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

/// What is freed at a time: 1 ms or so.
const STEP_BYTES: u64 = 4 << 20;
/// After each step: 400 MiB are given back in a second, more than a log grows by.
const PAUSE: Duration = Duration::from_millis(10);

/// Files that wait, at most: 4 GiB of segments, some times a whole log; each is an open file of the process.
const WAITING_MAX: usize = 64;

/// A thread that begins with the first file, and ends after the last when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Release(OnceLock<Option<mpsc::SyncSender<File>>>);

impl Release {
    /// Closes `file`, which has no name any more, once its blocks are given back. Here and now where the
    /// thread can not.
    pub(super) fn give_back(&self, file: File) {
        if let Some(thread) = self.0.get_or_init(begin) {
            let _closed_with_the_error = thread.try_send(file);
        }
    }
}

fn begin() -> Option<mpsc::SyncSender<File>> {
    let (sender, files) = mpsc::sync_channel(WAITING_MAX);
    let thread = thread::Builder::new().name("release".to_owned());
    let begun = thread.spawn(move || files.into_iter().for_each(|file| shorten(&file)));
    begun.ok().map(|_| sender)
}

/// Frees the blocks from the end on, where nobody else can want them. Where that fails, closing the file frees the rest.
fn shorten(file: &File) {
    let nameless = file.metadata().ok().filter(|metadata| metadata.nlink() == 0);
    let mut length = nameless.map_or(0, |metadata| metadata.len());
    while length > STEP_BYTES {
        length -= STEP_BYTES;
        if file.set_len(length).is_err() {
            return;
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_last_step_is_given_back_before_the_file_is_closed() {
        let file = tempfile::tempfile().unwrap();
        for (length, left) in [(0, 0), (STEP_BYTES, STEP_BYTES), (3 * STEP_BYTES + 1, 1)] {
            file.set_len(length).unwrap();
            shorten(&file);
            assert_eq!(file.metadata().unwrap().len(), left);
        }
    }

    #[test]
    fn a_file_that_has_another_name_keeps_its_bytes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(3 * STEP_BYTES).unwrap();
        shorten(file.as_file());
        assert_eq!(file.as_file().metadata().unwrap().len(), 3 * STEP_BYTES);
    }
}
