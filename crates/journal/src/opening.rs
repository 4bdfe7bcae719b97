//! Finding the log: which files are it, and whether they fit together.
//!
//! Nothing is written here but the manifest of an empty directory, so a shard whose disk is full or read-only starts and
//! can say so. Frames are looked at by the replay.

use std::sync::Arc;

use shardset_model::Incarnation;

use crate::cold::ColdStore;
use crate::error::{Damage, FileError, OpenError};
use crate::format::{Invalid, Manifest, Owner, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::manifest;
use crate::name::{self, LOCK, MANIFEST};
use crate::segment::Link;
use crate::settings::Settings;
use crate::storage::Storage;
use crate::window::Window;

/// A log that was found and is not read yet. Holds the lock of the directory.
#[derive(Debug)]
pub struct Opening<S: Storage> {
    pub(crate) storage: S,
    pub(crate) lock: Arc<S::Lock>,
    pub(crate) settings: Settings,
    pub(crate) manifest: Manifest,
    /// The log's segments in order. How far the last one is durable is known by the replay only; until then its end is
    /// what was durable when it became part of the log.
    pub(crate) chain: Vec<Link>,
    /// Segments that are no part of the log: begun in vain, or older than the checkpoint.
    pub(crate) strays: Vec<u64>,
    /// Numbers of the files of the cold store.
    cold: Vec<u32>,
    is_new: bool,
}

impl<S: Storage> Opening<S> {
    pub(crate) fn find(storage: S, settings: Settings, if_empty: Incarnation) -> Result<Self, OpenError> {
        let failed = |what, name| FileError::at(&storage, what, name);
        let lock = storage.lock(LOCK).map_err(failed("lock", LOCK))?;
        let lock = lock.ok_or_else(|| OpenError::Locked { path: storage.path(LOCK) })?;
        // What is seen here may be what a process left in the system's memory when it died. From now on it is on the disk.
        storage.sync_directory().map_err(failed("sync the directory of", MANIFEST))?;
        let names = storage.list().map_err(failed("list the directory of", MANIFEST))?;
        let segments: Vec<u64> = names.iter().filter_map(|name| name::segment_number(name)).collect();
        let cold: Vec<u32> = names.iter().filter_map(|name| name::cold_number(name)).collect();
        let found = manifest::read(&storage)?;
        if found.is_none() && (!segments.is_empty() || !cold.is_empty()) {
            return Err(OpenError::Missing { path: storage.path(MANIFEST), named_by: "the log".to_owned() });
        }
        let manifest = match found {
            Some(manifest) => manifest,
            None => begin(&storage, Owner { shard: settings.shard.get(), incarnation: if_empty })?,
        };
        check_shard(&storage, MANIFEST, manifest.owner, settings)?;
        let chain = chain(&storage, &manifest)?;
        let strays = segments.into_iter().filter(|number| chain.iter().all(|link| link.number != *number)).collect();
        let (lock, is_new) = (Arc::new(lock), found.is_none());
        Ok(Self { storage, lock, settings, manifest, chain, strays, cold, is_new })
    }

    /// The life of this disk: the one given for an empty directory, if it was empty.
    pub fn incarnation(&self) -> Incarnation {
        self.manifest.owner.incarnation
    }

    /// Whether the directory was empty: there is nothing to replay, and there never was.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The cold store of the same directory. To be asked for once.
    ///
    /// # Errors
    ///
    /// Its files can not be looked at.
    pub fn cold_store(&self) -> Result<ColdStore<S>, OpenError> {
        let owner = self.manifest.owner;
        Ok(ColdStore::find(self.storage.clone(), Arc::clone(&self.lock), owner, &self.settings, &self.cold)?)
    }
}

/// Makes an empty directory that of a new incarnation. Before anything else is in it: a manifest that is missing later is
/// then always a loss.
fn begin<S: Storage>(storage: &S, owner: Owner) -> Result<Manifest, FileError> {
    let manifest = Manifest::empty(owner);
    manifest::prepare(storage, &manifest)?;
    manifest::publish(storage)?;
    Ok(manifest)
}

fn check_shard<S: Storage>(storage: &S, name: &str, owner: Owner, settings: Settings) -> Result<(), OpenError> {
    let (found, expected) = (owner.shard, settings.shard.get());
    if found == expected { Ok(()) } else { Err(OpenError::OtherShard { path: storage.path(name), found, expected }) }
}

/// The segments from the first to the last that the manifest names, by their headers from the last one back.
fn chain<S: Storage>(storage: &S, manifest: &Manifest) -> Result<Vec<Link>, OpenError> {
    let mut chain = Vec::new();
    if manifest.last == 0 {
        return Ok(chain);
    }
    let (mut number, mut end, mut named_by) = (manifest.last, None, MANIFEST.to_owned());
    loop {
        let header = header(storage, number, manifest.owner, named_by)?;
        chain.push(Link { number, end: end.unwrap_or(header.established) });
        if number == manifest.first {
            break;
        }
        let name = name::segment(number);
        if header.previous < manifest.first || header.previous >= number {
            let what = "the segment that it continues can not be part of the log";
            return Err(Damage { path: storage.path(&name), offset: 0, what }.into());
        }
        (number, end, named_by) = (header.previous, Some(header.previous_end), name);
    }
    chain.reverse();
    Ok(chain)
}

fn header<S: Storage>(storage: &S, number: u64, owner: Owner, named_by: String) -> Result<SegmentHeader, OpenError> {
    let name = name::segment(number);
    let path = || storage.path(&name);
    let damaged = |what| Damage { path: path(), offset: 0, what };
    let Some(mut window) = Window::open(storage, &name)? else {
        return Err(OpenError::Missing { path: path(), named_by });
    };
    let bytes = window.get(0, SEGMENT_HEADER_BYTES as u64)?;
    let bytes = <&[u8; SEGMENT_HEADER_BYTES]>::try_from(bytes).map_err(|_| damaged("its header is cut off"))?;
    let header = SegmentHeader::decode(bytes).map_err(|invalid| match invalid {
        Invalid::Damaged(what) => damaged(what).into(),
        Invalid::Version(version) => OpenError::Version { path: path(), version },
    })?;
    let (found, expected) = (header.owner.incarnation, owner.incarnation);
    if found != expected {
        return Err(OpenError::OtherIncarnation { path: path(), found, expected });
    }
    if header.owner.shard != owner.shard || header.number != number {
        return Err(damaged("its header is of another segment").into());
    }
    Ok(header)
}
