//! Asking and telling workers, each over a connection that is kept while its address stays.

use std::collections::BTreeMap;
use std::time::Duration;

use shardset_handoff::{Adopt, Report};
use shardset_membership::Address;
use shardset_model::{SetName, ShardIndex};
use shardset_tls::PeerTls;
use shardset_wire::{AdoptRequest, ControlClient, ToSet, to_set};
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// A worker answers from its thread, behind the requests that wait there.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What workers say when they are asked how things stand.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// How things stand at those that can say.
    pub reports: BTreeMap<ShardIndex, Report>,
    /// Why the others that are there can not: their disk can not be written, say.
    pub unable: BTreeMap<ShardIndex, String>,
}

/// The workers of one set.
#[derive(Debug, Default)]
pub struct Workers {
    set: Option<SetName>,
    tls: PeerTls,
    links: BTreeMap<ShardIndex, (Address, Channel)>,
}

impl Workers {
    /// Nobody yet, of this set.
    pub fn of(set: Option<SetName>) -> Self {
        Self { set, ..Self::default() }
    }

    /// Learns where the workers are, and whether they are reached with TLS.
    pub fn know(&mut self, addresses: &BTreeMap<ShardIndex, Address>, tls: PeerTls) {
        if self.tls != tls {
            self.links.clear();
            self.tls = tls;
        }
        self.links.retain(|shard, (address, _)| addresses.get(shard) == Some(address));
        for (shard, address) in addresses {
            let link = || {
                Endpoint::from_shared(format!("http://{address}")).ok().map(|endpoint| {
                    let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT).tcp_nodelay(true);
                    (address.clone(), self.tls.connect_lazy(&endpoint))
                })
            };
            if !self.links.contains_key(shard)
                && let Some(link) = link()
            {
                self.links.insert(*shard, link);
            }
        }
    }

    /// What those say that are there.
    pub async fn ask(&self) -> Answers {
        let mut asked = JoinSet::new();
        for (shard, (_, channel)) in &self.links {
            let (shard, mut client) = (*shard, self.client(channel));
            asked.spawn(async move { (shard, client.status().await) });
        }
        let mut answers = Answers::default();
        while let Some(answer) = asked.join_next().await {
            match answer {
                // One that speaks for another shard is at a wrong address: it is as one that does not answer.
                Ok((shard, Ok(report))) if report.shard == shard => drop(answers.reports.insert(shard, report)),
                Ok((shard, Err(status))) if is_its_own(&status) => {
                    answers.unable.insert(shard, status.message().to_owned());
                }
                _ => {}
            }
        }
        answers
    }

    /// Tells a worker the membership, and where all others are.
    pub async fn tell(&self, shard: ShardIndex, adopt: Adopt) -> Result<Report, Status> {
        let Some((_, channel)) = self.links.get(&shard) else {
            return Err(Status::unavailable("its address is not known"));
        };
        let addresses = self.links.iter().map(|(shard, (address, _))| (*shard, address.to_string())).collect();
        self.client(channel).adopt(AdoptRequest { adopt, addresses }).await
    }

    fn client(&self, channel: &Channel) -> ControlClient<ToSet<Channel>> {
        ControlClient::new(to_set(channel.clone(), self.set.as_ref()))
    }
}

/// Whether a worker said so itself: what the way to it has to say comes with the error of a connection.
fn is_its_own(status: &Status) -> bool {
    status.code() == Code::Unavailable && std::error::Error::source(status).is_none()
}

#[cfg(test)]
mod tests {
    use std::io;

    use tonic::Status;

    use super::is_its_own;

    #[test]
    fn a_worker_that_refuses_is_told_from_one_that_is_not_there() {
        assert!(is_its_own(&Status::unavailable("the disk is full")));
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(!is_its_own(&Status::from_error(Box::new(refused))));
        assert!(!is_its_own(&Status::deadline_exceeded("too late")));
    }
}
