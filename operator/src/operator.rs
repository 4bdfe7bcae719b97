//! The process: waits for its turn to act, watches, and gives each set a keeper.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::runtime::events::Reporter;
use shardset_process::{Readiness, Tasks};
use shardset_tls::Identity;
use tokio::time::sleep;

use crate::gateways;
use crate::keep::Keeper;
use crate::lease::Election;
use crate::metrics::Metrics;
use crate::observe::{Caches, Key, Scope, follow};

/// How often new sets are looked for; whoever is there already is woken by its own news.
const LOOK_FOR_SETS: Duration = Duration::from_millis(200);

/// How an operator is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace whose sets are looked after; all where there is none.
    pub watch: Option<String>,
    /// The operator's own namespace, where its lease is.
    pub namespace: String,
    /// The name of the lease, by which it knows the others of which one acts.
    pub lease: String,
    /// Who this operator is, among others: its pod's name.
    pub identity: String,
    /// The image of workers and gateways whose set names none.
    pub image: String,
    /// Who it is to the workers of sets with TLS between their parts.
    pub tls: Option<Identity>,
}

/// What keepers share.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) caches: Caches,
    pub(crate) metrics: Metrics,
    pub(crate) reporter: Reporter,
    pub(crate) image: Arc<str>,
    /// The operator's own.
    pub(crate) namespace: Arc<str>,
    pub(crate) http: reqwest::Client,
    pub(crate) identity: Option<Identity>,
}

/// Runs until the tasks stop, or until another operator acts.
///
/// # Errors
///
/// Where there can be no HTTP client.
pub fn run(
    client: Client,
    settings: Settings,
    metrics: Metrics,
    readiness: &Readiness,
    tasks: &Tasks,
) -> Result<(), reqwest::Error> {
    let scope = Scope { client: client.clone(), namespace: settings.watch.clone() };
    // Watches run before the lease is held, so that whoever takes over knows everything already.
    let caches = follow(&scope, readiness, tasks);
    let reporter = Reporter { controller: "shardset-operator".to_owned(), instance: Some(settings.identity.clone()) };
    let context = Context {
        client: client.clone(),
        caches,
        metrics: metrics.clone(),
        reporter,
        image: settings.image.as_str().into(),
        namespace: settings.namespace.as_str().into(),
        http: gateways::client()?,
        identity: settings.tls,
    };
    let mut election = Election::new(client, &settings.namespace, &settings.lease, settings.identity);
    let (all, readiness) = (tasks.clone(), readiness.clone());
    metrics.leads(false);
    tasks.spawn("lease", async move {
        let stop = all.stop();
        if stop.run_until_cancelled(election.win()).await.is_none() {
            return Ok(());
        }
        metrics.leads(true);
        let acting = all.clone();
        all.spawn("sets", async move {
            acting.stop().run_until_cancelled(keep_all(context, readiness, acting.clone())).await;
            Ok::<(), Infallible>(())
        });
        // Where the lease is lost the process ends, and with it whatever it was about to do.
        election.keep(stop).await
    });
    Ok(())
}

/// Gives each set a keeper.
async fn keep_all(context: Context, readiness: Readiness, tasks: Tasks) {
    while !readiness.unmet().is_empty() {
        sleep(LOOK_FOR_SETS).await;
    }
    let kept = Arc::new(Mutex::new(HashSet::new()));
    loop {
        for key in context.caches.sets() {
            if !lock(&kept).insert(key.clone()) {
                continue;
            }
            let (kept, context, stop) = (Arc::clone(&kept), context.clone(), tasks.stop());
            tasks.spawn(format!("set {}/{}", key.namespace, key.name), async move {
                if let Some(set) = context.caches.set(&key) {
                    let keeper = Keeper::new(key.clone(), set, context);
                    // Whoever stops acts no more: what it knows is of before, and another operator may act already.
                    stop.run_until_cancelled(Box::pin(keeper.keep())).await;
                }
                lock(&kept).remove(&key);
                Ok::<(), Infallible>(())
            });
        }
        sleep(LOOK_FOR_SETS).await;
    }
}

fn lock(kept: &Mutex<HashSet<Key>>) -> std::sync::MutexGuard<'_, HashSet<Key>> {
    // Whole between any two statements.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
