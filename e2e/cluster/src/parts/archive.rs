//! The image of the one container that each pod has, made of one static program: there is no registry to pull it from.

use std::fs;
use std::path::{Path, PathBuf};

use shardset_image::{Image, program, write};

/// What the image is called.
pub(crate) const NAME: &str = "shardset.invalid/pause:1";

/// Writes the archive, in a folder of its own below `folder`, and returns where it is.
pub(crate) fn pause(built: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let (root, archive) = (folder.join("root"), folder.join("pause.tar"));
    fs::create_dir_all(&root)?;
    program(built, &root, "/pause")?;
    write(Image { name: NAME, entrypoint: &["/pause"], user: "65535:65535", root: &root }, &archive)?;
    Ok(archive)
}
