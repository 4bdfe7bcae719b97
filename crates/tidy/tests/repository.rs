//! Every rule, over every file of the repository that is tracked or about to be.

#![allow(clippy::unwrap_used, reason = "test code: a broken repository may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, MetadataCommand};
use shardset_tidy::graph::{self, Package};
use shardset_tidy::source::Source;
use shardset_tidy::{Finding, habits, naming, opening, purity, size, street, words};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Text files known to git or new and not ignored, as (path, text).
fn files() -> Vec<(String, String)> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let listing = Command::new("git").args(arguments).current_dir(root()).output().unwrap();
    assert!(listing.status.success(), "git ls-files failed");
    let paths = String::from_utf8(listing.stdout).unwrap();
    let read = |path: &str| Some((path.to_owned(), std::fs::read_to_string(root().join(path)).ok()?));
    paths.lines().filter_map(read).collect()
}

fn rust_files() -> Vec<(String, String)> {
    files().into_iter().filter(|(path, _)| path.ends_with(".rs")).collect()
}

fn sources() -> Vec<Source> {
    rust_files().iter().map(|(path, text)| Source::parse(path, text).unwrap_or_else(|f| panic!("{f}"))).collect()
}

fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().unwrap();
    let folder =
        |manifest: &Path| manifest.parent().unwrap().strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let built = |kind| kind != DependencyKind::Development;
    let package = |package: &cargo_metadata::Package| Package {
        name: package.name.to_string(),
        folder: folder(package.manifest_path.as_std_path()),
        dependencies: package.dependencies.iter().filter(|d| built(d.kind)).map(|d| d.name.clone()).collect(),
    };
    metadata.packages.iter().map(package).collect()
}

fn check(findings: impl IntoIterator<Item = Finding>) {
    let findings: Vec<String> = findings.into_iter().map(|finding| finding.to_string()).collect();
    assert!(findings.is_empty(), "{} found:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn every_source_file_opens_with_what_it_is() {
    check(rust_files().iter().flat_map(|(path, text)| opening::findings(path, text)));
}

#[test]
fn no_file_is_named_for_nothing() {
    check(rust_files().iter().flat_map(|(path, _)| naming::findings(path)));
}

#[test]
fn files_and_functions_stay_short() {
    check(sources().iter().flat_map(|source| size::findings(source, size::EXEMPT)));
    assert_eq!(size::stale(&sources(), size::EXEMPT), Vec::<&str>::new());
}

#[test]
fn no_test_is_ignored_no_code_unfinished_no_exemption_silent() {
    check(sources().iter().flat_map(habits::findings));
}

#[test]
fn pure_crates_touch_no_clock_no_chance_and_no_machine() {
    check(sources().iter().flat_map(purity::findings));
}

#[test]
fn no_stage_imports_a_later_one() {
    check(sources().iter().flat_map(street::findings));
}

#[test]
fn no_file_names_a_registry_or_one_machine() {
    check(files().iter().flat_map(|(path, text)| words::findings(path, text)));
}

#[test]
fn crates_depend_only_along_the_table() {
    check(packages().iter().flat_map(graph::findings));
}

#[test]
fn packages_are_called_after_their_folders_and_take_the_shared_lints() {
    check(packages().iter().flat_map(|package| naming::package_findings(&package.folder, &package.name)));
    let manifests = files().into_iter().filter(|(path, _)| path.ends_with("Cargo.toml"));
    check(manifests.flat_map(|(path, text)| graph::lints_findings(&path, &text)));
}
