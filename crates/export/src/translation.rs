//! How OTLP becomes Prometheus: the settings, one set per process.
//!
//! The defaults are those of Prometheus 3.14's own OTLP endpoint, because its names are what dashboards ask for. All
//! destinations and the scrape endpoint share one translation: labels are encoded once per stream, and one stream under
//! two names would be two truths.
//!
//! Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Which names the backend can take, and whether unit and type are told by the name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Strategy {
    /// Names in `[a-zA-Z0-9_:]`, with unit and type suffixes. What every backend takes and every dashboard expects.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// Names in `[a-zA-Z0-9_:]`, without suffixes. Metrics that differ in unit or type only get one name.
    UnderscoreEscapingWithoutSuffixes,
    /// Names as they are, in UTF-8, with suffixes. Remote write 1.0 forbids such names, Prometheus 3 takes them.
    NoUtf8EscapingWithSuffixes,
    /// Names as they are.
    NoTranslation,
}

impl Strategy {
    const ALL: [Self; 4] = [
        Self::UnderscoreEscapingWithSuffixes,
        Self::UnderscoreEscapingWithoutSuffixes,
        Self::NoUtf8EscapingWithSuffixes,
        Self::NoTranslation,
    ];

    /// The name that Prometheus' configuration knows it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnderscoreEscapingWithSuffixes => "UnderscoreEscapingWithSuffixes",
            Self::UnderscoreEscapingWithoutSuffixes => "UnderscoreEscapingWithoutSuffixes",
            Self::NoUtf8EscapingWithSuffixes => "NoUTF8EscapingWithSuffixes",
            Self::NoTranslation => "NoTranslation",
        }
    }

    /// Whether names and label names are brought into the old character set.
    pub const fn escapes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::UnderscoreEscapingWithoutSuffixes)
    }

    /// Whether names end in unit and type.
    pub const fn has_suffixes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::NoUtf8EscapingWithSuffixes)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Strategy {
    type Err = InvalidTranslation;

    fn from_str(name: &str) -> Result<Self, InvalidTranslation> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.name() == name)
            .ok_or_else(|| InvalidTranslation::Strategy(name.into()))
    }
}

/// Which resource attributes become labels of every series of the resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Promotion {
    /// Those listed.
    Listed(Vec<String>),
    /// All but those listed.
    AllBut(Vec<String>),
}

impl Promotion {
    /// Whether the attribute with this key becomes a label.
    pub fn takes(&self, key: &str) -> bool {
        match self {
            Self::Listed(keys) => keys.iter().any(|listed| listed == key),
            Self::AllBut(keys) => keys.iter().all(|listed| listed != key),
        }
    }

    /// Whether no attribute becomes a label.
    pub(crate) fn takes_none(&self) -> bool {
        matches!(self, Self::Listed(keys) if keys.is_empty())
    }
}

/// How streams become series.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Translation {
    /// How names are made.
    pub strategy: Strategy,
    /// Put in front of every metric's name; empty for none.
    pub namespace: String,
    /// Resource attributes that become labels, where a point has no attribute of that label.
    pub promote_resource_attributes: Promotion,
    /// Whether `target_info` also carries `service.name`, `service.namespace` and `service.instance.id`, which are
    /// told by `job` and `instance` already.
    pub keep_identifying_resource_attributes: bool,
    /// Whether series carry `otel_scope_name`, `otel_scope_version` and `otel_scope_<attribute>`. Without them, two
    /// scopes that use one metric name and the same attributes write the same series.
    pub scope_labels: bool,
    /// Whether each resource is told as a `target_info` series.
    pub target_info: bool,
    /// Whether runs of underscores in label names are kept: `a__b` rather than `a_b`.
    pub preserve_multiple_underscores: bool,
    /// Whether a label name that begins with one underscore gets `key` in front: `_a` becomes `key_a`.
    pub sanitize_leading_underscore: bool,
    /// Labels of every series that has no label of that name.
    pub external_labels: BTreeMap<String, String>,
}

impl Default for Translation {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            namespace: String::new(),
            promote_resource_attributes: Promotion::Listed(Vec::new()),
            keep_identifying_resource_attributes: false,
            scope_labels: false,
            target_info: true,
            preserve_multiple_underscores: true,
            sanitize_leading_underscore: true,
            external_labels: BTreeMap::new(),
        }
    }
}

impl Translation {
    /// Checks what a user wrote. Everything else in this crate takes a checked translation.
    ///
    /// # Errors
    ///
    /// The first external label that no backend would take.
    pub fn check(&self) -> Result<(), InvalidTranslation> {
        match self.external_labels.keys().find(|name| !is_external_label(name)) {
            Some(name) => Err(InvalidTranslation::ExternalLabel(name.clone())),
            None => Ok(()),
        }
    }
}

/// External labels are written by hand: a name in the old character set, and none of those that Prometheus sets itself,
/// save `__replica__`, by which AMP and Mimir tell the members of a highly available pair apart.
fn is_external_label(name: &str) -> bool {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let in_set = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let free = !name.starts_with("__") || name == "__replica__";
    starts_well && in_set && free
}

/// What is wrong with a translation.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum InvalidTranslation {
    /// No strategy has this name.
    #[error(
        "{0:?} is no translation strategy: it must be one of UnderscoreEscapingWithSuffixes, UnderscoreEscapingWithoutSuffixes, NoUTF8EscapingWithSuffixes, NoTranslation"
    )]
    Strategy(String),
    /// This can not be the name of an external label.
    #[error(
        "{0:?} can not be an external label: it must match [a-zA-Z_][a-zA-Z0-9_]* and must not begin with two underscores"
    )]
    ExternalLabel(String),
}

#[cfg(test)]
mod tests {
    use super::{InvalidTranslation, Promotion, Strategy, Translation};

    #[test]
    fn a_strategy_is_read_by_the_name_prometheus_gives_it() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
        }
        assert_eq!("underscore".parse::<Strategy>(), Err(InvalidTranslation::Strategy("underscore".into())));
    }

    #[test]
    fn an_external_label_must_be_one_a_backend_takes() {
        for (name, ok) in [("cluster", true), ("__replica__", true), ("_x", true), ("", false), ("1st", false)]
            .into_iter()
            .chain([("__name__", false), ("a.b", false), ("ü", false)])
        {
            let external_labels = [(name.to_owned(), "v".to_owned())].into();
            assert_eq!(Translation { external_labels, ..Translation::default() }.check().is_ok(), ok, "{name:?}");
        }
    }

    #[test]
    fn promotion_is_by_list_or_by_exception() {
        let keys = vec!["host.name".to_owned()];
        assert!(
            Promotion::Listed(keys.clone()).takes("host.name") && !Promotion::Listed(keys.clone()).takes("os.type")
        );
        assert!(!Promotion::AllBut(keys.clone()).takes("host.name") && Promotion::AllBut(keys).takes("os.type"));
    }
}
