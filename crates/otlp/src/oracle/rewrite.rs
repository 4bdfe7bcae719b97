//! The same message as another encoder might write it: fields in another order, lengths padded, numbers not packed, fields
//! that nobody knows in between. Decoders must not see a difference.

use crate::schema::{Kind, Message};
use crate::wire::{Payload, Reader, put_varint};

/// A stream of numbers, the same for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Rewrites `message`. Attributes keep their bytes, because those are their identity.
pub(crate) fn rewrite(schema: &'static Message, message: &[u8], random: &mut Random) -> Vec<u8> {
    let mut fields: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut reader = Reader::new(message);
    loop {
        let before = reader.bytes();
        let Some(field) = reader.field().unwrap() else { break };
        let raw = before[..before.len() - reader.bytes().len()].to_vec();
        let Some(known) = schema.field(field.number) else { continue };
        match (&known.kind, field.payload) {
            (Kind::Message(inner), Payload::Bytes(body)) => {
                let body = rewrite(inner, body.bytes(), random);
                fields.push((field.number, delimited(field.number, &body, random)));
            }
            (Kind::Fixed64, Payload::Bytes(packed)) => {
                let key = [(field.number << 3 | 1) as u8];
                fields.extend(packed.bytes().chunks(8).map(|value| (field.number, [&key, value].concat())));
            }
            _ => fields.push((field.number, raw)),
        }
        if random.below(8) == 0 {
            fields.push((u32::MAX, unknown(random)));
        }
    }
    shuffle(&mut fields, random);
    fields.into_iter().flat_map(|(_, raw)| raw).collect()
}

fn delimited(number: u32, body: &[u8], random: &mut Random) -> Vec<u8> {
    let mut raw = Vec::new();
    put_varint((number << 3 | 2).into(), &mut raw);
    if random.below(3) == 0 {
        let length = body.len();
        let padded = [length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8 | 0x80, 0x80, 0];
        raw.extend_from_slice(&padded);
    } else {
        put_varint(body.len() as u64, &mut raw);
    }
    raw.extend_from_slice(body);
    raw
}

fn unknown(random: &mut Random) -> Vec<u8> {
    let mut raw = Vec::new();
    let number = 100 + random.below(1000);
    let (wire_type, payload): (u64, &[u8]) = match random.below(4) {
        0 => (0, &[0x96, 0x01]),
        1 => (1, &[1, 2, 3, 4, 5, 6, 7, 8]),
        2 => (2, &[3, 0xff, 0xfe, 0xfd]),
        _ => (5, &[1, 2, 3, 4]),
    };
    put_varint(number << 3 | wire_type, &mut raw);
    raw.extend_from_slice(payload);
    raw
}

/// Swaps neighbours that are not the same field, whose order means something.
fn shuffle(fields: &mut [(u32, Vec<u8>)], random: &mut Random) {
    for _ in 0..3 {
        for position in 1..fields.len() {
            if fields[position - 1].0 != fields[position].0 && random.below(2) == 0 {
                fields.swap(position - 1, position);
            }
        }
    }
}
