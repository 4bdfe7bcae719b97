//! What a metric is called in Prometheus: the algorithm of otlptranslator 1.0, the one Prometheus 3.14 and the collector use.
//!
//! With suffixes and escaping (the default), a name is taken apart into words at every character that is neither letter,
//! digit nor colon; the unit's words are appended unless they are there already; a monotonic sum then loses every word
//! `total` and ends in `total`, a gauge of unit `1` likewise in `ratio`. So `claude_code.active_time.total` in `s` is
//! `claude_code_active_time_seconds_total`. Without escaping the same words are appended to the name as it is.
//!
//! A [`Family`] is what Prometheus keeps per metric name: type, unit, help. Streams of many resources share one.
//!
//! Pure.

mod units;

use shardset_model::{Context, MetricKind};
use thiserror::Error;

use self::units::UnitWords;
use crate::Translation;
use crate::labels::LabelNaming;

/// The type of a family, as far as it decides which series a stream has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FamilyType {
    /// A value that never falls: monotonic sums.
    Counter,
    /// A value: gauges, and sums that may fall.
    Gauge,
    /// `_bucket`, `_sum` and `_count`.
    Histogram,
    /// One native histogram; in text, which has none, the series of a [`FamilyType::Histogram`].
    NativeHistogram,
    /// Quantiles, `_sum` and `_count`.
    Summary,
    /// A 1 whose labels say something: `target_info`.
    Info,
}

impl From<MetricKind> for FamilyType {
    fn from(kind: MetricKind) -> Self {
        match kind {
            MetricKind::Sum { monotonic: true, .. } => Self::Counter,
            MetricKind::Sum { monotonic: false, .. } | MetricKind::Gauge => Self::Gauge,
            MetricKind::Histogram { .. } => Self::Histogram,
            MetricKind::ExponentialHistogram { .. } => Self::NativeHistogram,
            MetricKind::Summary => Self::Summary,
        }
    }
}

/// What all series of one metric name share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Family {
    name: Box<str>,
    kind: FamilyType,
    unit: Box<str>,
    help: Box<str>,
    naming: LabelNaming,
}

impl Family {
    /// What the metric is called under `translation`. It depends on its name, unit, type and description only.
    ///
    /// # Errors
    ///
    /// Nothing but underscores is left of the name.
    pub fn of(metric: &Context, translation: &Translation) -> Result<Self, Unnameable> {
        let kind = FamilyType::from(metric.kind);
        let unit =
            if translation.strategy.escapes() { UnitWords::escaped(&metric.unit) } else { UnitWords::of(&metric.unit) };
        let name = name(metric, &unit, translation);
        if name.chars().all(|c| c == '_') && name != *metric.name || name.is_empty() {
            return Err(Unnameable(metric.name.clone()));
        }
        Ok(Self {
            name: name.into(),
            kind,
            unit: unit.joined().into(),
            help: metric.description.clone(),
            naming: LabelNaming::of(translation),
        })
    }

    /// The family of the series that tell about resources.
    pub fn target_info(translation: &Translation) -> Self {
        let name = match translation.namespace.as_str() {
            "" => "target_info".to_owned(),
            namespace => format!("{namespace}_target_info"),
        };
        Self {
            name: name.into(),
            kind: FamilyType::Info,
            unit: "".into(),
            help: "Target metadata".into(),
            naming: LabelNaming::of(translation),
        }
    }

    /// The name, as in `__name__` of the series without a further suffix.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type.
    pub const fn kind(&self) -> FamilyType {
        self.kind
    }

    /// The unit in words, such as `bytes_per_second`; may be empty.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// What the metric's description said; may be empty.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// How exemplars name their labels.
    pub(crate) const fn naming(&self) -> LabelNaming {
        self.naming
    }
}

/// Nothing is left of a metric's name, so it has no series.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("the metric name {0:?} has no character that a Prometheus name may have")]
pub struct Unnameable(Box<str>);

/// Letters, digits and colons make words; everything else, the underscore too, stands between words.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ':'
}

fn name(metric: &Context, unit: &UnitWords<'_>, translation: &Translation) -> String {
    let namespace = translation.namespace.as_str();
    match (translation.strategy.escapes(), translation.strategy.has_suffixes()) {
        (true, true) => escaped_with_suffixes(metric, unit, namespace),
        (true, false) => escaped(&metric.name, namespace),
        (false, true) => with_suffixes(metric, unit, with_namespace(&metric.name, namespace)),
        (false, false) => with_namespace(&metric.name, namespace),
    }
}

fn escaped_with_suffixes(metric: &Context, unit: &UnitWords<'_>, namespace: &str) -> String {
    let mut words: Vec<&str> = metric.name.split(|c| !is_token_char(c)).filter(|word| !word.is_empty()).collect();
    let told = |words: &[&str], word: &str| word.is_empty() || words.contains(&word);
    let (main, per) = (&*unit.main, &*unit.per);
    if !told(&words, main) {
        words.push(if per.is_empty() { main } else { main.strip_suffix('_').unwrap_or(main) });
    }
    if !told(&words, per) {
        words.push(per);
    }
    if let Some(suffix) = type_suffix(metric) {
        words.retain(|word| *word != suffix);
        words.push(suffix);
    }
    if !namespace.is_empty() {
        words.insert(0, namespace);
    }
    not_a_digit_first(words.join("_"))
}

fn escaped(name: &str, namespace: &str) -> String {
    let joined = |name: &str| {
        let is_valid = |c: char| is_token_char(c) || c == '_';
        name.split(|c| !is_valid(c)).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
    };
    match namespace {
        "" => not_a_digit_first(joined(name)),
        namespace => format!("{}_{}", joined(namespace), joined(name)),
    }
}

/// Appends to a name that is kept as it is. A word that is its end already is not told twice; the type's word moves behind
/// the unit's.
fn with_suffixes(metric: &Context, unit: &UnitWords<'_>, mut name: String) -> String {
    let suffix = type_suffix(metric);
    if let Some(suffix) = suffix {
        trim_word(&mut name, suffix);
    }
    trim_word(&mut name, &unit.per);
    if !name.ends_with(&*unit.main) {
        push_word(&mut name, &unit.main);
    }
    push_word(&mut name, &unit.per);
    push_word(&mut name, suffix.unwrap_or_default());
    name
}

/// The word that tells the type: of counters, and of gauges whose unit says that they are ratios.
fn type_suffix(metric: &Context) -> Option<&'static str> {
    match metric.kind {
        MetricKind::Sum { monotonic: true, .. } => Some("total"),
        MetricKind::Gauge if &*metric.unit == "1" => Some("ratio"),
        _ => None,
    }
}

fn with_namespace(name: &str, namespace: &str) -> String {
    match namespace {
        "" => name.to_owned(),
        namespace => format!("{namespace}_{name}"),
    }
}

/// Takes a last word and the one character before it away, unless nothing would be left.
fn trim_word(name: &mut String, word: &str) {
    let Some(rest) = name.strip_suffix(word).filter(|_| !word.is_empty()) else { return };
    if let Some((at, _)) = rest.char_indices().next_back().filter(|(at, _)| *at > 0) {
        name.truncate(at);
    }
}

fn push_word(name: &mut String, word: &str) {
    if !word.is_empty() {
        name.push('_');
        name.push_str(word);
    }
}

fn not_a_digit_first(name: String) -> String {
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests;
