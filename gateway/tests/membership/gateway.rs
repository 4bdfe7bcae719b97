//! A gateway on loopback that is told its memberships by the test.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::registry::Registry;
use shardset_gateway::deliver::DeliverSettings;
use shardset_gateway::pipeline::{Gateway, Metrics, Setup};
use shardset_gateway::receive::ReceiveSettings;
use shardset_membership::{Published, Record};
use shardset_process::{Readiness, Tasks};
use shardset_wire::{ExportAnswer, MetricsClient};
use tokio::sync::watch;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Nothing here takes as long; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Running {
    gateway: Gateway,
    client: Client,
    publish: Option<watch::Sender<Option<Arc<Record>>>>,
    registry: Registry,
    pub(crate) readiness: Readiness,
    tasks: Tasks,
}

impl Running {
    /// With the default settings, and a deadline that no test waits for.
    pub(crate) async fn start(record: Option<Record>) -> Self {
        Self::start_with(record, PATIENCE).await
    }

    pub(crate) async fn start_with(record: Option<Record>, deadline: Duration) -> Self {
        let (publish, records) = watch::channel(record.map(Arc::new));
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let setup = Setup {
            receive: ReceiveSettings { grpc: any, http: any, ..ReceiveSettings::default() },
            deliver: DeliverSettings { deadline, ..DeliverSettings::default() },
            membership: Published::new("the test", records),
        };
        let (mut registry, tasks, readiness) = (Registry::default(), Tasks::default(), Readiness::default());
        let metrics = Metrics::register(&mut registry);
        let gateway = Gateway::start(setup, &metrics, &tasks, &readiness).await.unwrap();
        let client = Client::of(&gateway, Ipv4Addr::LOCALHOST.into()).await;
        Self { gateway, client, publish: Some(publish), registry, readiness, tasks }
    }

    pub(crate) fn publish(&self, record: Record) {
        self.publish.as_ref().expect("it publishes still").send_replace(Some(Arc::new(record)));
    }

    /// Nothing will be published any more.
    pub(crate) fn publisher_goes(&mut self) {
        self.publish = None;
    }

    pub(crate) async fn send(&self, request: Bytes) -> Result<ExportAnswer, Status> {
        self.client().send(request).await
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// A sender that reaches it at this address of the machine.
    pub(crate) async fn client_by(&self, ip: IpAddr) -> Client {
        Client::of(&self.gateway, ip).await
    }

    /// A counter or gauge by its line's beginning in `/metrics`; 0 where it has none.
    pub(crate) fn metric(&self, line: &str) -> f64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let value = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Waits until a metric has this value.
    pub(crate) async fn shows(&self, line: &str, value: f64) {
        self.eventually(line, || self.metric(line) == value).await;
    }

    pub(crate) async fn is_ready(&self) {
        self.eventually("ready", || self.readiness.unmet().is_empty()).await;
    }

    pub(crate) async fn eventually(&self, what: &str, condition: impl Fn() -> bool) {
        let wait = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
    }

    /// Everything that ran has ended, also where somebody looks on, and nothing of it failed.
    pub(crate) async fn stop(self) {
        let Self { gateway, client, tasks, .. } = self;
        drop(client);
        let _looks_on = gateway.routing();
        let stopped = async {
            gateway.stop().await;
            tasks.finished().await
        };
        tokio::time::timeout(PATIENCE, stopped).await.expect("in time").unwrap();
    }
}

/// Sends to it.
#[derive(Clone)]
pub(crate) struct Client(MetricsClient<Channel>);

impl Client {
    async fn of(gateway: &Gateway, ip: IpAddr) -> Self {
        let url = format!("http://{}", SocketAddr::from((ip, gateway.addresses().grpc.port())));
        Self(MetricsClient::new(Channel::from_shared(url).unwrap().connect().await.unwrap()))
    }

    pub(crate) async fn send(&self, request: Bytes) -> Result<ExportAnswer, Status> {
        let answer = self.0.clone().export(Request::new(request)).await?;
        Ok(ExportAnswer::decode(answer.into_inner()).unwrap())
    }
}
