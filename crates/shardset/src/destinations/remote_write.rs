//! `[[remote-write]]`: one destination, with what a URL alone can not say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{self, Deserializer};
use serde::{Deserialize, de::value::MapAccessDeserializer};

/// A destination as a configuration file or a flag gives it; checked when the destination is made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct RemoteWriteTable {
    pub(crate) url: String,
    pub(crate) timeout: Option<Duration>,
    pub(crate) bearer_token: Option<String>,
    pub(crate) bearer_token_file: Option<PathBuf>,
    pub(crate) basic_auth: Option<BasicAuth>,
    pub(crate) sigv4: Option<SigV4>,
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
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    tls: Tls,
}

impl RemoteWriteTable {
    /// A destination that a URL says everything about.
    pub(crate) fn of_url(url: &str) -> Self {
        Self { url: url.to_owned(), ..Self::default() }
    }
}

/// A text is a URL, a table is a table.
impl<'de> Deserialize<'de> for RemoteWriteTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UrlOrTable;
        impl<'de> de::Visitor<'de> for UrlOrTable {
            type Value = RemoteWriteTable;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a URL or a table with a url")
            }

            fn visit_str<E: de::Error>(self, url: &str) -> Result<RemoteWriteTable, E> {
                Ok(RemoteWriteTable::of_url(url))
            }

            fn visit_map<M: de::MapAccess<'de>>(self, map: M) -> Result<RemoteWriteTable, M::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(RemoteWriteTable::from)
            }
        }
        deserializer.deserialize_any(UrlOrTable)
    }
}

impl From<Table> for RemoteWriteTable {
    fn from(table: Table) -> Self {
        Self {
            url: table.url,
            timeout: table.timeout,
            bearer_token: table.bearer_token,
            bearer_token_file: table.bearer_token_file,
            basic_auth: table.basic_auth,
            sigv4: table.sigv4,
            headers: table.headers,
            tls: table.tls,
        }
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map(Some).map_err(de::Error::custom)
}
