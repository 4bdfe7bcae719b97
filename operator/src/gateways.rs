//! How many gateways route by the published epoch: each is asked at its admin port.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use reqwest::Client;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::objects::ADMIN_PORT;

/// A gateway answers at once, or is not worth the wait.
const TIMEOUT: Duration = Duration::from_millis(500);

/// One for all sets: each would have the certificates of the system once more, which gateways do not even use.
pub(crate) fn client() -> Result<Client, reqwest::Error> {
    Client::builder().timeout(TIMEOUT).no_proxy().build()
}

/// What a gateway says of itself.
#[derive(Deserialize)]
struct Says {
    /// The epoch it routes by; 0 before the first.
    epoch: u64,
}

/// Asks gateways.
#[derive(Debug)]
pub(crate) struct Gateways {
    client: Client,
    /// Those that are known to be at an epoch: a gateway goes on only, so they need not be asked again for that one.
    at: (u64, BTreeSet<String>),
}

impl Gateways {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, at: (0, BTreeSet::new()) }
    }

    /// How many of these route by this epoch, or by a later one.
    pub(crate) async fn at_epoch(&mut self, epoch: u64, pods: &[Arc<Pod>]) -> u32 {
        if self.at.0 != epoch {
            self.at = (epoch, BTreeSet::new());
        }
        let there: BTreeSet<&str> = pods.iter().filter_map(|pod| pod.metadata.uid.as_deref()).collect();
        self.at.1.retain(|uid| there.contains(uid.as_str()));
        let mut asking = JoinSet::new();
        for pod in pods {
            let ip = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
            let (Some(uid), Some(ip)) = (pod.metadata.uid.clone(), ip) else { continue };
            if !self.at.1.contains(&uid) {
                let client = self.client.clone();
                asking.spawn(async move { Some((uid, ask(&client, &ip).await?)) });
            }
        }
        while let Some(answer) = asking.join_next().await {
            if let Ok(Some((uid, at))) = answer
                && at >= epoch
            {
                self.at.1.insert(uid);
            }
        }
        u32::try_from(self.at.1.len()).unwrap_or(u32::MAX)
    }
}

async fn ask(client: &Client, ip: &str) -> Option<u64> {
    let host = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
    let answer = client.get(format!("http://{host}:{ADMIN_PORT}/status")).send().await.ok()?;
    Some(answer.json::<Says>().await.ok()?.epoch)
}
