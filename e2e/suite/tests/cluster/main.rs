//! Shardset on a real cluster: what a user does with it, and what happens to it.
#![cfg(feature = "cluster")]

mod faults;
mod ingest;
mod many;
mod network;
mod operator;
mod resource;
mod rollout;
mod rules;
mod scale;
mod sets;
