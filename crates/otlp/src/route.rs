//! The 64 bits of a point that decide its shard, for each routing key.
//!
//! They decide which disk a stream is on, so they are as fixed as identity is (see there for `sum`, `count` and the byte
//! order; `h` is XXH3 with 64 bits, the default secret and no seed):
//!
//! - `streamID`: the lower 64 bits of the stream's id.
//! - `resource`: `h` of the resource's `sum` and `count`.
//! - `metric`: `h` of the metric's name.
//! - `attributes`: `h` of one entry per listed name, in the order of the list: the name after its length in 4 bytes; 1
//!   byte, 0 where the attribute is missing, else 1 and then the bytes of its `AnyValue` after their length in 4 bytes. A
//!   name is looked up on the resource, then the scope, then the point; of equal keys on one of them the first counts.
//! - `service`: as `attributes` with the one name `service.name`, looked up on the resource only. Where that is missing:
//!   as `resource`.

use shardset_model::{Identity, RoutingAttributes, RoutingKey, StreamId};
use xxhash_rust::xxh3::xxh3_64;

use crate::identity::AttributeSum;
use crate::scan::Scanned;
use crate::walk::{Place, RESOURCE_ATTRIBUTES, SCOPE_ATTRIBUTES};
use crate::wire::Reader;

/// What decides the shard of the points of a request, where it is not their identity.
#[derive(Debug)]
pub(crate) struct Router<'k> {
    by: By<'k>,
    /// The metric that `key` was computed for, where all points of it have one key.
    metric: Option<u32>,
    key: u64,
    buffer: Vec<u8>,
    /// Points that have no `service.name`.
    pub(crate) without_service: u64,
}

#[derive(Clone, Copy, Debug)]
enum By<'k> {
    Resource,
    Service,
    Metric,
    Attributes(&'k RoutingAttributes),
}

impl<'k> Router<'k> {
    /// A router by this key; `None` where identity decides.
    pub(crate) fn new(key: &'k RoutingKey) -> Option<Self> {
        let by = match key {
            RoutingKey::StreamId => return None,
            RoutingKey::Resource => By::Resource,
            RoutingKey::Service => By::Service,
            RoutingKey::Metric => By::Metric,
            RoutingKey::Attributes(attributes) => By::Attributes(attributes),
        };
        Some(Self { by, metric: None, key: 0, buffer: Vec::new(), without_service: 0 })
    }

    /// The 64 bits of a point.
    pub(crate) fn key(&mut self, place: &Place<'_>, point: &Scanned<'_>) -> u64 {
        if self.metric != Some(place.serial()) {
            let shared = self.compute(place, point);
            self.metric = shared.then_some(place.serial());
        }
        if matches!(self.by, By::Service) && self.buffer.is_empty() {
            self.without_service += 1;
        }
        self.key
    }

    /// Computes the key of a point. Returns whether all points of its metric have the same.
    fn compute(&mut self, place: &Place<'_>, point: &Scanned<'_>) -> bool {
        self.buffer.clear();
        let mut shared = true;
        self.key = match self.by {
            By::Resource => resource_key(place.resource.sum),
            By::Metric => xxh3_64(place.metric.name.as_bytes()),
            By::Service => match find(place.resource.message, RESOURCE_ATTRIBUTES, SERVICE_NAME) {
                Some(value) => {
                    put_entry(SERVICE_NAME, Some(value), &mut self.buffer);
                    xxh3_64(&self.buffer)
                }
                None => resource_key(place.resource.sum),
            },
            By::Attributes(attributes) => {
                for name in attributes.names() {
                    let value = find(place.resource.message, RESOURCE_ATTRIBUTES, name)
                        .or_else(|| find(place.scope.message, SCOPE_ATTRIBUTES, name))
                        .or_else(|| {
                            shared = false;
                            find(point.point, place.data.shape.attributes, name)
                        });
                    put_entry(name, value, &mut self.buffer);
                }
                xxh3_64(&self.buffer)
            }
        };
        shared
    }
}

/// The 64 bits of a stream that is kept: the same as of its points, by which it is found where it was routed to.
pub fn of_stream(stream: StreamId, identity: &Identity, key: &RoutingKey) -> u64 {
    let resource = &identity.context.resource_attributes;
    match key {
        RoutingKey::StreamId => stream.low64(),
        RoutingKey::Resource => resource_key(sum_of(resource)),
        RoutingKey::Metric => xxh3_64(identity.context.name.as_bytes()),
        RoutingKey::Service => match find_framed(resource, SERVICE_NAME) {
            Some(value) => hash_of([(SERVICE_NAME, Some(value))]),
            None => resource_key(sum_of(resource)),
        },
        RoutingKey::Attributes(attributes) => {
            let places = [resource, &identity.context.scope_attributes, &identity.attributes];
            let value = |name| places.iter().find_map(|frames| find_framed(frames, name));
            hash_of(attributes.names().map(|name| (name, value(name))))
        }
    }
}

fn hash_of<'a>(entries: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>) -> u64 {
    let mut buffer = Vec::new();
    entries.into_iter().for_each(|(name, value)| put_entry(name, value, &mut buffer));
    xxh3_64(&buffer)
}

/// The attributes in `frames` as [`AttributeSum`] has them.
fn sum_of(frames: &[u8]) -> AttributeSum {
    let mut sum = AttributeSum::default();
    framed(frames).for_each(|key_value| sum.add(key_value.bytes()));
    sum
}

fn find_framed<'a>(frames: &'a [u8], name: &str) -> Option<&'a [u8]> {
    framed(frames).find_map(|key_value| value_of(key_value, name))
}

/// The `KeyValue` messages in `frames`; see [`shardset_model::Identity`].
fn framed(frames: &[u8]) -> impl Iterator<Item = Reader<'_>> {
    let mut frames = Reader::new(frames);
    std::iter::from_fn(move || {
        let length = frames.varint().ok()?;
        frames.take(length).ok()
    })
}

const SERVICE_NAME: &str = "service.name";

fn resource_key(attributes: AttributeSum) -> u64 {
    xxh3_64(&attributes.bytes())
}

/// Appends what stands for an attribute: with its name, so that `ab` + `c` is not `a` + `bc`.
fn put_entry(name: &str, value: Option<&[u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(&(name.len() as u32).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
        out.extend_from_slice(value);
    }
}

/// The bytes of the value of the first attribute with this key; `attributes` is the field they are in.
fn find<'a>(message: Reader<'a>, attributes: u32, name: &str) -> Option<&'a [u8]> {
    message.messages(attributes).find_map(|key_value| value_of(key_value, name))
}

/// The bytes of the value of this attribute, if it has this key.
fn value_of<'a>(key_value: Reader<'a>, name: &str) -> Option<&'a [u8]> {
    let mut key = "";
    let mut value: &[u8] = &[];
    for part in key_value.checked() {
        match (part.number, part.message()) {
            (1, _) => key = part.text(),
            (2, Some(message)) => value = message.bytes(),
            _ => {}
        }
    }
    (key == name).then_some(value)
}
