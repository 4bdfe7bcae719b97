//! What a person meets first: help, the configuration file and its mistakes, and a stop.
#![cfg(feature = "real-parts")]

use std::fs;

use anyhow::ensure;
use shardset_e2e::shardset::{Shardset, output};

#[test]
fn help_lists_the_verbs_and_every_flag_of_local() -> anyhow::Result<()> {
    let (status, text) = output(&["--help"])?;
    ensure!(status.success() && text.contains("local") && text.contains("load"), "{text}");
    let (status, text) = output(&["local", "--help"])?;
    ensure!(status.success());
    for flag in [
        "otlp-grpc",
        "otlp-http",
        "admin",
        "scrape",
        "workers",
        "data-dir",
        "export-interval",
        "remote-write",
        "export-otlp",
        "config",
    ] {
        ensure!(text.contains(&format!("--{flag} ")), "--{flag} is missing: {text}");
    }
    Ok(())
}

#[test]
fn an_unknown_key_of_the_configuration_file_is_an_error_that_names_the_nearest() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shardset.toml");
    fs::write(&path, "export-intervall = \"5s\"\n")?;
    let (status, text) = output(&["local", "--config", &path.display().to_string()])?;
    ensure!(!status.success() && text.contains("export-intervall") && text.contains("`export-interval`"), "{text}");
    Ok(())
}

#[test]
fn a_mistyped_flag_is_an_error_that_names_the_nearest() -> anyhow::Result<()> {
    let (status, text) = output(&["local", "--worker", "3"])?;
    ensure!(!status.success() && text.contains("--workers"), "{text}");
    Ok(())
}

#[tokio::test]
async fn the_configuration_file_sets_what_the_command_line_does_not() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shardset.toml");
    fs::write(&path, "workers = 2\nexport-interval = \"500ms\"\nnamespace = \"acme\"\n")?;
    let mut shardset = Shardset::start(&["--config", &path.display().to_string()]).await?;
    shardset.is_well().await?;
    shardset.stop().await
}

#[tokio::test]
async fn two_processes_do_not_share_a_data_folder() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().display().to_string();
    let mut first = Shardset::start(&["--data-dir", &data]).await?;
    ensure!(Shardset::start(&["--data-dir", &data]).await.is_err(), "the second one runs as well");
    first.is_well().await
}
