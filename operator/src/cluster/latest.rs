//! The slice that is published: what was written, until the watch brings it, or something later, or its end.

use std::sync::Arc;

use k8s_openapi::api::discovery::v1::EndpointSlice;

/// What is known of one slice.
#[derive(Default)]
pub(super) struct Latest {
    watched: Option<Arc<EndpointSlice>>,
    /// What was written last, as long as the watch has not brought it.
    written: Option<Arc<EndpointSlice>>,
}

impl Latest {
    /// The watch says so.
    pub(super) fn watch(&mut self, watched: Option<Arc<EndpointSlice>>) {
        let is_gone = watched.is_none() && self.watched.is_some();
        let is_brought = match (&watched, &self.written) {
            // Versions of one object may be compared; where they are no numbers the watch is believed.
            (Some(watched), Some(written)) => {
                watched.metadata.uid != written.metadata.uid || version(watched) >= version(written)
            }
            _ => false,
        };
        if is_gone || is_brought {
            self.written = None;
        }
        self.watched = watched;
    }

    /// It was written, and the API server said so.
    pub(super) fn write(&mut self, written: EndpointSlice) {
        self.written = Some(Arc::new(written));
    }

    /// It could not be written, because what was known of it is not so any more: what the watch says next counts.
    pub(super) fn lose(&mut self) {
        self.written = None;
    }

    /// The slice that is published.
    pub(super) fn current(&self) -> Option<&Arc<EndpointSlice>> {
        self.written.as_ref().or(self.watched.as_ref())
    }
}

fn version(slice: &EndpointSlice) -> Option<u64> {
    slice.metadata.resource_version.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::discovery::v1::EndpointSlice;
    use kube::core::ObjectMeta;

    use super::{Latest, version};

    fn slice(uid: &str, version: u64) -> EndpointSlice {
        let metadata = ObjectMeta {
            uid: Some(uid.to_owned()),
            resource_version: Some(version.to_string()),
            ..ObjectMeta::default()
        };
        EndpointSlice { metadata, ..EndpointSlice::default() }
    }

    #[test]
    fn what_was_written_counts_until_the_watch_has_it_and_what_is_deleted_is_gone() {
        let mut latest = Latest::default();
        let watch = |latest: &mut Latest, watched: Option<EndpointSlice>| {
            latest.watch(watched.map(Arc::new));
            latest.current().and_then(|slice| version(slice))
        };
        assert_eq!(watch(&mut latest, None), None);
        latest.write(slice("a", 5));
        assert_eq!(watch(&mut latest, None), Some(5), "it is not brought yet");
        assert_eq!(watch(&mut latest, Some(slice("a", 5))), Some(5));
        latest.write(slice("a", 9));
        assert_eq!(watch(&mut latest, Some(slice("a", 5))), Some(9), "it is not brought yet");
        assert_eq!(watch(&mut latest, Some(slice("a", 12))), Some(12), "something later");
        assert_eq!(watch(&mut latest, None), None, "somebody deleted it");
        latest.write(slice("b", 20));
        assert_eq!(watch(&mut latest, Some(slice("c", 15))), Some(15), "somebody made another one");
        latest.write(slice("c", 30));
        assert_eq!(watch(&mut latest, None), None, "deleted before the last write was brought");
        latest.write(slice("d", 40));
        latest.lose();
        assert_eq!(watch(&mut latest, Some(slice("d", 39))), Some(39));
    }
}
