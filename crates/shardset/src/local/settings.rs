//! Flags become the settings of the parts.

use shardset_gateway::receive::ReceiveSettings;
use shardset_remote_write::{Promotion, Translation};
use shardset_worker::Settings as WorkerSettings;

use super::LocalArgs;
use super::args::WritersArg;
use crate::memory;

/// What a stream is taken to weigh where `--max-streams` is not given: a sum stream with eight attributes weighs about half
/// of it (docs/benchmarks.md), histograms more.
const BYTES_PER_STREAM: u64 = 2048;

/// A shard's part of a request can be longer than the request: headers of resources are repeated per shard and lengths are
/// padded. Twice is more than any mix of resources and points reaches.
const PART_GROWTH: usize = 2;

/// Settings of each worker.
pub(super) fn of_worker(args: &LocalArgs) -> anyhow::Result<WorkerSettings> {
    let defaults = WorkerSettings::new(args.data_dir.clone());
    let message_bytes_max = args.max_request_size.saturating_mul(PART_GROWTH);
    let share = args.max_in_flight.saturating_mul(PART_GROWTH) / usize::try_from(args.workers)?.max(1);
    Ok(WorkerSettings {
        accumulate: accumulate(args),
        translation: translation(args)?,
        export_interval: args.export_interval,
        heartbeat: args.heartbeat,
        stop_grace: args.stop_grace,
        message_bytes_max,
        // However many workers share it, the largest part must find room, or it would be told to come back for ever.
        inflight_bytes_max: share.max(message_bytes_max.saturating_mul(2)),
        ..defaults
    })
}

/// Settings of the receiver.
pub(super) fn of_receiver(args: &LocalArgs) -> ReceiveSettings {
    ReceiveSettings {
        grpc: args.otlp_grpc,
        http: args.otlp_http,
        message_bytes_max: args.max_request_size,
        in_flight_bytes_max: args.max_in_flight as u64,
        ..ReceiveSettings::default()
    }
}

fn accumulate(args: &LocalArgs) -> shardset_accumulate::Settings {
    let streams = args.max_streams.unwrap_or_else(|| memory::limit_bytes() / 2 / BYTES_PER_STREAM);
    let per_worker = streams.div_ceil(u64::from(args.workers));
    shardset_accumulate::Settings {
        dedupe_window: args.dedupe_window,
        dedupe_points: args.dedupe_points,
        writers: match args.writers {
            WritersArg::Many => shardset_accumulate::Writers::Many,
            WritersArg::One => shardset_accumulate::Writers::One,
        },
        max_buckets: args.max_buckets,
        max_stale: args.max_stale,
        forget_after: args.forget_after,
        max_streams: u32::try_from(per_worker).unwrap_or(u32::MAX),
    }
}

fn translation(args: &LocalArgs) -> anyhow::Result<Translation> {
    let translation = Translation {
        strategy: args.translation_strategy,
        namespace: args.namespace.clone(),
        promote_resource_attributes: if args.promote_all_resource_attributes {
            Promotion::AllBut(Vec::new())
        } else {
            Promotion::Listed(args.promote_resource_attribute.clone())
        },
        scope_labels: args.scope_labels,
        target_info: args.target_info,
        external_labels: args.external_label.iter().cloned().collect(),
        ..Translation::default()
    };
    translation.check()?;
    Ok(translation)
}
