//! One copy of what the streams of a metric share.
//!
//! A caller names a context by the digest it derives from a request; a decoded stream brings only the contents. So contexts
//! are kept by a digest of their contents, and the callers' digests are names for those: a stream that was restored and one
//! that arrived share their context.

use std::sync::Arc;

use hashbrown::HashTable;
use shardset_model::Context;
use xxhash_rust::xxh3::xxh3_128;

use crate::codec::write_identifying;

/// The contexts of a shard's streams.
#[derive(Clone, Default, Debug)]
pub struct Contexts {
    named: HashTable<Name>,
    kept: HashTable<Kept>,
    scratch: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Name {
    digest: u128,
    contents: u128,
}

#[derive(Clone, Debug)]
struct Kept {
    contents: u128,
    context: Arc<Context>,
}

impl Contexts {
    /// The context that the caller names `digest`; `make` is asked where it is not known.
    pub fn intern(&mut self, digest: u128, make: impl FnOnce() -> Context) -> Arc<Context> {
        if let Some(name) = self.named.find(digest as u64, |name| name.digest == digest)
            && let Some(kept) = find(&self.kept, name.contents)
        {
            return Arc::clone(kept);
        }
        let context = make();
        let contents = self.digest_of(&context);
        self.named.insert_unique(digest as u64, Name { digest, contents }, |name| name.digest as u64);
        self.keep(contents, context)
    }

    /// The kept twin of a context that came without a digest.
    pub(crate) fn adopt(&mut self, context: Context) -> Arc<Context> {
        let contents = self.digest_of(&context);
        self.keep(contents, context)
    }

    /// The context of which these bytes are what identifies it, if it is kept.
    pub(crate) fn written(&self, identifying: &[u8]) -> Option<Arc<Context>> {
        find(&self.kept, xxh3_128(identifying)).map(Arc::clone)
    }

    /// Number of contexts.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Forgets those that nobody uses.
    pub(crate) fn forget_unused(&mut self) {
        self.kept.retain(|kept| Arc::strong_count(&kept.context) > 1);
        let kept = &self.kept;
        self.named.retain(|name| find(kept, name.contents).is_some());
    }

    fn keep(&mut self, contents: u128, context: Context) -> Arc<Context> {
        if let Some(kept) = find(&self.kept, contents) {
            return Arc::clone(kept);
        }
        let context = Arc::new(context);
        let kept = Kept { contents, context: Arc::clone(&context) };
        self.kept.insert_unique(contents as u64, kept, |kept| kept.contents as u64);
        context
    }

    /// The description takes no part: it is not part of the identity, and the first one stays.
    fn digest_of(&mut self, context: &Context) -> u128 {
        self.scratch.clear();
        write_identifying(context, &mut self.scratch);
        xxh3_128(&self.scratch)
    }
}

fn find(kept: &HashTable<Kept>, contents: u128) -> Option<&Arc<Context>> {
    kept.find(contents as u64, |kept| kept.contents == contents).map(|kept| &kept.context)
}
