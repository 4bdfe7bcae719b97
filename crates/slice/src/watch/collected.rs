//! The objects that one watch knows, as they are now.

use std::collections::BTreeMap;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::runtime::watcher::{self, Event};

/// Slices by their names.
#[derive(Default)]
pub(super) struct Collected {
    known: BTreeMap<String, EndpointSlice>,
    /// A new list, which counts when it is whole.
    coming: BTreeMap<String, EndpointSlice>,
    complained: bool,
    whole: bool,
}

impl Collected {
    /// Takes what happened; whether something may be different now.
    pub(super) fn take(&mut self, event: watcher::Result<Event<EndpointSlice>>) -> bool {
        match event {
            Ok(event) => {
                // A list that is begun again after an error is no success yet.
                self.complained &= matches!(event, Event::Init);
                self.change(event)
            }
            Err(error) => {
                if !self.complained {
                    let error = shardset_process::logging::chain(&error);
                    tracing::warn!(error, "the API server does not say what is published; the last membership stays");
                }
                self.complained = true;
                false
            }
        }
    }

    fn change(&mut self, event: Event<EndpointSlice>) -> bool {
        match event {
            Event::Init => {
                self.coming.clear();
                return false;
            }
            Event::InitApply(slice) => {
                self.coming.insert(slice.name_any(), slice);
                return false;
            }
            Event::InitDone => {
                self.known = std::mem::take(&mut self.coming);
                self.whole = true;
            }
            Event::Apply(slice) => drop(self.known.insert(slice.name_any(), slice)),
            Event::Delete(slice) => drop(self.known.remove(&slice.name_any())),
        }
        true
    }

    /// Whether a list was whole once: nothing there is then an answer as well.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// All of them, in the order of their names.
    pub(super) fn slices(&self) -> impl Iterator<Item = &EndpointSlice> {
        self.known.values()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::discovery::v1::EndpointSlice;
    use kube::core::ObjectMeta;
    use kube::runtime::watcher::{Error, Event};

    use super::Collected;

    fn slice(name: &str) -> EndpointSlice {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        EndpointSlice { metadata, ..EndpointSlice::default() }
    }

    #[test]
    fn what_was_known_stays_until_a_new_list_is_whole() {
        let mut collected = Collected::default();
        let mut names_after = |event| {
            let news = collected.take(event);
            (news, collected.slices().map(|slice| slice.metadata.name.clone().unwrap()).collect::<Vec<_>>().join(" "))
        };
        let (nothing, a, ab, b) = (String::new(), "a".to_owned(), "a b".to_owned(), "b".to_owned());
        assert_eq!(names_after(Ok(Event::Init)), (false, nothing.clone()));
        assert_eq!(names_after(Ok(Event::InitApply(slice("a")))), (false, nothing));
        assert_eq!(names_after(Ok(Event::InitDone)), (true, a.clone()));
        assert_eq!(names_after(Ok(Event::Apply(slice("b")))), (true, ab.clone()));
        assert_eq!(names_after(Err(Error::NoResourceVersion)), (false, ab.clone()));
        assert_eq!(names_after(Ok(Event::Init)), (false, ab.clone()));
        assert_eq!(names_after(Ok(Event::InitApply(slice("b")))), (false, ab.clone()));
        assert_eq!(names_after(Ok(Event::Init)), (false, ab), "a list that was broken off does not count");
        assert!(!names_after(Ok(Event::InitApply(slice("a")))).0);
        assert_eq!(names_after(Ok(Event::InitDone)), (true, a));
        assert!(names_after(Ok(Event::Apply(slice("b")))).0);
        assert_eq!(names_after(Ok(Event::Delete(slice("a")))), (true, b));
    }

    #[test]
    fn a_list_of_nothing_is_an_answer_when_it_is_whole() {
        let mut collected = Collected::default();
        for (event, expected) in
            [(Err(Error::NoResourceVersion), false), (Ok(Event::Init), false), (Ok(Event::InitDone), true)]
        {
            collected.take(event);
            assert_eq!(collected.is_whole(), expected);
        }
    }
}
