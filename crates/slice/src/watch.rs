//! Follows the membership of one set in a cluster.
//!
//! Two watches: the set's own slice, by its name, and the slices of the workers' Service, by label. Each is renewed every
//! 20 to 30 s, goes on from where it was, and begins anew after an error, with growing pauses. Until a new list is whole what was
//! known stays: a membership is never cleared, whatever the API server says or does not say. Where nothing is known and the API server
//! does not say anything, workers are asked (`seed`), until it does.
//!
//! Boundary: knows nothing of gateways; what is published goes into a channel that keeps the latest.

mod collected;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, OptionFuture};
use futures_util::stream::{BoxStream, StreamExt};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use shardset_membership::{Origin, Published, Record, Refusals, Refused, Trouble, admit};
use shardset_process::Tasks;
use shardset_process::logging::chain;
use tokio::sync::watch;

use self::collected::Collected;
use crate::format::read;
use crate::places::with_newer_places;
use crate::seed::{self, Seed};
use crate::{client, names, snapshot};

/// Whose membership is followed.
#[derive(Clone, Debug)]
pub struct Source {
    /// The namespace of the set.
    pub namespace: String,
    /// The set's name.
    pub set: String,
    /// A file that the last good membership is kept in, over restarts of the process.
    pub snapshot: Option<PathBuf>,
    /// Whom to ask for the first membership while the API server is away; nobody where there are no names.
    pub workers: Option<Seed>,
}

/// Follows the membership until the tasks stop or nobody listens any more.
pub fn watch(client: Client, source: Source, refusals: &Refusals, tasks: &Tasks) -> Published {
    let from = format!("the EndpointSlice {}/{}", source.namespace, names::membership(&source.set));
    let known = source.snapshot.as_deref().and_then(snapshot::load);
    let (sender, records) = watch::channel(known.clone().map(Arc::new));
    let published = Published::new(from, records);
    let slices = Api::namespaced(client, &source.namespace);
    let follow = Follow {
        source,
        published: known,
        endpoints: Collected::default(),
        membership: Collected::default(),
        records: sender,
        refusals: refusals.clone(),
        trouble: published.trouble.clone(),
    };
    let stop = tasks.stop();
    tasks.spawn("membership-slice", async move {
        stop.run_until_cancelled(follow.run(slices)).await;
        Ok::<(), Infallible>(())
    });
    published
}

type Slices = BoxStream<'static, watcher::Result<Event<EndpointSlice>>>;

fn slices(api: Api<EndpointSlice>, config: watcher::Config) -> Slices {
    watcher(api, config.timeout(client::watch_seconds())).default_backoff().boxed()
}

struct Follow {
    source: Source,
    /// The record of the slice, before the places of the workers' Service.
    published: Option<Record>,
    membership: Collected,
    endpoints: Collected,
    records: watch::Sender<Option<Arc<Record>>>,
    refusals: Refusals,
    trouble: Trouble,
}

impl Follow {
    async fn run(mut self, api: Api<EndpointSlice>) {
        let set = self.source.set.clone();
        let named = watcher::Config::default().fields(&format!("metadata.name={}", names::membership(&set)));
        let labelled = watcher::Config::default().labels(&format!("{}={}", names::SERVICE, names::workers(&set)));
        let (mut named, mut labelled) = (slices(api.clone(), named), slices(api, labelled));
        let listening = self.records.clone();
        let mut asking = self.asks_workers();
        loop {
            tokio::select! {
                Some(event) = named.next() => self.take(event),
                Some(event) = labelled.next() => if !self.endpoints.take(event) { continue },
                Some(record) = OptionFuture::from(asking.as_mut()) => self.learn(record),
                () = listening.closed() => return,
                else => return,
            }
            // The API server has answered, or a worker has.
            if self.published.is_some() || self.membership.is_whole() {
                asking = None;
            }
            self.tell().await;
        }
    }

    /// The question to the workers, where there is anything to ask.
    fn asks_workers(&self) -> Option<BoxFuture<'static, Record>> {
        let seed = self.source.workers.clone().filter(|_| self.published.is_none())?;
        let trouble = self.trouble.clone();
        Some(async move { seed::first(&seed, &trouble).await }.boxed())
    }

    fn learn(&mut self, record: Record) {
        let (epoch, shards) = (record.membership().epoch().get(), record.membership().shards().get());
        tracing::info!(
            epoch,
            shards,
            set = self.source.set,
            "the API server does not answer; workers say what the membership is"
        );
        self.published = Some(record);
    }

    fn take(&mut self, event: watcher::Result<Event<EndpointSlice>>) {
        if let (Err(error), None) = (&event, &self.published) {
            self.trouble.say(format!("the API server does not say what is published: {}", chain(error)));
        }
        if self.membership.take(event) {
            self.look();
        }
    }

    /// Takes the membership that is published now, if it may be taken.
    fn look(&mut self) {
        let refused = match self.membership.slices().next() {
            Some(slice) => match read(&self.source.set, slice) {
                Ok(record) => match admit(self.published.as_ref(), record) {
                    Ok(record) => return self.published = Some(record),
                    Err(refused) => refused,
                },
                Err(bad) => Refused::Elsewhere { reason: bad.reason(), source: Box::new(bad) },
            },
            // A gateway that starts with its set is there before the first membership.
            None if self.published.is_none() => {
                self.trouble.say("the API server answers, and no membership is published yet");
                return tracing::info!(set = self.source.set, "no membership is published yet");
            }
            None => Refused::Elsewhere { reason: "missing", source: "there is no such EndpointSlice".into() },
        };
        self.refusals.count(&refused);
        if self.published.is_none() {
            self.trouble.say(chain(&refused));
        }
        tracing::warn!(
            error = chain(&refused),
            set = self.source.set,
            "a published membership is refused; the last good one stays"
        );
    }

    async fn tell(&self) {
        let Some(published) = &self.published else { return };
        let now = with_newer_places(&self.source.set, published, self.endpoints.slices());
        if self.records.borrow().as_deref() == Some(&now) {
            return;
        }
        let (epoch, shards) = (now.membership().epoch().get(), now.membership().shards().get());
        tracing::debug!(epoch, shards, set = self.source.set, "a membership is published");
        self.trouble.clear();
        self.records.send_replace(Some(Arc::new(now.clone())));
        // Only what was published is kept: whoever starts anew can ask workers anew.
        if let Some(path) = self.source.snapshot.as_deref().filter(|_| now.origin() != Origin::Worker) {
            snapshot::keep(path, &now).await;
        }
    }
}
