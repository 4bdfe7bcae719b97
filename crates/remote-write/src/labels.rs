//! What tells a stream apart in Prometheus: its labels, decided and encoded once per stream.
//!
//! Where a label comes from, in rising priority: external labels, promoted resource attributes, the point's attributes,
//! scope labels, `job` and `instance`, and at last `__name__`, `le` and `quantile`. Attributes whose keys become the same
//! label are joined with `;`, in the order of their keys. A label without a value is no label. This is what Prometheus'
//! own OTLP endpoint does.
//!
//! ## The blob
//!
//! A worker keeps one [`Labels`] per live stream, so it is one allocation, ready to be copied into a request:
//!
//! ```text
//! varint  name_at     where in the body the label __name__ belongs
//! varint  extra_at    where in the body le (histograms) or quantile (summaries) belongs
//! body    labels as field 1 of prompb.TimeSeries, sorted by name, without those two
//! ```
//!
//! The name is not in it: with its suffix it comes from the [`crate::Family`], which all streams of a metric share.
//!
//! Pure.

mod naming;

use std::collections::BTreeMap;

use shardset_model::{Identity, MetricKind};
use shardset_otlp::attributes::{Attribute, attributes};

pub(crate) use self::naming::LabelNaming;
use crate::prompb::{put_label, put_varint, take_varint};
use crate::{FamilyType, Translation};

const NAME: &str = "__name__";
const JOB: &str = "job";
const INSTANCE: &str = "instance";

/// The resource attributes that `job` and `instance` are made of.
const SERVICE_NAME: &str = "service.name";
const SERVICE_NAMESPACE: &str = "service.namespace";
const SERVICE_INSTANCE: &str = "service.instance.id";

/// The labels of one stream, in the form described above.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Labels(Box<[u8]>);

impl Labels {
    /// The labels of a stream.
    pub fn of(stream: &Identity, translation: &Translation) -> Self {
        let context = &*stream.context;
        let mut draft = Draft::of_attributes(&stream.attributes, LabelNaming::of(translation));
        draft.promote(&context.resource_attributes, translation);
        if translation.scope_labels {
            draft.set_scope(&context.scope_name, &context.scope_version, &context.scope_attributes);
        }
        draft.identify(&context.resource_attributes);
        draft.add_external(&translation.external_labels);
        draft.encode(extra_label(context.kind))
    }

    /// The labels of the `target_info` series of the resource with these attributes (frames, as in
    /// [`shardset_model::Context::resource_attributes`]). `None` where there is nothing to tell that `job` and `instance`
    /// do not tell already, where there is neither of those, or where the translation has no `target_info`.
    pub fn of_target(resource_attributes: &[u8], translation: &Translation) -> Option<Self> {
        let told = |attribute: &Attribute<'_>| {
            translation.keep_identifying_resource_attributes || !is_identifying(attribute.key)
        };
        let mut draft = Draft::of(attributes(resource_attributes).filter(told), LabelNaming::of(translation));
        if !translation.target_info || draft.labels.values().all(String::is_empty) {
            return None;
        }
        draft.identify(resource_attributes);
        let identified = [JOB, INSTANCE].iter().any(|name| draft.labels.get(*name).is_some_and(|v| !v.is_empty()));
        draft.add_external(&translation.external_labels);
        identified.then(|| draft.encode(""))
    }

    /// Number of bytes on the heap.
    pub fn heap_size(&self) -> usize {
        self.0.len()
    }

    /// Labels before `__name__`, between it and the extra label, and behind that, encoded.
    pub(crate) fn parts(&self) -> [&[u8]; 3] {
        let mut body = &*self.0;
        let name_at = take_varint(&mut body) as usize;
        let extra_at = take_varint(&mut body) as usize;
        [&body[..name_at], &body[name_at..extra_at], &body[extra_at..]]
    }

    /// Names and values, sorted by name, without `__name__` and the extra label.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts().into_iter().flat_map(|part| Pairs { rest: part })
    }
}

/// The label that tells the series of one stream of this kind apart, which no attribute may take.
const fn extra_label(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Histogram { .. } | MetricKind::ExponentialHistogram { .. } => "le",
        MetricKind::Summary => "quantile",
        MetricKind::Gauge | MetricKind::Sum { .. } => "",
    }
}

impl FamilyType {
    /// The label that tells the series of one stream apart; empty where there is only one.
    pub(crate) const fn extra_label(self) -> &'static str {
        match self {
            Self::Histogram | Self::NativeHistogram => "le",
            Self::Summary => "quantile",
            Self::Counter | Self::Gauge | Self::Info => "",
        }
    }
}

fn is_identifying(key: &str) -> bool {
    matches!(key, SERVICE_NAME | SERVICE_NAMESPACE | SERVICE_INSTANCE)
}

/// Labels while they are decided.
struct Draft {
    labels: BTreeMap<String, String>,
    naming: LabelNaming,
}

impl Draft {
    fn of_attributes(frames: &[u8], naming: LabelNaming) -> Self {
        Self::of(attributes(frames), naming)
    }

    fn of<'a>(attributes: impl Iterator<Item = Attribute<'a>>, naming: LabelNaming) -> Self {
        let mut sorted: Vec<Attribute<'_>> = attributes.collect();
        sorted.sort_by_key(|attribute| attribute.key);
        let mut labels = BTreeMap::new();
        for attribute in sorted {
            join(&mut labels, naming.label(attribute.key).into_owned(), &attribute.value.to_text());
        }
        labels.remove(NAME);
        Self { labels, naming }
    }

    /// Resource attributes that the translation promotes, where the stream has no such label.
    fn promote(&mut self, resource_attributes: &[u8], translation: &Translation) {
        let takes = |attribute: &Attribute<'_>| translation.promote_resource_attributes.takes(attribute.key);
        let promoted = Self::of(attributes(resource_attributes).filter(takes), self.naming);
        for (name, value) in promoted.labels {
            self.labels.entry(name).or_insert(value);
        }
    }

    fn set_scope(&mut self, name: &str, version: &str, scope_attributes: &[u8]) {
        if name.is_empty() {
            return;
        }
        self.labels.insert("otel_scope_name".into(), name.into());
        self.labels.insert("otel_scope_version".into(), version.into());
        for attribute in attributes(scope_attributes) {
            let name = format!("otel_scope_{}", attribute.key);
            self.labels.insert(self.naming.label(&name).into_owned(), attribute.value.to_text().into_owned());
        }
    }

    /// `job` is the service with its namespace, `instance` the service's instance; both only where the resource says so.
    fn identify(&mut self, resource_attributes: &[u8]) {
        let find = |key| attributes(resource_attributes).find(|attribute| attribute.key == key);
        if let Some(service) = find(SERVICE_NAME) {
            let service = service.value.to_text();
            let job = match find(SERVICE_NAMESPACE) {
                Some(namespace) => format!("{}/{service}", namespace.value.to_text()),
                None => service.into_owned(),
            };
            self.labels.insert(JOB.into(), job);
        }
        if let Some(instance) = find(SERVICE_INSTANCE) {
            self.labels.insert(INSTANCE.into(), instance.value.to_text().into_owned());
        }
    }

    fn add_external(&mut self, external: &BTreeMap<String, String>) {
        for (name, value) in external {
            self.labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    fn encode(mut self, extra: &str) -> Labels {
        self.labels.remove(extra);
        let mut body = Vec::new();
        let (mut name_at, mut extra_at) = (0, 0);
        for (name, value) in self.labels.iter().filter(|(_, value)| !value.is_empty()) {
            put_label(&mut body, name, [value, ""]);
            name_at = if name.as_str() < NAME { body.len() } else { name_at };
            extra_at = if name.as_str() < extra { body.len() } else { extra_at };
        }
        let mut blob = Vec::with_capacity(body.len() + 4);
        put_varint(&mut blob, name_at as u64);
        put_varint(&mut blob, extra_at.max(name_at) as u64);
        blob.extend_from_slice(&body);
        Labels(blob.into_boxed_slice())
    }
}

fn join(labels: &mut BTreeMap<String, String>, name: String, value: &str) {
    labels
        .entry(name)
        .and_modify(|joined| {
            joined.push(';');
            joined.push_str(value);
        })
        .or_insert_with(|| value.to_owned());
}

/// Reads back what [`put_label`] wrote.
struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    fn take_string(&mut self) -> &'a str {
        self.rest = &self.rest[1..];
        let len = take_varint(&mut self.rest) as usize;
        let (string, rest) = self.rest.split_at(len);
        self.rest = rest;
        std::str::from_utf8(string).expect("only strings are written into a blob of labels")
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.rest = &self.rest[1..];
        take_varint(&mut self.rest);
        Some((self.take_string(), self.take_string()))
    }
}

#[cfg(test)]
mod tests;
