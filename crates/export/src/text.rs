//! The same series as text, for a scrape: Prometheus text 0.0.4 and OpenMetrics 1.0.
//!
//! Series are grouped by family, and a family must come in one piece, so whoever has a million streams sorts their slots by
//! [`Family::text_order`] and appends them in that order. The text is taken out in pieces as it grows; no more than a piece
//! is ever held. An [`Exposition`] can be sent from one shard to the next, so that each adds its part of a family.
//!
//! Decisions:
//! - **No timestamps.** A scrape reads "now"; with timestamps Prometheus would not mark what vanished as ended.
//! - **Exponential histograms** have no text form and become classic ones with bounds that are powers of two
//!   ([`exponential`]).
//! - **OpenMetrics** wants counters to end in `_total`. A counter that does not, because the translation adds no suffixes, is
//!   exposed as `unknown` rather than under another name.
//! - **Bounds** look like floats in OpenMetrics, `le="1.0"`, which demands it and to which Prometheus 3 brings the other format
//!   too; remote write has `le="1"`, as Prometheus' own OTLP endpoint writes it.
//! - **UTF-8 names** stand in quotes, as Prometheus 3 reads them.
//!
//! Pure.

mod exponential;
mod line;

use shardset_model::{Exemplar, HistogramPoint, Value};

use self::line::{Line, escape_help, put_family_name};
use crate::series::{Part, Parts};
use crate::{Family, FamilyType, Labels, NotEncodable};

/// One of the two text formats.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TextFormat {
    /// Prometheus text 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0, which has units and exemplars.
    OpenMetrics,
}

impl TextFormat {
    /// What a scraper asks for by its `Accept` header: OpenMetrics where it is named at all, as Prometheus' libraries do.
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The `Content-Type` of the answer.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Family {
    /// The order in which families have to be exposed: those of one name stand together.
    pub fn text_order(&self) -> (&str, FamilyType) {
        (self.name(), self.kind())
    }
}

/// Text in the making.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exposition {
    format: TextFormat,
    text: String,
    /// The family whose series are being written.
    open: Option<(Box<str>, FamilyType)>,
}

impl Exposition {
    /// No text yet.
    pub const fn new(format: TextFormat) -> Self {
        Self { format, text: String::new(), open: None }
    }

    /// How many bytes wait to be taken.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Takes what is written so far; the next piece continues it.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// The last piece.
    pub fn finish(mut self) -> String {
        if self.format == TextFormat::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    /// Appends the series of a stream, after its family's head where that is new.
    ///
    /// # Errors
    ///
    /// The value does not fit the family, or the name was exposed with another type; nothing was written.
    pub fn append(
        &mut self,
        family: &Family,
        labels: &Labels,
        value: Value<'_>,
        exemplars: &[Exemplar<'_>],
    ) -> Result<(), NotEncodable> {
        if let (FamilyType::NativeHistogram, Value::Exponential(point)) = (family.kind(), value) {
            let (bounds, counts) = exponential::buckets(&point);
            let (count, sum, min, max) = (point.count, point.sum, point.min, point.max);
            let classic = HistogramPoint { count, sum, min, max, bounds: &bounds, counts: &counts };
            return self.put(family, labels, Parts::of(FamilyType::Histogram, Value::Histogram(classic), exemplars)?);
        }
        self.put(family, labels, Parts::of(family.kind(), value, exemplars)?)
    }

    fn put(&mut self, family: &Family, labels: &Labels, parts: Parts<'_>) -> Result<(), NotEncodable> {
        self.open(family)?;
        parts.each(|part| self.put_line(family, labels, &part));
        Ok(())
    }

    fn open(&mut self, family: &Family) -> Result<(), NotEncodable> {
        match &self.open {
            Some((name, kind)) if **name == *family.name() && *kind == family.kind() => Ok(()),
            Some((name, _)) if **name == *family.name() => Err(NotEncodable::TypeConflict),
            _ => {
                self.put_head(family);
                self.open = Some((family.name().into(), family.kind()));
                Ok(())
            }
        }
    }

    fn put_head(&mut self, family: &Family) {
        let (name, kind) = head(self.format, family);
        self.put_head_line("TYPE", name, kind);
        let unit = family.unit();
        if self.format == TextFormat::OpenMetrics && name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')) {
            self.put_head_line("UNIT", name, unit);
        }
        if !family.help().is_empty() {
            let help = escape_help(family.help(), self.format);
            self.put_head_line("HELP", name, &help);
        }
    }

    fn put_line(&mut self, family: &Family, labels: &Labels, part: &Part<'_>) {
        let mut line = Line::begin(&mut self.text, self.format, family.name(), part.suffix);
        labels.iter().for_each(|(name, value)| line.label(name, value));
        if let Some(bound) = part.bound {
            line.bound(family.kind().extra_label(), bound);
        }
        line.value(part.value);
        if let Some(exemplar) = part.exemplar {
            line.exemplar(exemplar, family.naming());
        }
        line.end();
    }

    fn put_head_line(&mut self, what: &str, name: &str, told: &str) {
        self.text.push_str("# ");
        self.text.push_str(what);
        self.text.push(' ');
        put_family_name(&mut self.text, name);
        self.text.push(' ');
        self.text.push_str(told);
        self.text.push('\n');
    }
}

/// A family's name and type as its head tells them.
fn head(format: TextFormat, family: &Family) -> (&str, &'static str) {
    let name = family.name();
    let without = |suffix| name.strip_suffix(suffix).filter(|_| format == TextFormat::OpenMetrics);
    match (family.kind(), format) {
        (FamilyType::Gauge, _) => (name, "gauge"),
        (FamilyType::Histogram | FamilyType::NativeHistogram, _) => (name, "histogram"),
        (FamilyType::Summary, _) => (name, "summary"),
        (FamilyType::Counter, TextFormat::Prometheus) => (name, "counter"),
        (FamilyType::Info, TextFormat::Prometheus) => (name, "gauge"),
        (FamilyType::Counter, TextFormat::OpenMetrics) => {
            without("_total").map_or((name, "unknown"), |n| (n, "counter"))
        }
        (FamilyType::Info, TextFormat::OpenMetrics) => without("_info").map_or((name, "gauge"), |n| (n, "info")),
    }
}

#[cfg(test)]
mod tests;
