//! Values as bytes.
//!
//! | form | `u8` | then |
//! | --- | --- | --- |
//! | missing | 0 | |
//! | integer | 1 | signed |
//! | double | 2 | `f64` |
//! | histogram | 3 | statistics, varint *n* of bounds, *n* `f64`, varint *m* of counts, *m* varints |
//! | exponential | 4 | statistics, scale (signed), zero count (varint), zero threshold (`f64`), positive, negative |
//! | summary | 5 | count (varint), sum (`f64`), varint *n*, *n* times quantile and value (`f64` each) |
//!
//! Statistics: count (varint), a `u8` whose bits 0, 1 and 2 say which of sum, min and max follow, and those (`f64` each).
//! Buckets of one sign: offset (signed), varint *n*, *n* varints.

use shardset_model::{Buckets, ExponentialPoint, HistogramPoint, Quantile, SummaryPoint, Value};

use super::read::{Corrupt, Reader};
use super::write;
use crate::validate;

/// Room for the lists of a value that is read.
#[derive(Default, Debug)]
pub(crate) struct Scratch {
    bounds: Vec<f64>,
    counts: Vec<u64>,
    negative: Vec<u64>,
    quantiles: Vec<Quantile>,
}

pub(super) fn write_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Missing => out.push(0),
        Value::Int(value) => {
            out.push(1);
            write::signed(out, *value);
        }
        Value::Double(value) => {
            out.push(2);
            write::double(out, *value);
        }
        Value::Histogram(point) => {
            out.push(3);
            write_statistics(point.count, [point.sum, point.min, point.max], out);
            write::varint(out, point.bounds.len() as u64);
            point.bounds.iter().for_each(|bound| write::double(out, *bound));
            write_counts(point.counts, out);
        }
        Value::Exponential(point) => {
            out.push(4);
            write_statistics(point.count, [point.sum, point.min, point.max], out);
            write::signed(out, i64::from(point.scale));
            write::varint(out, point.zero_count);
            write::double(out, point.zero_threshold);
            for buckets in [&point.positive, &point.negative] {
                write::signed(out, i64::from(buckets.offset));
                write_counts(buckets.counts, out);
            }
        }
        Value::Summary(point) => {
            out.push(5);
            write::varint(out, point.count);
            write::double(out, point.sum);
            write::varint(out, point.quantiles.len() as u64);
            for quantile in point.quantiles {
                write::double(out, quantile.quantile);
                write::double(out, quantile.value);
            }
        }
    }
}

fn write_statistics(count: u64, optional: [Option<f64>; 3], out: &mut Vec<u8>) {
    write::varint(out, count);
    out.push((0..3).map(|bit| u8::from(optional[bit].is_some()) << bit).sum());
    optional.into_iter().flatten().for_each(|value| write::double(out, value));
}

fn write_counts(counts: &[u64], out: &mut Vec<u8>) {
    write::varint(out, counts.len() as u64);
    counts.iter().for_each(|count| write::varint(out, *count));
}

pub(super) fn read_value<'a>(reader: &mut Reader<'_>, scratch: &'a mut Scratch) -> Result<Value<'a>, Corrupt> {
    let at = reader.at();
    let value = match reader.byte()? {
        0 => Value::Missing,
        1 => Value::Int(reader.signed()?),
        2 => Value::Double(reader.double()?),
        3 => Value::Histogram(read_histogram(reader, scratch)?),
        4 => Value::Exponential(read_exponential(reader, scratch)?),
        5 => Value::Summary(read_summary(reader, scratch)?),
        _ => return Err(reader.invalid("form of value", at)),
    };
    validate::shape(&value).map_err(|_| reader.invalid("histogram", at))?;
    Ok(value)
}

fn read_histogram<'a>(reader: &mut Reader<'_>, scratch: &'a mut Scratch) -> Result<HistogramPoint<'a>, Corrupt> {
    let (count, [sum, min, max]) = read_statistics(reader)?;
    scratch.bounds.clear();
    for _ in 0..reader.len(8)? {
        scratch.bounds.push(reader.double()?);
    }
    read_counts(reader, &mut scratch.counts)?;
    Ok(HistogramPoint { count, sum, min, max, bounds: &scratch.bounds, counts: &scratch.counts })
}

fn read_exponential<'a>(reader: &mut Reader<'_>, scratch: &'a mut Scratch) -> Result<ExponentialPoint<'a>, Corrupt> {
    let (count, [sum, min, max]) = read_statistics(reader)?;
    let scale = reader.narrow_signed("scale")?;
    let zero_count = reader.varint()?;
    let zero_threshold = reader.double()?;
    let offset = reader.narrow_signed("offset")?;
    read_counts(reader, &mut scratch.counts)?;
    let positive = Buckets { offset, counts: &scratch.counts };
    let offset = reader.narrow_signed("offset")?;
    read_counts(reader, &mut scratch.negative)?;
    let negative = Buckets { offset, counts: &scratch.negative };
    Ok(ExponentialPoint { count, sum, min, max, scale, zero_count, zero_threshold, positive, negative })
}

fn read_summary<'a>(reader: &mut Reader<'_>, scratch: &'a mut Scratch) -> Result<SummaryPoint<'a>, Corrupt> {
    let (count, sum) = (reader.varint()?, reader.double()?);
    scratch.quantiles.clear();
    for _ in 0..reader.len(16)? {
        scratch.quantiles.push(Quantile { quantile: reader.double()?, value: reader.double()? });
    }
    Ok(SummaryPoint { count, sum, quantiles: &scratch.quantiles })
}

fn read_statistics(reader: &mut Reader<'_>) -> Result<(u64, [Option<f64>; 3]), Corrupt> {
    let count = reader.varint()?;
    let at = reader.at();
    let present = reader.byte()?;
    if present > 0b111 {
        return Err(reader.invalid("set of optional numbers", at));
    }
    let mut optional = [None; 3];
    for (bit, value) in optional.iter_mut().enumerate() {
        if present >> bit & 1 == 1 {
            *value = Some(reader.double()?);
        }
    }
    Ok((count, optional))
}

fn read_counts(reader: &mut Reader<'_>, counts: &mut Vec<u64>) -> Result<(), Corrupt> {
    counts.clear();
    for _ in 0..reader.len(1)? {
        counts.push(reader.varint()?);
    }
    Ok(())
}
