//! A folder tree becomes an OCI image layout in a tar file.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::Image;

/// Writes the image as an archive.
///
/// # Errors
///
/// The file system's or a program's, with what was to be done.
pub fn write(image: Image<'_>, archive: &Path) -> anyhow::Result<()> {
    let work = tempfile::tempdir().context("a temporary folder")?;
    let layout = work.path().join("layout");
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let layer = work.path().join("layer.tar");
    pack(image.root, &layer)?;
    let layer = blob(&blobs, &layer, "application/vnd.oci.image.layer.v1.tar")?;
    let config = text(work.path(), &blobs, &config(image, &layer), "application/vnd.oci.image.config.v1+json")?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [layer],
    });
    let mut manifest = text(work.path(), &blobs, &manifest, "application/vnd.oci.image.manifest.v1+json")?;
    manifest["annotations"] = json!({
        "io.containerd.image.name": image.name,
        "org.opencontainers.image.ref.name": image.name,
    });
    fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string())?;
    fs::write(layout.join("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
    pack(&layout, archive)
}

/// A layer that is not compressed is its own difference to what is below it.
fn config(image: Image<'_>, layer: &Value) -> Value {
    json!({
        "architecture": architecture(),
        "os": "linux",
        "config": { "Entrypoint": image.entrypoint, "User": image.user },
        "rootfs": { "type": "layers", "diff_ids": [layer["digest"]] },
    })
}

/// In the words of images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The same tree makes the same archive: names in order, owned by root, of no time.
fn pack(folder: &Path, archive: &Path) -> anyhow::Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-cf"]).arg(archive);
    tar.arg("-C").arg(folder).arg(".");
    output(tar).map(drop)
}

fn text(folder: &Path, blobs: &Path, value: &Value, kind: &str) -> anyhow::Result<Value> {
    let file = folder.join("text");
    fs::write(&file, value.to_string())?;
    blob(blobs, &file, kind)
}

/// Moves a file to where its digest leads, and describes it.
fn blob(blobs: &Path, file: &Path, kind: &str) -> anyhow::Result<Value> {
    let mut sum = Command::new("sha256sum");
    sum.arg(file);
    let sum = output(sum)?;
    let digest = sum.split_once(' ').context("a sum begins with a digest")?.0;
    let size = fs::metadata(file)?.len();
    fs::rename(file, blobs.join(digest))?;
    Ok(json!({ "mediaType": kind, "digest": format!("sha256:{digest}"), "size": size }))
}

/// What a program says, if it ends well.
pub(crate) fn output(mut command: Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("can not run {name}"))?;
    let shown = command.get_args().map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "failed: {name} {shown}: {}", said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::{output, write};
    use crate::Image;

    #[test]
    fn an_archive_names_the_image_holds_what_it_names_and_is_the_same_each_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("root");
        fs::create_dir(&root).and_then(|()| fs::write(root.join("program"), "not really")).expect("it is written");
        let image = Image { name: "test.invalid/it:1", entrypoint: &["/program"], user: "1:1", root: &root };
        let [first, second] = ["first.tar", "second.tar"].map(|name| folder.path().join(name));
        write(image, &first).expect("an archive");
        write(image, &second).expect("another one");
        assert!(fs::read(&first).expect("it is there") == fs::read(&second).expect("it is there"));
        let mut list = Command::new("tar");
        list.arg("-tf").arg(&first);
        let listed = output(list).expect("a list");
        let blobs = listed.lines().filter(|name| name.contains("sha256/") && !name.ends_with('/'));
        assert_eq!(blobs.count(), 3, "{listed}");
        let mut index = Command::new("tar");
        index.arg("-xOf").arg(&first).arg("./index.json");
        assert!(output(index).expect("an index").contains("test.invalid/it:1"));
    }
}
