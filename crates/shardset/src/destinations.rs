//! Tables of destinations become destinations.

mod remote_write;

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context, bail};
use prometheus_client::registry::Registry;
use shardset_process::clock;
use shardset_remote_write::client::{Auth, Secret, SigV4, TlsSettings};
use shardset_remote_write::{ClientMetrics, Destination, DestinationSettings};
use shardset_worker::ExportTo;

pub(crate) use self::remote_write::RemoteWriteTable;

/// Makes the destinations and registers what they count, by their names.
pub(crate) fn build(tables: &[RemoteWriteTable], registry: &mut Registry) -> anyhow::Result<Vec<ExportTo>> {
    let metrics = ClientMetrics::register(registry.sub_registry_with_prefix("shardset"));
    let mut names = HashSet::new();
    let mut destinations = Vec::with_capacity(tables.len());
    for (place, table) in tables.iter().enumerate() {
        let name = display_name(&table.url);
        if !names.insert(name.clone()) {
            bail!("remote-write: {name} stands twice");
        }
        let destination = settings(table, place as u64)
            .and_then(|settings| Ok(Destination::new(&settings, metrics.of(&name), clock::now)?))
            .with_context(|| format!("remote-write {name} can not be used"))?;
        destinations.push(ExportTo { name, destination: Arc::new(destination) });
    }
    Ok(destinations)
}

/// The URL without what may be secret in it: user, password and query.
fn display_name(url: &str) -> String {
    let without_query = url.split(['?', '#']).next().unwrap_or_default();
    match (without_query.split_once("://"), without_query.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => without_query.to_owned(),
    }
}

fn settings(table: &RemoteWriteTable, place: u64) -> anyhow::Result<DestinationSettings> {
    let defaults = DestinationSettings::new(table.url.clone());
    Ok(DestinationSettings {
        auth: auth(table)?,
        headers: table.headers.clone().into_iter().collect(),
        timeout: table.timeout.unwrap_or(defaults.timeout),
        tls: TlsSettings {
            ca_file: table.tls.ca_file.clone(),
            cert_file: table.tls.cert_file.clone(),
            key_file: table.tls.key_file.clone(),
            insecure_skip_verify: table.tls.insecure_skip_verify,
        },
        // Destinations of one process, and processes started at different times, do not knock in step.
        seed: clock::now().0.wrapping_add(place),
        ..defaults
    })
}

fn auth(table: &RemoteWriteTable) -> anyhow::Result<Auth> {
    let bearer = secret("bearer-token", &table.bearer_token, "bearer-token-file", &table.bearer_token_file)?;
    match (&table.basic_auth, bearer, &table.sigv4) {
        (None, None, None) => Ok(Auth::None),
        (None, Some(token), None) => Ok(Auth::Bearer(token)),
        (None, None, Some(sigv4)) => {
            Ok(Auth::SigV4(SigV4 { region: sigv4.region.clone(), role_arn: sigv4.role_arn.clone() }))
        }
        (Some(basic), None, None) => {
            let password =
                secret("basic-auth.password", &basic.password, "basic-auth.password-file", &basic.password_file)?;
            let password = password.context("basic-auth needs password or password-file")?;
            Ok(Auth::Basic { username: basic.username.clone(), password })
        }
        _ => bail!("basic-auth, a bearer token and sigv4 exclude each other"),
    }
}

fn secret(
    inline_key: &str,
    inline: &Option<String>,
    file_key: &str,
    file: &Option<std::path::PathBuf>,
) -> anyhow::Result<Option<Secret>> {
    match (inline, file) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(Secret::Inline(text.clone()))),
        (None, Some(path)) => Ok(Some(Secret::File(path.clone()))),
        (Some(_), Some(_)) => bail!("{inline_key} and {file_key} exclude each other"),
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::{RemoteWriteTable, build, display_name};

    #[test]
    fn names_tell_no_secrets() {
        assert_eq!(display_name("https://user:word@host:1/api/v1/write?token=x"), "https://host:1/api/v1/write");
        assert_eq!(display_name("http://host/w"), "http://host/w");
    }

    #[test]
    fn a_destination_that_can_not_work_is_named() {
        let table = |url: &str| RemoteWriteTable::of_url(url);
        let twice = build(&[table("http://a/"), table("http://a/")], &mut Registry::default()).expect_err("twice");
        assert_eq!(twice.to_string(), "remote-write: http://a/ stands twice");
        let wrong = build(&[table("a/b")], &mut Registry::default()).expect_err("no URL");
        assert_eq!(wrong.to_string(), "remote-write a/b can not be used");
        let both = RemoteWriteTable {
            bearer_token: Some("a".into()),
            bearer_token_file: Some("b".into()),
            ..table("http://a/")
        };
        let both = build(&[both], &mut Registry::default()).expect_err("both");
        assert!(format!("{both:#}").contains("exclude each other"), "{both:#}");
    }
}
