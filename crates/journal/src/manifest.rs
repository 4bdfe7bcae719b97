//! The manifest's file: replaced as a whole, so that after a crash there is the one before or the new one.
//!
//! In two steps, because they fail differently. After [`prepare`] failed, the manifest is surely the one before. After
//! [`publish`] failed, it may be either one, and both must be good.

use crate::error::{Damage, FileError, OpenError};
use crate::format::{Invalid, MANIFEST_BYTES, Manifest};
use crate::name::{MANIFEST, MANIFEST_NEXT};
use crate::storage::Storage;
use crate::window::Window;

/// Reads the manifest; `None` where there is none.
pub(crate) fn read<S: Storage>(storage: &S) -> Result<Option<Manifest>, OpenError> {
    let path = || storage.path(MANIFEST);
    let damaged = |what| Damage { path: path(), offset: 0, what };
    let Some(mut window) = Window::open(storage, MANIFEST)? else { return Ok(None) };
    let bytes = window.get(0, window.size())?;
    let bytes = <&[u8; MANIFEST_BYTES]>::try_from(bytes).map_err(|_| damaged("it does not have the right length"))?;
    match Manifest::decode(bytes) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(Invalid::Damaged(what)) => Err(damaged(what).into()),
        Err(Invalid::Version(version)) => Err(OpenError::Version { path: path(), version }),
    }
}

/// Writes the next manifest beside the one that holds.
pub(crate) fn prepare<S: Storage>(storage: &S, manifest: &Manifest) -> Result<(), FileError> {
    let failed = |what| FileError::at(storage, what, MANIFEST_NEXT);
    let mut file = storage.create(MANIFEST_NEXT).map_err(failed("create"))?;
    storage.append(&mut file, &manifest.encode(), &[]).map_err(failed("write"))?;
    storage.sync_data(&file).map_err(failed("sync"))
}

/// Puts the prepared manifest in its place, durably.
pub(crate) fn publish<S: Storage>(storage: &S) -> Result<(), FileError> {
    let failed = |what| FileError::at(storage, what, MANIFEST);
    storage.rename(MANIFEST_NEXT, MANIFEST).map_err(failed("replace"))?;
    storage.sync_directory().map_err(failed("sync the directory of"))
}
