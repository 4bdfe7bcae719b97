//! What the cluster stands on: its share of the machine's control groups, files and network.
//!
//! Here is what belongs to the machine and is used without being changed for anybody else. What is started on it is in
//! `crate::parts`.

pub(crate) mod cgroups;
pub(crate) mod mounts;
pub(crate) mod network;
