//! Tables of destinations become destinations.

mod table;

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context, bail};
use prometheus_client::registry::Registry;
use shardset_export::client::{Auth, Compression, Secret, SigV4, TlsSettings};
use shardset_export::{ClientMetrics, Destination, DestinationSettings, Protocol};
use shardset_process::clock;
use shardset_worker::ExportTo;

pub(crate) use self::table::DestinationTable;
use self::table::{Compression as CompressionKey, OtlpProtocol};

/// Everything that a process exports to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destinations {
    pub(crate) remote_write: Vec<DestinationTable>,
    pub(crate) export_otlp: Vec<DestinationTable>,
}

/// The flags and keys that name destinations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    RemoteWrite,
    ExportOtlp,
}

impl Kind {
    /// The kind that this flag or key is of.
    pub(crate) fn of(key: &str) -> Option<Self> {
        [Self::RemoteWrite, Self::ExportOtlp].into_iter().find(|kind| kind.key() == key)
    }

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::RemoteWrite => "remote-write",
            Self::ExportOtlp => "export-otlp",
        }
    }
}

impl Destinations {
    /// Those that a URL says everything about.
    pub(crate) fn of_urls(remote_write: &[String], export_otlp: &[String]) -> Self {
        let tables = |urls: &[String]| urls.iter().map(|url| DestinationTable::of_url(url)).collect();
        Self { remote_write: tables(remote_write), export_otlp: tables(export_otlp) }
    }

    /// Those of one kind.
    pub(crate) fn of_kind(&mut self, kind: Kind) -> &mut Vec<DestinationTable> {
        match kind {
            Kind::RemoteWrite => &mut self.remote_write,
            Kind::ExportOtlp => &mut self.export_otlp,
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Kind, &DestinationTable)> {
        let remote_write = self.remote_write.iter().map(|table| (Kind::RemoteWrite, table));
        remote_write.chain(self.export_otlp.iter().map(|table| (Kind::ExportOtlp, table)))
    }
}

/// Makes the destinations and registers what they count, by their names.
pub(crate) fn build(destinations: &Destinations, registry: &mut Registry) -> anyhow::Result<Vec<ExportTo>> {
    let metrics = ClientMetrics::register(registry.sub_registry_with_prefix("shardset"));
    let mut names = HashSet::new();
    let mut built = Vec::new();
    for (place, (kind, table)) in destinations.all().enumerate() {
        let (key, name) = (kind.key(), display_name(&table.url));
        if !names.insert(name.clone()) {
            bail!("{key}: {name} stands twice");
        }
        let destination = settings(kind, table, place as u64)
            .and_then(|settings| Ok(Destination::new(&settings, metrics.of(&name), clock::now)?))
            .with_context(|| format!("{key} {name} can not be used"))?;
        built.push(ExportTo { name, destination: Arc::new(destination) });
    }
    Ok(built)
}

/// The URL without what may be secret in it: user, password and query.
fn display_name(url: &str) -> String {
    let without_query = url.split(['?', '#']).next().unwrap_or_default();
    match (without_query.split_once("://"), without_query.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => without_query.to_owned(),
    }
}

fn settings(kind: Kind, table: &DestinationTable, place: u64) -> anyhow::Result<DestinationSettings> {
    let defaults = DestinationSettings::new(protocol(kind, table)?, table.url.clone());
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

/// OTLP by HTTP has a path in its URL, by gRPC it has none; so the URL says which is meant, where nothing else does.
fn protocol(kind: Kind, table: &DestinationTable) -> anyhow::Result<Protocol> {
    if kind == Kind::RemoteWrite {
        return match (table.protocol, table.compression) {
            (None, None) => Ok(Protocol::RemoteWrite),
            _ => bail!("protocol and compression are of export-otlp"),
        };
    }
    let compression = match table.compression.unwrap_or_default() {
        CompressionKey::Gzip => Compression::Gzip,
        CompressionKey::None => Compression::None,
    };
    let is_grpc = table.protocol.map_or_else(|| !has_path(&table.url), |protocol| protocol == OtlpProtocol::Grpc);
    Ok(if is_grpc { Protocol::OtlpGrpc(compression) } else { Protocol::OtlpHttp(compression) })
}

fn has_path(url: &str) -> bool {
    let name = display_name(url);
    let (_, rest) = name.split_once("://").unwrap_or(("", &name));
    rest.split_once('/').is_some_and(|(_, path)| !path.is_empty())
}

fn auth(table: &DestinationTable) -> anyhow::Result<Auth> {
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

    use super::table::SigV4;
    use super::{
        Compression, DestinationTable, Destinations, Kind, OtlpProtocol, Protocol, build, display_name, protocol,
    };

    #[test]
    fn names_tell_no_secrets() {
        assert_eq!(display_name("https://user:word@host:1/api/v1/write?token=x"), "https://host:1/api/v1/write");
        assert_eq!(display_name("http://host/w"), "http://host/w");
    }

    fn error_of(remote_write: Vec<DestinationTable>, export_otlp: Vec<DestinationTable>) -> String {
        let destinations = Destinations { remote_write, export_otlp };
        format!("{:#}", build(&destinations, &mut Registry::default()).expect_err("it is wrong"))
    }

    #[test]
    fn a_destination_that_can_not_work_is_named() {
        let table = |url: &str| DestinationTable::of_url(url);
        let (a, a_path) = (|| table("http://a/"), || table("http://a/v1/metrics"));
        assert_eq!(error_of(vec![a(), a()], Vec::new()), "remote-write: http://a/ stands twice");
        assert_eq!(error_of(vec![a_path()], vec![a_path()]), "export-otlp: http://a/v1/metrics stands twice");
        assert!(error_of(vec![table("a/b")], Vec::new()).starts_with("remote-write a/b can not be used"));
        let both = DestinationTable {
            bearer_token: Some("a".into()),
            bearer_token_file: Some("b".into()),
            ..table("http://a/")
        };
        assert!(error_of(vec![both], Vec::new()).contains("exclude each other"));
        let otlp = DestinationTable { protocol: Some(OtlpProtocol::Grpc), ..a() };
        assert!(error_of(vec![otlp], Vec::new()).ends_with("protocol and compression are of export-otlp"));
        let signed = DestinationTable { sigv4: Some(SigV4 { region: None, role_arn: None }), ..a() };
        assert!(error_of(Vec::new(), vec![signed]).contains("sigv4: only requests of remote write are signed"));
        let with_path = DestinationTable { protocol: Some(OtlpProtocol::Grpc), ..a_path() };
        assert!(error_of(Vec::new(), vec![with_path]).contains("by grpc it has no path"));
        let without = DestinationTable { protocol: Some(OtlpProtocol::HttpProtobuf), ..a() };
        assert!(error_of(Vec::new(), vec![without]).contains("by http/protobuf it has a path"));
    }

    #[test]
    fn the_url_says_how_otlp_goes_where_nothing_else_does() {
        for (url, is_grpc) in [
            ("http://collector:4317", true),
            ("https://collector:4317/", true),
            ("http://collector:4318/v1/metrics", false),
            ("https://user:word@host/otlp/v1/metrics?a=b", false),
        ] {
            let found = protocol(Kind::ExportOtlp, &DestinationTable::of_url(url)).expect("it is fine");
            let compression = Compression::Gzip;
            let expected = if is_grpc { Protocol::OtlpGrpc(compression) } else { Protocol::OtlpHttp(compression) };
            assert_eq!(found, expected, "{url}");
        }
    }
}
