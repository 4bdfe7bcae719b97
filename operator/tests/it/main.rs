//! Plans: what is to be done for what is seen, and how it stands.

mod conditions;
mod connections;
mod lease;
mod leftovers;
mod notices;
mod objects;
mod replicas;
mod rollout;
mod rules;
mod scene;
mod volumes;
mod wishes;
