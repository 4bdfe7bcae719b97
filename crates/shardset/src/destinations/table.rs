//! `[[remote-write]]`, `[[export-otlp]]`: one destination, with what a URL alone can not say.
//!
//! One table for both, since all but three keys mean the same; which of those three are of which kind is checked when the destination is
//! made.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{self, Deserializer};
use serde::{Deserialize, de::value::MapAccessDeserializer};

/// A destination as a configuration file or a flag gives it; checked when the destination is made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct DestinationTable {
    pub(crate) url: String,
    pub(crate) timeout: Option<Duration>,
    pub(crate) bearer_token: Option<String>,
    pub(crate) bearer_token_file: Option<PathBuf>,
    pub(crate) basic_auth: Option<BasicAuth>,
    pub(crate) sigv4: Option<SigV4>,
    pub(crate) protocol: Option<OtlpProtocol>,
    pub(crate) compression: Option<Compression>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) tls: Tls,
}

/// User and password.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct BasicAuth {
    pub(crate) username: String,
    pub(crate) password: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
}

/// Signatures of AWS.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SigV4 {
    pub(crate) region: Option<String>,
    pub(crate) role_arn: Option<String>,
}

/// How OTLP goes, by the names of OpenTelemetry's own settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(crate) enum OtlpProtocol {
    #[serde(rename = "grpc")]
    Grpc,
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
}

/// How OTLP is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    #[default]
    Gzip,
    None,
}

/// Whom to trust and who we are.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Tls {
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) cert_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) insecure_skip_verify: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    url: String,
    #[serde(default, deserialize_with = "duration")]
    timeout: Option<Duration>,
    bearer_token: Option<String>,
    bearer_token_file: Option<PathBuf>,
    basic_auth: Option<BasicAuth>,
    sigv4: Option<SigV4>,
    protocol: Option<OtlpProtocol>,
    compression: Option<Compression>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    tls: Tls,
}

impl DestinationTable {
    /// A destination that a URL says everything about.
    pub(crate) fn of_url(url: &str) -> Self {
        Self { url: url.to_owned(), ..Self::default() }
    }
}

/// A text is a URL, a table is a table.
impl<'de> Deserialize<'de> for DestinationTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UrlOrTable;
        impl<'de> de::Visitor<'de> for UrlOrTable {
            type Value = DestinationTable;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a URL or a table with a url")
            }

            fn visit_str<E: de::Error>(self, url: &str) -> Result<DestinationTable, E> {
                Ok(DestinationTable::of_url(url))
            }

            fn visit_map<M: de::MapAccess<'de>>(self, map: M) -> Result<DestinationTable, M::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(DestinationTable::from)
            }
        }
        deserializer.deserialize_any(UrlOrTable)
    }
}

impl From<Table> for DestinationTable {
    fn from(table: Table) -> Self {
        Self {
            url: table.url,
            timeout: table.timeout,
            bearer_token: table.bearer_token,
            bearer_token_file: table.bearer_token_file,
            basic_auth: table.basic_auth,
            sigv4: table.sigv4,
            protocol: table.protocol,
            compression: table.compression,
            headers: table.headers,
            tls: table.tls,
        }
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map(Some).map_err(de::Error::custom)
}
