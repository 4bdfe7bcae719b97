//! `cargo xtask image`: the image of the product as an archive, made of the binary that is built here.
//!
//! The same as what `Dockerfile` makes, without an engine: one program, the libraries it is linked with, the certificates to trust,
//! a user that is not root, and no shell.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use shardset_image::{Image, program, write};

use crate::cache::Cache;
use crate::report;
use crate::suite::cargo;

/// `nonroot`, as in the Dockerfile and in the pods.
const USER: &str = "65532:65532";
const PROGRAM: &str = "/usr/bin/shardset";
/// Where Debian and its kin keep the certificates that programs trust.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

/// Builds the binary, and writes the archive of its image.
pub(crate) fn run(cache: &Cache, name: &str, archive: &Path, is_dev: bool) -> anyhow::Result<()> {
    let profile = if is_dev { "dev" } else { "release" };
    let build = ["build", "--package", "shardset", "--profile", profile];
    let mut build = cargo(&build);
    build.current_dir(cache.in_clone("."));
    ensure!(report::run(build), "shardset can not be built");
    of_binary(&built(if is_dev { "debug" } else { "release" })?, name, archive)
}

/// Writes the archive of an image that has this program and runs it.
pub(crate) fn of_program(built: &Path, name: &str, archive: &Path) -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    program(built, root.path(), "/program")?;
    write(Image { name, entrypoint: &["/program"], user: USER, root: root.path() }, archive)
}

/// Writes the archive of an image with this binary.
pub(crate) fn of_binary(binary: &Path, name: &str, archive: &Path) -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    program(binary, root, PROGRAM)?;
    let mut strip = Command::new("strip");
    strip.arg("--strip-debug").arg(root.join(PROGRAM.trim_start_matches('/')));
    ensure!(report::run(strip), "the binary can not be stripped of its debug information");
    let certificates = Path::new("/").join(CERTIFICATES);
    if certificates.exists() {
        fs::create_dir_all(root.join("etc/ssl/certs"))?;
        fs::copy(&certificates, root.join(CERTIFICATES)).context("can not copy the certificates to trust")?;
    }
    fs::create_dir_all(root.join("etc"))?;
    fs::write(root.join("etc/passwd"), "nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n")
        .context("can not name the user")?;
    write(Image { name, entrypoint: &[PROGRAM], user: USER, root }, archive)
}

/// The binary of a profile: beside this program, or in the folder beside that one.
pub(crate) fn built(profile: &str) -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("where this program is")?;
    let profiles = this.parent().and_then(Path::parent).context("a program stands in the folder of its profile")?;
    Ok(profiles.join(profile).join("shardset"))
}
