//! What workers' refusals say of newer memberships. Only the newest counts, so a channel that keeps the latest is the bound.

use std::sync::Arc;

use shardset_model::{Epoch, Membership};
use tokio::sync::watch;

/// The newest membership that a worker has named.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// The membership.
    pub(crate) newest: Option<Arc<Membership>>,
    /// The newest epoch that some request has waited for in vain.
    pub(crate) missed: Option<Epoch>,
}

/// Where refusals are told. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Hearsay(watch::Sender<Heard>);

impl Hearsay {
    /// An end to tell, and one to listen.
    pub(crate) fn channel() -> (Self, watch::Receiver<Heard>) {
        let (sender, receiver) = watch::channel(Heard::default());
        (Self(sender), receiver)
    }

    /// A worker is at this membership.
    pub(crate) fn hear(&self, membership: &Arc<Membership>) {
        self.0.send_if_modified(|heard| {
            let is_news = heard.newest.as_ref().is_none_or(|newest| newest.epoch() < membership.epoch());
            if is_news {
                heard.newest = Some(Arc::clone(membership));
            }
            is_news
        });
    }

    /// A request could not wait any longer for this epoch.
    pub(crate) fn missed(&self, epoch: Epoch) {
        self.0.send_if_modified(|heard| {
            let is_news = heard.missed < Some(epoch);
            heard.missed = heard.missed.max(Some(epoch));
            is_news
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shardset_model::{Epoch, Membership, ShardCount};

    use super::Hearsay;

    #[test]
    fn only_what_is_newer_is_news() {
        let (hearsay, mut heard) = Hearsay::channel();
        let mut news_after = |number, missed: bool| {
            let epoch = Epoch::new(number).unwrap();
            if missed {
                hearsay.missed(epoch);
            } else {
                hearsay.hear(&Arc::new(Membership::stable(epoch, ShardCount::ONE)));
            }
            let news = heard.has_changed().unwrap();
            let now = heard.borrow_and_update().clone();
            (news, now.newest.map(|newest| newest.epoch().get()), now.missed.map(Epoch::get))
        };
        assert_eq!(news_after(5, false), (true, Some(5), None));
        assert_eq!(news_after(4, false), (false, Some(5), None));
        assert_eq!(news_after(5, true), (true, Some(5), Some(5)));
        assert_eq!(news_after(4, true), (false, Some(5), Some(5)));
        assert_eq!(news_after(6, false), (true, Some(6), Some(5)));
    }
}
