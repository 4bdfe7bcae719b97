//! Images as archives, made of programs that are built already: no engine, no registry, no base image.
//!
//! An image is a folder tree as its one layer, and what to run in it. A program that is linked dynamically brings the libraries
//! it was linked with ([`program()`]), so it runs whatever the machine has. The archive is an OCI image layout, which
//! `ctr images import` and `kind load image-archive` take. `tar`, `sha256sum` and `ldd` do the work: three calls instead of crates
//! that nothing else here needs.

mod archive;
mod program;

use std::path::Path;

pub use archive::write;
pub use program::program;

/// What an image says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// Name and tag, as in a pod.
    pub name: &'a str,
    /// What is run: a path in the image, and arguments that are always given.
    pub entrypoint: &'a [&'a str],
    /// By whom: a user's and a group's number.
    pub user: &'a str,
    /// Everything that is in it.
    pub root: &'a Path,
}
