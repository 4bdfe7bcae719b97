//! Pages that say what the binary does say what it does today.
#![cfg(feature = "real-parts")]

use std::fs;

use anyhow::{Context, ensure};
use shardset_e2e::documentation::{check, check_whole, flags, metrics, sources};
use shardset_e2e::otlp::{self, Delta};
use shardset_e2e::shardset::{PATIENCE, Shardset, output};
use shardset_e2e::{ports, wait};

#[test]
fn the_page_of_settings_lists_every_flag_with_its_default() -> anyhow::Result<()> {
    let (status, help) = output(&["local", "--help"])?;
    ensure!(status.success(), "{help}");
    check("configuration.md", |_| flags(&help))
}

#[test]
fn the_page_of_settings_names_every_flag_of_the_other_verbs() -> anyhow::Result<()> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md"))?;
    for verb in ["worker", "gateway", "operator", "scale", "status"] {
        let (status, help) = output(&[verb, "--help"])?;
        ensure!(status.success(), "{help}");
        for row in flags(&help).lines().skip(2) {
            let flag = row.split('`').nth(1).context("a row begins with its flag")?;
            ensure!(page.contains(&format!("`{flag}`")), "{verb} --{flag} is not on the page");
        }
    }
    Ok(())
}

#[test]
fn the_page_of_settings_names_every_key_of_a_destination() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shardset.toml");
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md"))?;
    for kind in ["remote-write", "export-otlp"] {
        for (inside, wrong) in
            [("", "no-such-key = 1"), ("basic-auth", "basic-auth = { x = 1 }"), ("tls", "tls = { x = 1 }")]
        {
            fs::write(&path, format!("[[{kind}]]\nurl = \"http://127.0.0.1/\"\n{wrong}\n"))?;
            let (status, text) = output(&["local", "--config", &path.display().to_string()])?;
            ensure!(!status.success());
            // The parser names what it would have taken: "expected one of `url`, `timeout`".
            let (_, known) = text.split_once("expected one of ").with_context(|| format!("{kind} {inside}: {text}"))?;
            for key in known.lines().next().unwrap_or_default().split('`').skip(1).step_by(2) {
                ensure!(page.contains(&format!("`{key}`")), "{kind} {inside} {key} is not on the page");
            }
        }
    }
    Ok(())
}

#[test]
fn the_manifest_of_the_resource_is_made_from_the_types() -> anyhow::Result<()> {
    let (status, manifest) = output(&["crd"])?;
    ensure!(status.success(), "{manifest}");
    check_whole("crds/metricsshardsets.yaml", "documentation", &manifest)
}

#[test]
fn the_page_of_metrics_lists_those_of_the_operator_with_their_help() -> anyhow::Result<()> {
    let clone = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let page = fs::read_to_string(format!("{clone}/docs/metrics.md"))?;
    let source = fs::read_to_string(format!("{clone}/operator/src/metrics.rs"))?;
    let names = source.split('"').filter(|text| text.starts_with("shardset_operator_"));
    let names: Vec<&str> = names.collect();
    ensure!(names.len() == 7, "{names:?}");
    for name in names {
        let row = page
            .lines()
            .find(|line| [format!("`{name}`"), format!("`{name}_total`")].iter().any(|at| line.contains(at)));
        let row = row.with_context(|| format!("{name} is not on the page"))?;
        let meaning = row.rsplit(" | ").next().unwrap_or_default().trim_end_matches(" |");
        let help = meaning.split(": `").next().unwrap_or_default();
        ensure!(source.contains(help), "{name}: {help}");
    }
    Ok(())
}

#[tokio::test]
async fn the_page_of_metrics_lists_every_metric() -> anyhow::Result<()> {
    let nobody = format!("http://{}/api/v1/write", ports::free());
    let flags = ["--export-interval", "100ms", "--stop-grace", "0s", "--remote-write", &nobody];
    let shardset = Shardset::start(&flags).await?;
    let now = otlp::now();
    let good = Delta { metric: "good", who: "a", start: now - 1000, time: now, value: 4.0 };
    let refused = Delta { value: -1.0, ..good };
    for request in [otlp::request(&[good]), otlp::request(&[good]), otlp::request(&[refused]), "{".to_owned()] {
        shardset.send_json(request).await?;
    }
    let shown = wait::until("every family that this makes show", PATIENCE, async || {
        let shown = shardset.own_metrics().await?;
        let late = ["shardset_export_retries_total", "shardset_worker_export_samples_total"];
        ensure!(late.iter().all(|name| shown.sum(name, &[]) > 0.0), "not yet");
        Ok(shown)
    })
    .await?;
    let sources = sources()?;
    check("metrics.md", |present| metrics(&shown, present, &sources))
}
