//! Asking and telling workers, each over a connection that is kept while its address stays.

use std::collections::BTreeMap;
use std::time::Duration;

use shardset_handoff::{Adopt, Report};
use shardset_membership::Address;
use shardset_model::ShardIndex;
use shardset_wire::{AdoptRequest, ControlClient};
use tokio::task::JoinSet;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// A worker answers from its thread, behind the requests that wait there.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The workers of one set.
#[derive(Debug, Default)]
pub struct Workers {
    links: BTreeMap<ShardIndex, (Address, Channel)>,
}

impl Workers {
    /// Learns where the workers are.
    pub fn know(&mut self, addresses: &BTreeMap<ShardIndex, Address>) {
        self.links.retain(|shard, (address, _)| addresses.get(shard) == Some(address));
        for (shard, address) in addresses {
            let link = || {
                Endpoint::from_shared(format!("http://{address}")).ok().map(|endpoint| {
                    let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT).tcp_nodelay(true);
                    (address.clone(), endpoint.connect_lazy())
                })
            };
            if !self.links.contains_key(shard)
                && let Some(link) = link()
            {
                self.links.insert(*shard, link);
            }
        }
    }

    /// What those say that answer.
    pub async fn reports(&self) -> BTreeMap<ShardIndex, Report> {
        let mut asked = JoinSet::new();
        for (shard, (_, channel)) in &self.links {
            let (shard, mut client) = (*shard, ControlClient::new(channel.clone()));
            asked.spawn(async move { (shard, client.status().await) });
        }
        let mut reports = BTreeMap::new();
        while let Some(answer) = asked.join_next().await {
            // One that speaks for another shard is at a wrong address: it is as one that does not answer.
            if let Ok((shard, Ok(report))) = answer
                && report.shard == shard
            {
                reports.insert(shard, report);
            }
        }
        reports
    }

    /// Tells a worker the membership, and where all others are.
    pub async fn tell(&self, shard: ShardIndex, adopt: Adopt) -> Result<Report, Status> {
        let Some((_, channel)) = self.links.get(&shard) else {
            return Err(Status::unavailable("its address is not known"));
        };
        let addresses = self.links.iter().map(|(shard, (address, _))| (*shard, address.to_string())).collect();
        ControlClient::new(channel.clone()).adopt(AdoptRequest { adopt, addresses }).await
    }
}
