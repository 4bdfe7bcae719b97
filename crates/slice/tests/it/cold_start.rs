//! A gateway that starts while the API server is away.

use std::path::PathBuf;
use std::time::Duration;

use shardset_membership::{Expect, Origin, Published, Record, Refusals, WorkerAt, publish};
use shardset_model::{Membership, Phase};
use shardset_process::Tasks;
use shardset_slice::{Seed, Source, WorkerNames, watch};
use shardset_tls::PeerTls;

use crate::api::{SET, Server};
use crate::workers::Workers;

/// Nothing here takes as long; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(40);

struct Gateway {
    published: Published,
    refusals: Refusals,
    _tasks: Tasks,
}

impl Gateway {
    fn start(server: &Server, names: WorkerNames, snapshot: Option<PathBuf>) -> Self {
        let (refusals, tasks) = (Refusals::default(), Tasks::default());
        let seed = Seed { names, set: format!("ns/{SET}").parse().unwrap(), tls: PeerTls::default() };
        let source = Source { namespace: "ns".into(), set: SET.into(), snapshot, workers: Some(seed) };
        Self { published: watch(server.client(), source, &refusals, &tasks), refusals, _tasks: tasks }
    }

    /// Waits for this epoch, and how it came.
    async fn holds(&mut self, epoch: u64, origin: Origin) -> Record {
        let is_so = |record: &Record| record.membership().epoch().get() == epoch && record.origin() == origin;
        let held = self.published.records.wait_for(|held| held.as_deref().is_some_and(is_so));
        let held = tokio::time::timeout(PATIENCE, held).await.expect("in time").unwrap();
        held.as_deref().unwrap().clone()
    }

    async fn says(&self, trouble: &str) {
        eventually(trouble, || self.published.trouble.now().is_some_and(|now| now.contains(trouble))).await;
    }
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

fn at(epoch: u64, shards: u32, previous: u32) -> Membership {
    let phase = if shards == previous { Phase::Stable } else { Phase::Moving };
    Membership::new(epoch, shards, previous, phase).unwrap()
}

fn published(membership: Membership) -> Record {
    let worker = |shard| WorkerAt { shard, address: format!("10.0.0.{}:4317", shard + 1).parse().unwrap(), uid: None };
    let workers = (0..membership.shards().get().max(membership.previous().get())).map(worker).collect();
    Record::new(membership, workers).unwrap()
}

#[tokio::test]
async fn workers_say_the_membership_until_the_api_server_does() {
    let (server, workers, folder) = (Server::silent(), Workers::none().await, tempfile::tempdir().unwrap());
    let snapshot = folder.path().join("membership.json");
    // Worker 1 has not heard of the move, worker 2 is away, worker 9 is none of the few that are asked first.
    workers.start(0, 0, Some(&at(8, 10, 3))).await;
    workers.start(1, 1, Some(&at(7, 3, 3))).await;
    workers.start(9, 9, Some(&at(8, 10, 10))).await;
    let mut gateway = Gateway::start(&server, workers.names(), Some(snapshot.clone()));
    let held = gateway.holds(8, Origin::Worker).await;
    assert_eq!((held.membership(), gateway.published.trouble.now()), (&at(8, 10, 10), None));
    assert!(held.workers()[2].address.as_str().starts_with("127.9.2.1:"), "members are known that were not there");
    assert!(held.workers().len() > 100, "and those of a later membership");
    assert!(!snapshot.exists(), "what was not published is not kept");

    server.serve(Some(&published(at(6, 2, 2))));
    eventually("an older one is refused", || gateway.refusals.of("older_epoch") == 1).await;
    assert_eq!(gateway.published.records.borrow().as_deref(), Some(&held));
    server.serve(Some(&published(at(8, 10, 10))));
    let followed = gateway.holds(8, Origin::Watch).await;
    assert_eq!(followed, published(at(8, 10, 10)), "the addresses are those of the slice");
    eventually("it is kept", || snapshot.exists()).await;
}

#[tokio::test]
async fn whoever_is_away_is_asked_again_and_it_is_told_why_there_is_none() {
    let (server, workers) = (Server::refusing(), Workers::none().await);
    let mut gateway = Gateway::start(&server, workers.names(), None);
    gateway.says("the API server does not say what is published").await;
    gateway.says("no worker says what the membership is: worker 0: 127.9.0.1").await;
    assert!(gateway.published.records.borrow().is_none());
    // It is beyond the few that are asked at first.
    workers.start(20, 20, Some(&at(5, 30, 30))).await;
    gateway.holds(5, Origin::Worker).await;
}

#[tokio::test]
async fn a_worker_of_a_new_disk_is_no_source() {
    let (server, workers) = (Server::silent(), Workers::none().await);
    let new = workers.start(0, 0, None).await;
    let mut gateway = Gateway::start(&server, workers.names(), None);
    gateway.says("worker 0: it has none itself, since its disk is new").await;
    assert!(gateway.published.records.borrow().is_none());
    new.adopt(&at(3, 1, 1));
    gateway.holds(3, Origin::Worker).await;
    assert!(new.asked() >= 2);
}

#[tokio::test]
async fn a_name_that_leads_to_another_worker_is_no_source() {
    let (server, workers) = (Server::silent(), Workers::none().await);
    workers.start(0, 4, Some(&at(3, 5, 5))).await;
    let mut gateway = Gateway::start(&server, workers.names(), None);
    gateway.says("leads to worker 4").await;
    assert!(gateway.published.records.borrow().is_none());
    workers.start(3, 3, Some(&at(2, 5, 5))).await;
    gateway.holds(2, Origin::Worker).await;
}

/// Time is the test's: an hour has passed, and what waited for anything has had it.
#[tokio::test(start_paused = true)]
async fn nobody_is_asked_where_the_api_server_says_that_nothing_is_published() {
    let (server, workers) = (Server::silent(), Workers::none().await);
    let worker = workers.start(0, 0, Some(&at(3, 1, 1))).await;
    server.serve(None);
    let gateway = Gateway::start(&server, workers.names(), None);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let said = gateway.published.trouble.now();
    assert_eq!(said.as_deref(), Some("the API server answers, and no membership is published yet"));
    assert!(gateway.published.records.borrow().is_none());
    assert_eq!(worker.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_where_a_membership_is_known_from_before() {
    let (server, workers, folder) = (Server::silent(), Workers::none().await, tempfile::tempdir().unwrap());
    let worker = workers.start(0, 0, Some(&at(4, 1, 1))).await;
    let snapshot = folder.path().join("membership.json");
    publish(&snapshot, Expect::Nothing, &published(at(3, 1, 1))).unwrap();
    let mut gateway = Gateway::start(&server, workers.names(), Some(snapshot));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    gateway.holds(3, Origin::Snapshot).await;
    // Whoever is asked in vain is told of: in a time that does not pass by itself no answer may come.
    assert_eq!((worker.asked(), gateway.published.trouble.now()), (0, None));
}
