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

use std::borrow::Cow;
use std::collections::BTreeMap;

use shardset_model::{Identity, MetricKind};
use shardset_otlp::attributes::{Attribute, attributes};

pub(crate) use self::naming::LabelNaming;
use crate::prompb::{label_len, put_label, put_varint, take_varint, varint_len};
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
        let mut draft = Draft::of(attributes(&stream.attributes), LabelNaming::of(translation));
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
        if !translation.target_info || draft.labels.iter().all(|(_, value)| value.is_empty()) {
            return None;
        }
        draft.identify(resource_attributes);
        let identified = draft.has_value(JOB) || draft.has_value(INSTANCE);
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

/// Labels while they are decided: sorted by name, borrowed from the attributes where nothing had to be changed.
struct Draft<'a> {
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    naming: LabelNaming,
}

impl<'a> Draft<'a> {
    fn of(attributes: impl Iterator<Item = Attribute<'a>>, naming: LabelNaming) -> Self {
        let mut sorted: Vec<Attribute<'a>> = attributes.collect();
        sorted.sort_by_key(|attribute| attribute.key);
        let label = |attribute: Attribute<'a>| (naming.label(attribute.key), attribute.value.to_text());
        let mut labels: Vec<_> = sorted.into_iter().map(label).collect();
        labels.sort_by(|a, b| a.0.cmp(&b.0));
        labels.dedup_by(|later, earlier| later.0 == earlier.0 && join(&mut earlier.1, &later.1));
        let mut draft = Self { labels, naming };
        draft.remove(NAME);
        draft
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.labels.binary_search_by(|label| (*label.0).cmp(name))
    }

    fn set(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        match self.position(&name) {
            Ok(at) => self.labels[at].1 = value,
            Err(at) => self.labels.insert(at, (name, value)),
        }
    }

    fn set_if_absent(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) {
        if let Err(at) = self.position(&name) {
            self.labels.insert(at, (name, value));
        }
    }

    fn remove(&mut self, name: &str) {
        if let Ok(at) = self.position(name) {
            self.labels.remove(at);
        }
    }

    fn has_value(&self, name: &str) -> bool {
        self.position(name).is_ok_and(|at| !self.labels[at].1.is_empty())
    }

    /// Resource attributes that the translation promotes, where the stream has no such label.
    fn promote(&mut self, resource_attributes: &'a [u8], translation: &Translation) {
        if translation.promote_resource_attributes.takes_none() {
            return;
        }
        let takes = |attribute: &Attribute<'_>| translation.promote_resource_attributes.takes(attribute.key);
        let promoted = Self::of(attributes(resource_attributes).filter(takes), self.naming);
        for (name, value) in promoted.labels {
            self.set_if_absent(name, value);
        }
    }

    fn set_scope(&mut self, name: &'a str, version: &'a str, scope_attributes: &'a [u8]) {
        if name.is_empty() {
            return;
        }
        self.set("otel_scope_name", name);
        self.set("otel_scope_version", version);
        for attribute in attributes(scope_attributes) {
            let name = format!("otel_scope_{}", attribute.key);
            self.set(self.naming.label(&name).into_owned(), attribute.value.to_text());
        }
    }

    /// `job` is the service with its namespace, `instance` the service's instance; both only where the resource says so.
    fn identify(&mut self, resource_attributes: &'a [u8]) {
        let (mut service, mut namespace, mut instance) = (None, None, None);
        for attribute in attributes(resource_attributes) {
            let found = match attribute.key {
                SERVICE_NAME => &mut service,
                SERVICE_NAMESPACE => &mut namespace,
                SERVICE_INSTANCE => &mut instance,
                _ => continue,
            };
            found.get_or_insert_with(|| attribute.value.to_text());
        }
        match (service, namespace) {
            (Some(service), Some(namespace)) => self.set(JOB, format!("{namespace}/{service}")),
            (Some(service), None) => self.set(JOB, service),
            (None, _) => {}
        }
        if let Some(instance) = instance {
            self.set(INSTANCE, instance);
        }
    }

    fn add_external(&mut self, external: &'a BTreeMap<String, String>) {
        for (name, value) in external {
            self.set_if_absent(name.into(), value.into());
        }
    }

    fn encode(mut self, extra: &str) -> Labels {
        self.remove(extra);
        self.labels.retain(|(_, value)| !value.is_empty());
        let len_of = |(name, value): &(Cow<'_, str>, Cow<'_, str>)| label_len(name, value.len());
        let len_before =
            |end: &str| -> usize { self.labels.iter().take_while(|(name, _)| &**name < end).map(len_of).sum() };
        let name_at = len_before(NAME);
        let extra_at = len_before(extra).max(name_at);
        let body: usize = self.labels.iter().map(len_of).sum();
        let header = varint_len(name_at as u64) + varint_len(extra_at as u64);
        let mut blob = Vec::with_capacity(header + body);
        put_varint(&mut blob, name_at as u64);
        put_varint(&mut blob, extra_at as u64);
        for (name, value) in &self.labels {
            put_label(&mut blob, name, [value, ""]);
        }
        Labels(blob.into_boxed_slice())
    }
}

/// Appends the value of an attribute that became the same label.
fn join(joined: &mut Cow<'_, str>, value: &str) -> bool {
    let joined = joined.to_mut();
    joined.push(';');
    joined.push_str(value);
    true
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
