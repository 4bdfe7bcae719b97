//! Identities as bytes.
//!
//! Context: resource attributes (bytes), scope name, scope version (text), scope attributes (bytes), metric name, unit (text),
//! kind (`u8`), description (text). Identity: context, point attributes (bytes). Attributes are frames as in
//! [`shardset_model::Identity`].
//!
//! Kind: `0x00` gauge, `0x01` summary, `0x10 + t` sum, `0x20 + t` histogram, `0x30 + t` exponential histogram, `0x40 + t`
//! monotonic sum; `t` is 0 for unspecified, 1 for delta, 2 for cumulative.

use shardset_model::{Context, Identity, MetricKind, Temporality};

use super::read::{Corrupt, Reader};
use super::write;
use crate::contexts::Contexts;

pub(super) fn write_identity(identity: &Identity, out: &mut Vec<u8>) {
    write_identifying(&identity.context, out);
    write::bytes(out, identity.context.description.as_bytes());
    write::bytes(out, &identity.attributes);
}

/// What of a context identifies it: all but the description.
pub(crate) fn write_identifying(context: &Context, out: &mut Vec<u8>) {
    write::bytes(out, &context.resource_attributes);
    write::bytes(out, context.scope_name.as_bytes());
    write::bytes(out, context.scope_version.as_bytes());
    write::bytes(out, &context.scope_attributes);
    write::bytes(out, context.name.as_bytes());
    write::bytes(out, context.unit.as_bytes());
    out.push(kind_code(context.kind));
}

pub(super) fn read_identity(reader: &mut Reader<'_>, contexts: &mut Contexts) -> Result<Identity, Corrupt> {
    let begin = *reader;
    pass_identifying(reader)?;
    // Few streams bring a context of their own: making each one to find that it is kept was a fifth of a start.
    let context = match contexts.written(reader.passed_since(begin)) {
        Some(context) => {
            reader.text()?;
            context
        }
        None => {
            *reader = begin;
            contexts.adopt(read_context(reader)?)
        }
    };
    Ok(Identity { context, attributes: reader.bytes()?.into() })
}

/// Passes an identity without making it.
pub(super) fn pass_identity(reader: &mut Reader<'_>) -> Result<(), Corrupt> {
    pass_identifying(reader)?;
    reader.bytes()?;
    reader.bytes().map(drop)
}

fn pass_identifying(reader: &mut Reader<'_>) -> Result<(), Corrupt> {
    for _ in 0..6 {
        reader.bytes()?;
    }
    reader.byte().map(drop)
}

fn read_context(reader: &mut Reader<'_>) -> Result<Context, Corrupt> {
    Ok(Context {
        resource_attributes: reader.bytes()?.into(),
        scope_name: reader.text()?.into(),
        scope_version: reader.text()?.into(),
        scope_attributes: reader.bytes()?.into(),
        name: reader.text()?.into(),
        unit: reader.text()?.into(),
        kind: read_kind(reader)?,
        description: reader.text()?.into(),
    })
}

fn kind_code(kind: MetricKind) -> u8 {
    let form = match kind {
        MetricKind::Gauge => return 0x00,
        MetricKind::Summary => return 0x01,
        MetricKind::Sum { monotonic: false, .. } => 0x10,
        MetricKind::Histogram { .. } => 0x20,
        MetricKind::ExponentialHistogram { .. } => 0x30,
        MetricKind::Sum { monotonic: true, .. } => 0x40,
    };
    form | match kind.temporality() {
        None | Some(Temporality::Unspecified) => 0,
        Some(Temporality::Delta) => 1,
        Some(Temporality::Cumulative) => 2,
    }
}

fn read_kind(reader: &mut Reader<'_>) -> Result<MetricKind, Corrupt> {
    let at = reader.at();
    let code = reader.byte()?;
    let temporality = match code & 0x0f {
        0 => Temporality::Unspecified,
        1 => Temporality::Delta,
        2 => Temporality::Cumulative,
        _ => return Err(reader.invalid("temporality", at)),
    };
    match code {
        0x00 => Ok(MetricKind::Gauge),
        0x01 => Ok(MetricKind::Summary),
        0x10..0x20 => Ok(MetricKind::Sum { temporality, monotonic: false }),
        0x20..0x30 => Ok(MetricKind::Histogram { temporality }),
        0x30..0x40 => Ok(MetricKind::ExponentialHistogram { temporality }),
        0x40..0x50 => Ok(MetricKind::Sum { temporality, monotonic: true }),
        _ => Err(reader.invalid("kind of metric", at)),
    }
}
