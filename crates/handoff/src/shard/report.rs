//! What a worker says of itself.

use shardset_model::Phase;

use super::{Outgoing, Shard};
use crate::message::{Reception, Report};
use crate::peers::senders;

impl Shard {
    /// How things stand. To be told only while all changes so far are durable.
    pub fn report(&self) -> Report {
        let away: u64 = self.outgoing.values().map(Outgoing::total).sum();
        let leftovers = (self.leftovers.len() + self.idle_leftovers.len()) as u64;
        let idle_away = self.outgoing.values().map(|outgoing| outgoing.idle.len()).sum::<usize>();
        let parked = self.streams.parked();
        Report {
            shard: self.index,
            incarnation: self.incarnation,
            membership: self.membership.clone(),
            streams: u64::from(self.streams.len()) + self.streams.idle() as u64 - away - leftovers,
            idle: (self.streams.idle() - idle_away - self.idle_leftovers.len()) as u64,
            leftovers,
            parked_points: parked.points,
            parked_bytes: parked.bytes as u64,
            sending: self.outgoing.iter().map(|(to, outgoing)| outgoing.sending(*to)).collect(),
            receiving: self.receiving(),
        }
    }

    fn receiving(&self) -> Vec<Reception> {
        let moving = self.membership.as_ref().filter(|membership| membership.phase() == Phase::Moving);
        let from = moving.into_iter().flat_map(|membership| senders(membership, self.index));
        let completed = |from: &_| self.received.get(from).is_some_and(|received| received.completed);
        from.map(|from| Reception { from, completed: completed(&from) }).collect()
    }
}
