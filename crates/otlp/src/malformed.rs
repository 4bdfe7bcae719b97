//! Why a request is refused as a whole: what is wrong, at which byte, in which message.
//!
//! The path is found from the offset, after the fact and by walking the request once more, so that reading well-formed
//! requests pays nothing for it.

use std::fmt::Write as _;

use thiserror::Error;

use crate::schema::{Message, REQUEST};
use crate::wire::{Fault, Flaw, Reader};

/// Why bytes are not an `ExportMetricsServiceRequest` that Shardset takes.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("malformed protobuf: {what}, at byte {at}, in {path}")]
pub struct Malformed {
    /// What is wrong.
    pub what: Fault,
    /// Where the field that is wrong begins, in bytes from the beginning of the request.
    pub at: usize,
    /// Where that is among the messages, for example
    /// `resource_metrics[0].scope_metrics[1].metrics[3].sum.data_points[17]`; `request` where it is in none of them.
    pub path: String,
}

impl Malformed {
    /// The flaw, with its path in `request`.
    #[cold]
    pub(crate) fn new(request: &[u8], flaw: Flaw) -> Self {
        Self { what: flaw.what, at: flaw.at, path: path(request, flaw.at) }
    }
}

/// The innermost known field of `request` that holds the byte `at`.
fn path(request: &[u8], at: usize) -> String {
    let mut path = String::new();
    let mut inner = Some((&REQUEST, Reader::new(request)));
    while let Some((message, fields)) = inner {
        inner = step(message, fields, at, &mut path);
    }
    if path.is_empty() { "request".to_owned() } else { path }
}

/// Names the field of `message` that holds the byte `at`; the message in it, where that holds the byte.
fn step<'a>(
    message: &Message,
    mut fields: Reader<'a>,
    at: usize,
    path: &mut String,
) -> Option<(&'static Message, Reader<'a>)> {
    let mut ordinals = [0_u32; 16];
    loop {
        let field = fields.field().ok().flatten()?;
        let holds = at < fields.at();
        let Some(known) = message.field(field.number) else { if holds { return None } else { continue } };
        let ordinal = &mut ordinals[known.number as usize];
        if holds {
            let dot = if path.is_empty() { "" } else { "." };
            let index = if known.repeated { format!("[{ordinal}]") } else { String::new() };
            write!(path, "{dot}{}{index}", known.name).expect("writing to a string does not fail");
            let inner = field.message().filter(|inner| at >= inner.at())?;
            return Some((known.kind.message()?, inner));
        }
        *ordinal += 1;
    }
}
