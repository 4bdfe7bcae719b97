//! `--config FILE`: TOML with the same names as the flags.
//!
//! The file is turned into the flags it stands for and parsed by the same parser, so a setting means one thing wherever it
//! is written, and the command line wins because it comes later. A key that is no flag is an error that names the nearest
//! one. `[[remote-write]]` and `[[export-otlp]]` are the only tables: destinations with what a URL alone can not say.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

use crate::destinations::{Destinations, Kind};

/// What a configuration file says.
#[derive(Debug, Default)]
pub(crate) struct ConfigFile {
    /// `--name=value` for every key but those of destinations.
    pub(crate) flags: Vec<OsString>,
    /// The destinations.
    pub(crate) destinations: Destinations,
}

/// Why a configuration file can not be used.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    #[error("can not read the configuration file {path}", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the configuration file {path} is no TOML", path = path.display())]
    Toml { path: PathBuf, source: toml::de::Error },
    #[error("the configuration file {path} has the unknown key `{key}`{hint}", path = path.display())]
    UnknownKey { path: PathBuf, key: String, hint: String },
    #[error("the configuration file {path} says nothing usable under `{key}`: it must be {expected}", path = path.display())]
    Value { path: PathBuf, key: String, expected: &'static str },
    #[error("the configuration file {path} has a wrong [[{key}]]", path = path.display(), key = kind.key())]
    Destination { path: PathBuf, kind: Kind, source: toml::de::Error },
}

impl ConfigFile {
    /// Reads the settings of `verb` from `path`.
    pub(crate) fn read(path: &Path, verb: &Command) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path, verb)
    }

    fn parse(text: &str, path: &Path, verb: &Command) -> Result<Self, ConfigError> {
        let table: Table = text.parse().map_err(|source| ConfigError::Toml { path: path.to_owned(), source })?;
        let mut file = Self::default();
        for (key, value) in table {
            if !is_setting(verb, &key) {
                let hint = nearest(verb, &key);
                return Err(ConfigError::UnknownKey { path: path.to_owned(), key, hint });
            }
            match Kind::of(&key) {
                Some(kind) => {
                    let wrong = |source| ConfigError::Destination { path: path.to_owned(), kind, source };
                    *file.destinations.of_kind(kind) = Vec::deserialize(value).map_err(wrong)?;
                }
                None => file.flags.append(&mut flags(&key, &value, path)?),
            }
        }
        Ok(file)
    }
}

/// `--config` itself would be a file that includes files.
fn settings(verb: &Command) -> impl Iterator<Item = &str> {
    verb.get_arguments()
        .filter_map(|argument| argument.get_long())
        .filter(|name| !["config", "help", "version"].contains(name))
}

fn is_setting(verb: &Command, key: &str) -> bool {
    settings(verb).any(|name| name == key)
}

fn nearest(verb: &Command, key: &str) -> String {
    let closest = settings(verb)
        .map(|name| (strsim::jaro_winkler(name, key), name))
        .max_by(|(left, _), (right, _)| left.total_cmp(right));
    match closest {
        Some((likeness, name)) if likeness > 0.7 => format!("; did you mean `{name}`?"),
        _ => "; its keys are the names of the flags, see --help".to_owned(),
    }
}

fn flags(key: &str, value: &Value, path: &Path) -> Result<Vec<OsString>, ConfigError> {
    let wrong = |expected| ConfigError::Value { path: path.to_owned(), key: key.to_owned(), expected };
    let flag = |value: &Value| match value {
        Value::String(text) => Ok(format!("--{key}={text}").into()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Ok(format!("--{key}={value}").into()),
        Value::Array(_) | Value::Table(_) | Value::Datetime(_) => Err(wrong("a text, a number, true or false")),
    };
    match value {
        Value::Array(values) => values.iter().map(flag).collect(),
        _ => Ok(vec![flag(value)?]),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Args;

    use super::{ConfigError, ConfigFile};
    use crate::local::LocalArgs;

    fn parse(text: &str) -> Result<ConfigFile, ConfigError> {
        let verb = LocalArgs::augment_args(clap::Command::new("local"));
        ConfigFile::parse(text, Path::new("shardset.toml"), &verb)
    }

    #[test]
    fn keys_are_the_names_of_the_flags() {
        let text = "export-interval = \"5s\"\nexternal-label = [\"a=b\", \"c=d\"]\nworkers = 5";
        let flags = parse(text).expect("it is fine").flags;
        assert_eq!(flags, ["--export-interval=5s", "--external-label=a=b", "--external-label=c=d", "--workers=5"]);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_nearest() {
        let error = parse("worker = 5").expect_err("no such key");
        let expected = "the configuration file shardset.toml has the unknown key `worker`; did you mean `workers`?";
        assert_eq!(error.to_string(), expected);
        assert!(parse("zzz = 1").expect_err("no such key").to_string().ends_with("see --help"));
        assert!(matches!(parse("config = \"x\""), Err(ConfigError::UnknownKey { .. })));
    }

    #[test]
    fn a_destination_is_a_url_or_a_table() {
        for key in ["remote-write", "export-otlp"] {
            let tables = |text: &str| {
                let file = parse(&format!("{text}\n").replace("KEY", key)).expect("it is fine");
                file.destinations.all().map(|(kind, _)| kind.key()).collect::<Vec<_>>()
            };
            assert_eq!(tables("KEY = [\"http://a/\"]"), [key]);
            assert_eq!(tables("[[KEY]]\nurl = \"http://a/\"\nheaders = { X-Scope-OrgID = \"t\" }"), [key]);
            let wrong = format!("[[{key}]]\nurl = \"http://a/\"\nheader = {{}}");
            let error = parse(&wrong).expect_err("no such key");
            assert_eq!(error.to_string(), format!("the configuration file shardset.toml has a wrong [[{key}]]"));
        }
        let file = parse("[[export-otlp]]\nurl = \"http://a:4317\"\nprotocol = \"grpc\"\ncompression = \"none\"");
        assert_eq!(file.expect("it is fine").destinations.export_otlp.len(), 1);
        for wrong in ["protocol = \"http/json\"", "compression = \"zstd\""] {
            let error = parse(&format!("[[export-otlp]]\nurl = \"http://a/\"\n{wrong}")).expect_err("no such way");
            assert!(matches!(error, ConfigError::Destination { .. }), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_toml_is_named_as_such() {
        assert!(matches!(parse("workers: 5"), Err(ConfigError::Toml { .. })));
        assert!(matches!(parse("workers = {}"), Err(ConfigError::Value { .. })));
    }
}
