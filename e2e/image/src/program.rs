//! A program with the libraries it was linked with, in a folder tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::archive::output;

/// Puts the program at `path` of the tree, and the libraries that it needs where its loader looks for them.
///
/// # Errors
///
/// The file system's, or `ldd`'s.
pub fn program(built: &Path, root: &Path, path: &str) -> anyhow::Result<()> {
    place(built, &root.join(path.trim_start_matches('/')))?;
    for library in libraries(built)? {
        let at = root.join(library.strip_prefix("/").context("a library has a whole path")?);
        place(&library, &at)?;
    }
    Ok(())
}

fn place(from: &Path, to: &Path) -> anyhow::Result<()> {
    let folder = to.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder)?;
    fs::copy(from, to).with_context(|| format!("can not copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn libraries(built: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut ldd = Command::new("ldd");
    ldd.arg(built);
    match output(ldd) {
        Ok(listed) => Ok(listed.lines().filter_map(library).collect()),
        Err(error) if error.to_string().contains("not a dynamic executable") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The library of a line such as `libc.so.6 => /lib/libc.so.6 (0x0)`, or `/lib64/ld-linux.so.2 (0x0)` for the loader. The kernel's
/// own one is in no file.
fn library(line: &str) -> Option<PathBuf> {
    let place = line.split_once("=>").map_or(line, |(_, place)| place);
    let path = place.trim().rsplit_once(" (").map_or(place.trim(), |(path, _)| path);
    path.starts_with('/').then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{library, program};

    #[test]
    fn a_line_of_ldd_names_a_library_or_none() {
        let table = [
            ("\tlinux-vdso.so.1 (0x00007ffd)", None),
            ("\tlibc.so.6 => /lib/x/libc.so.6 (0x00007f)", Some("/lib/x/libc.so.6")),
            ("\t/lib64/ld-linux-x86-64.so.2 (0x00007f)", Some("/lib64/ld-linux-x86-64.so.2")),
            ("\tstatically linked", None),
        ];
        for (line, expected) in table {
            assert_eq!(library(line), expected.map(PathBuf::from), "{line}");
        }
    }

    #[test]
    fn a_program_brings_what_it_needs() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let this = std::env::current_exe().expect("a test is a program");
        program(&this, root.path(), "/usr/bin/it").expect("it is placed");
        assert!(root.path().join("usr/bin/it").exists());
        let listed = super::libraries(&this).expect("a list");
        assert!(listed.iter().all(|library| root.path().join(library.strip_prefix("/").expect("whole")).exists()));
    }
}
