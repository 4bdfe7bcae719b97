//! The charts of the clone, rendered by the real Helm, and files that are made from them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::tool;

/// How the chart is installed.
pub const RELEASE: &[&str] = &["shardset", "charts/shardset", "--namespace", "shardset-system"];

/// The folder of the clone.
fn clone() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the clone.
///
/// # Errors
///
/// It can not be read.
pub fn read(file: &str) -> anyhow::Result<String> {
    fs::read_to_string(clone().join(file)).with_context(|| file.to_owned())
}

/// The files of a folder of the clone, by their paths in the clone.
///
/// # Errors
///
/// It can not be read.
pub fn names(folder: &str) -> anyhow::Result<Vec<String>> {
    let name = |entry: std::io::Result<fs::DirEntry>| Ok(format!("{folder}/{}", entry?.file_name().to_string_lossy()));
    fs::read_dir(clone().join(folder))?.map(name).collect()
}

/// Runs Helm in the clone; whether it succeeded, and all it said.
///
/// # Errors
///
/// It can not be run.
pub fn run_helm(arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    let home = tempfile::tempdir()?;
    let mut helm = Command::new(tool("SHARDSET_E2E_HELM")?);
    helm.current_dir(clone()).args(arguments);
    // Nothing of who runs this: no cluster, no plugins.
    for (variable, folder) in [
        ("KUBECONFIG", "none"),
        ("HELM_CACHE_HOME", "cache"),
        ("HELM_CONFIG_HOME", "config"),
        ("HELM_DATA_HOME", "data"),
    ] {
        helm.env(variable, home.path().join(folder));
    }
    let output = helm.output()?;
    let said = String::from_utf8([output.stdout, output.stderr].concat())?;
    Ok((output.status.success(), said))
}

/// Runs Helm in the clone; what it said.
///
/// # Errors
///
/// It failed.
pub fn helm(arguments: &[&str]) -> anyhow::Result<String> {
    let (succeeded, said) = run_helm(arguments)?;
    ensure!(succeeded, "helm {}: {said}", arguments.join(" "));
    Ok(said)
}

/// The objects of the chart, those of its test included.
///
/// # Errors
///
/// It can not be rendered.
pub fn render(flags: &[&str]) -> anyhow::Result<Vec<Value>> {
    let text = helm(&[&["template"], RELEASE, flags].concat())?;
    Ok(serde_saphyr::from_multiple(&text)?)
}

/// The object of this kind and name.
///
/// # Errors
///
/// There is none.
pub fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> anyhow::Result<&'a Value> {
    let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    objects.iter().find(is_it).with_context(|| format!("there is no {kind} {name}"))
}
