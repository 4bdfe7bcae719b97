//! The promises of the journal, over disks that lose, tear, refuse and lie.

#![allow(clippy::unwrap_used, reason = "test code: what should work and does not may panic")]

mod cold;
mod crash;
mod damage;
mod faults;
mod files;
mod random;
mod world;
