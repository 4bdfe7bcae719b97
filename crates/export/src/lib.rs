//! From streams to backends: what a stream is called there, the requests that tell it, and the client that delivers them.
//!
//! Two protocols, one client. OTLP and Prometheus disagree about names, labels and types; for Prometheus, what a stream is called
//! is decided here, once, by the algorithm that Prometheus itself uses (otlptranslator), so that a metric has one name whether it came
//! through us, through Prometheus' own OTLP endpoint or through a collector. By OTLP a stream goes out under the names that it came
//! with.
//!
//! - [`Translation`]: the settings of Prometheus' names, one per process.
//! - [`Family`]: what a metric is called, its type, unit and help. [`Labels`]: what tells its streams apart, encoded once per stream.
//! - [`SeriesBatch`]: a remote-write 1.0 request in the making: a stream is appended with its value and the times it is told at.
//! - [`PointsBatch`]: the same as OTLP.
//! - [`Exposition`]: the series as text, for a scrape.
//! - [`Destination`]: where batches go, with retries, isolation of what the backend refuses, and counters.
//!
//! Everything but [`client`] is pure: no IO, no clock, no randomness; times are arguments. Nothing here decides *when* a
//! stream is told (the worker's clock does) or keeps totals (`shardset_accumulate` does).

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod batch;
pub mod client;
#[cfg(test)]
mod fixtures;
mod labels;
mod metadata;
mod names;
mod number;
mod otlp;
mod prompb;
mod sample;
mod series;
mod text;
mod translation;

pub use batch::Batch;
pub use client::{
    ClientMetrics, Delivered, Destination, DestinationMetrics, DestinationSettings, InvalidDestination, Protocol,
    Stopped,
};
pub use labels::Labels;
pub use metadata::Announcements;
pub use names::{Family, FamilyType, Unnameable};
pub use otlp::{Origin, PointsBatch};
pub use sample::{Form, Moment, Sample};
pub use series::{NotEncodable, SeriesBatch};
pub use text::{Exposition, TextFormat};
pub use translation::{InvalidTranslation, Promotion, Strategy, Translation};
