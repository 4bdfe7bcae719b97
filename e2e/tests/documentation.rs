//! Pages that say what the binary does say what it does today.

use std::fs;

use anyhow::{Context, ensure};
use shardset_e2e::documentation::{check, flags, metrics};
use shardset_e2e::shardset::{Shardset, output};

#[test]
fn the_page_of_settings_lists_every_flag_with_its_default() -> anyhow::Result<()> {
    let (status, help) = output(&["local", "--help"])?;
    ensure!(status.success(), "{help}");
    check("configuration.md", &flags(&help))
}

#[test]
fn the_page_of_settings_names_every_key_of_a_destination() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shardset.toml");
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md"))?;
    for (inside, wrong) in
        [("", "no-such-key = 1"), ("basic-auth", "basic-auth = { x = 1 }"), ("tls", "tls = { x = 1 }")]
    {
        fs::write(&path, format!("[[remote-write]]\nurl = \"http://127.0.0.1/\"\n{wrong}\n"))?;
        let (status, text) = output(&["local", "--config", &path.display().to_string()])?;
        ensure!(!status.success());
        // The parser names what it would have taken: "expected one of `url`, `timeout`".
        let (_, known) = text.split_once("expected one of ").with_context(|| format!("{inside}: {text}"))?;
        for key in known.lines().next().unwrap_or_default().split('`').skip(1).step_by(2) {
            ensure!(page.contains(&format!("`{key}`")), "{inside} {key} is not on the page");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_page_of_metrics_lists_every_metric() -> anyhow::Result<()> {
    // A destination has metrics of its own; that nobody listens there does not matter.
    let shardset = Shardset::start(&["--remote-write", "http://127.0.0.1:9/api/v1/write"]).await?;
    check("metrics.md", &metrics(&shardset.own_metrics().await?.text))
}
