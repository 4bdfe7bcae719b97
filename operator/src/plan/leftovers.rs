//! What is there for a set and is not asked for any more.
//!
//! Only what the set owns: an object of the same name that somebody else made stays.

use kube::core::ObjectMeta;

use super::Observed;
use crate::objects::{Kind, Object};

/// An object that is to be deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remove {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Which of that name: another one is not meant.
    pub uid: String,
}

pub(super) fn remove(seen: &Observed<'_>, asked: &[Object]) -> Vec<Remove> {
    let is_asked_for = |name: &str| asked.iter().any(|one| one.kind == Kind::NetworkPolicy && one.name == name);
    let remove = |policy: &&ObjectMeta| {
        let (name, uid) = (policy.name.clone()?, policy.uid.clone()?);
        let is_left = is_owned(seen, policy) && policy.deletion_timestamp.is_none() && !is_asked_for(&name);
        is_left.then_some(Remove { kind: Kind::NetworkPolicy, name, uid })
    };
    seen.policies.iter().filter_map(remove).collect()
}

fn is_owned(seen: &Observed<'_>, object: &ObjectMeta) -> bool {
    let mut owners = object.owner_references.iter().flatten();
    owners.any(|owner| owner.controller == Some(true) && Some(&owner.uid) == seen.set.metadata.uid.as_ref())
}
