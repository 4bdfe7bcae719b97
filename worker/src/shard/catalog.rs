//! What the streams of a shard are called: their families, labels and resources, kept beside the streams by slot.
//!
//! A name is decided once per metric, and a family's streams are kept together, because a scrape must tell a family in one
//! piece and has no time to sort a million streams for it. Labels are encoded once per stream, when it is first told
//! anywhere: recovering a million streams need not wait for it.
//!
//! Knows nothing of values or times.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use shardset_export::{Family, FamilyType, Labels, Translation};
use shardset_model::{Context, Identity};

/// The order in which families are told; see [`Family::text_order`].
pub(crate) type FamilyKey = (Arc<str>, FamilyType);

/// Families, labels and resources of one shard.
#[derive(Debug)]
pub(crate) struct Catalog {
    translation: Translation,
    streams: Vec<Option<Entry>>,
    /// By the address of the context, which the metric keeps alive.
    metrics: HashMap<usize, Arc<Metric>>,
    families: BTreeMap<FamilyKey, Members>,
    resources: BTreeMap<u32, Resource>,
    resource_ids: HashMap<Labels, u32>,
    /// Ids are not used again, so that a pass which has told one is past it.
    next_resource: u32,
    target_info: Arc<Family>,
    count: Count,
}

/// How many streams there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Count {
    /// That are told.
    pub(crate) live: u32,
    /// That have ended and keep their total.
    pub(crate) ended: u32,
}

/// One stream.
#[derive(Debug)]
struct Entry {
    metric: Arc<Metric>,
    labels: Option<Labels>,
    live: bool,
}

/// What the streams of one context share.
#[derive(Debug)]
struct Metric {
    context: Arc<Context>,
    /// `None` where nothing is left of the metric's name.
    family: Option<(FamilyKey, Arc<Family>)>,
    /// `None` where the resource has no `target_info`.
    resource: Option<u32>,
}

/// One family's part of the shard.
#[derive(Debug)]
struct Members {
    family: Arc<Family>,
    /// Slots of streams; ids of resources where the family is `target_info`.
    members: BTreeSet<u32>,
}

/// A resource that is told as a `target_info` series.
#[derive(Debug)]
pub(crate) struct Resource {
    /// What tells it apart.
    pub(crate) labels: Labels,
    /// The generation in which it was last told for the first time: at its birth, or when it came back.
    pub(crate) born: u32,
    /// The generation in which the last of its streams had ended; `None` while one is live.
    pub(crate) gone: Option<u32>,
    /// How many of its streams are live.
    live: u32,
    /// How many of its metrics have a stream here.
    metrics: u32,
}

impl Catalog {
    /// An empty catalog that calls things so.
    pub(crate) fn new(translation: Translation) -> Self {
        let target_info = Arc::new(Family::target_info(&translation));
        Self {
            translation,
            streams: Vec::new(),
            metrics: HashMap::new(),
            families: BTreeMap::new(),
            resources: BTreeMap::new(),
            resource_ids: HashMap::new(),
            next_resource: 0,
            target_info,
            count: Count::default(),
        }
    }

    /// A stream has taken this slot; whether it lives is yet to be said.
    pub(crate) fn enter(&mut self, slot: u32, identity: &Identity, generation: u32) {
        let metric = self.metric(&identity.context, generation);
        if let Some((key, family)) = &metric.family {
            self.families.entry(key.clone()).or_insert_with(|| Members::of(family)).members.insert(slot);
        }
        let position = slot as usize;
        if self.streams.len() <= position {
            self.streams.resize_with(position + 1, || None);
        }
        self.streams[position] = Some(Entry { metric, labels: None, live: false });
        self.count.ended += 1;
    }

    /// The stream in this slot lives, or has ended for now.
    pub(crate) fn set_live(&mut self, slot: u32, live: bool, generation: u32) {
        let Some(Some(entry)) = self.streams.get_mut(slot as usize) else { return };
        if entry.live == live {
            return;
        }
        entry.live = live;
        let resource = entry.metric.resource.and_then(|id| self.resources.get_mut(&id));
        if live {
            self.count = Count { live: self.count.live + 1, ended: self.count.ended - 1 };
            resource.into_iter().for_each(|resource| resource.revive(generation));
        } else {
            self.count = Count { live: self.count.live - 1, ended: self.count.ended + 1 };
            resource.into_iter().for_each(|resource| resource.end_one(generation));
        }
    }

    /// The stream in this slot is no more.
    pub(crate) fn leave(&mut self, slot: u32, generation: u32) {
        self.set_live(slot, false, generation);
        let Some(entry) = self.streams.get_mut(slot as usize).and_then(Option::take) else { return };
        self.count.ended -= 1;
        if let Some((key, _)) = &entry.metric.family {
            self.remove_member(key, slot);
        }
        // This entry and the table of metrics: nobody else holds the metric.
        if Arc::strong_count(&entry.metric) == 2 {
            self.metrics.remove(&address(&entry.metric.context));
            self.release_resource(entry.metric.resource);
        }
    }

    /// How many streams there are.
    pub(crate) fn count(&self) -> Count {
        self.count
    }

    /// The family and labels of the stream in this slot; `None` where its metric can not be told.
    pub(crate) fn told(&mut self, slot: u32, identity: &Identity) -> Option<(&Family, &Labels)> {
        let entry = self.streams.get_mut(slot as usize)?.as_mut()?;
        let (_, family) = entry.metric.family.as_ref()?;
        let labels = entry.labels.get_or_insert_with(|| Labels::of(identity, &self.translation));
        Some((family, labels))
    }

    /// The families after `after` in their order.
    pub(crate) fn families_after(&self, after: Option<&FamilyKey>) -> impl Iterator<Item = (&FamilyKey, &Arc<Family>)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.families.range((from, Bound::Unbounded)).map(|(key, members)| (key, &members.family))
    }

    /// The members of a family from `from` on: slots of streams, or ids of resources.
    pub(crate) fn members(&self, family: &FamilyKey, from: u32) -> impl Iterator<Item = u32> {
        self.families.get(family).into_iter().flat_map(move |members| members.members.range(from..).copied())
    }

    /// The resources from id `from` on.
    pub(crate) fn resources(&self, from: u32) -> impl Iterator<Item = (u32, &Resource)> {
        self.resources.range(from..).map(|(&id, resource)| (id, resource))
    }

    /// The family of resources.
    pub(crate) fn target_info(&self) -> &Arc<Family> {
        &self.target_info
    }

    fn metric(&mut self, context: &Arc<Context>, generation: u32) -> Arc<Metric> {
        if let Some(metric) = self.metrics.get(&address(context)) {
            return Arc::clone(metric);
        }
        let family = match Family::of(context, &self.translation) {
            Ok(family) => Some((key(&family), Arc::new(family))),
            Err(unnameable) => {
                tracing::warn!(error = %unnameable, "streams of this metric are counted and can not be exported");
                None
            }
        };
        let resource = self.take_resource(&context.resource_attributes, generation);
        let metric = Arc::new(Metric { context: Arc::clone(context), family, resource });
        self.metrics.insert(address(context), Arc::clone(&metric));
        metric
    }

    fn take_resource(&mut self, attributes: &[u8], generation: u32) -> Option<u32> {
        let labels = Labels::of_target(attributes, &self.translation)?;
        let id = *self.resource_ids.entry(labels.clone()).or_insert_with(|| {
            let id = self.next_resource;
            self.next_resource += 1;
            self.resources.insert(id, Resource { labels, born: generation, gone: Some(0), live: 0, metrics: 0 });
            let family = &self.target_info;
            self.families.entry(key(family)).or_insert_with(|| Members::of(family)).members.insert(id);
            id
        });
        self.resources.get_mut(&id).expect("ids are of resources").metrics += 1;
        Some(id)
    }

    fn release_resource(&mut self, id: Option<u32>) {
        let Some(id) = id else { return };
        let resource = self.resources.get_mut(&id).expect("a metric holds its resource");
        resource.metrics -= 1;
        if resource.metrics == 0 {
            self.resource_ids.remove(&resource.labels);
            self.resources.remove(&id);
            let key = key(&self.target_info);
            self.remove_member(&key, id);
        }
    }

    fn remove_member(&mut self, key: &FamilyKey, member: u32) {
        let Some(members) = self.families.get_mut(key) else { return };
        members.members.remove(&member);
        if members.members.is_empty() {
            self.families.remove(key);
        }
    }
}

impl Resource {
    fn revive(&mut self, generation: u32) {
        self.live += 1;
        if self.gone.take().is_some() {
            self.born = generation;
        }
    }

    fn end_one(&mut self, generation: u32) {
        self.live -= 1;
        self.gone = (self.live == 0).then_some(generation);
    }
}

impl Members {
    fn of(family: &Arc<Family>) -> Self {
        Self { family: Arc::clone(family), members: BTreeSet::new() }
    }
}

fn key(family: &Family) -> FamilyKey {
    (family.name().into(), family.kind())
}

fn address(context: &Arc<Context>) -> usize {
    Arc::as_ptr(context).addr()
}

#[cfg(test)]
mod tests;
