//! Values of flags that clap does not know.

use std::time::Duration;

use bytesize::ByteSize;

/// A time between ticks or the like.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration >= Duration::from_millis(10) => Ok(duration),
        Ok(_) => Err("it must be at least 10ms".to_owned()),
        Err(error) => Err(format!("{error}; examples: 15s, 1m 30s, 24h")),
    }
}

/// A number of bytes.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let bytes: ByteSize = text.parse().map_err(|error| format!("{error}; examples: 64MiB, 1GiB"))?;
    match usize::try_from(bytes.as_u64()) {
        Ok(bytes) if bytes >= 1024 => Ok(bytes),
        _ => Err("it must be at least 1KiB".to_owned()),
    }
}

/// `name=value`.
pub(super) fn external_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it must be name=value".to_owned()),
    }
}

/// `fsync`, or `interval:DURATION`.
pub(super) fn durability(text: &str) -> Result<shardset_worker::Durability, String> {
    match (text, text.strip_prefix("interval:")) {
        ("fsync", _) => Ok(shardset_worker::Durability::Fsync),
        (_, Some(duration)) => interval(duration).map(shardset_worker::Durability::Interval),
        _ => Err("it must be fsync, or interval:DURATION such as interval:100ms".to_owned()),
    }
}
