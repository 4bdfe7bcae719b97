//! Content encodings of OTLP/HTTP: none, gzip, deflate and zstd, into a buffer that is charged as it grows.
//!
//! A bomb is stopped by the limit after at most one step beyond it, never by memory. Decompression is synchronous: while
//! it runs, its thread does nothing else, so at most one decoder per runtime thread exists, and what it holds outside of
//! the budget is bounded by threads x 8 MiB (zstd's window; 32 KiB for the others).
//!
//! - gzip: one or more members (RFC 1952), checksums are checked.
//! - deflate: the zlib format, as RFC 9110 has it. Raw deflate, which a few old clients send under that name, is refused:
//!   telling them apart is a guess, and no OTLP client sends it.
//! - zstd: one or more frames, windows up to 8 MiB (RFC 9659); a larger one is an error, not an allocation.

use std::io::{self, BufRead, Read};

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use thiserror::Error;

use super::buffer::{Buffer, Full};

/// 2^23 = 8 MiB, what RFC 9659 allows a sender of `Content-Encoding: zstd`.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How much is decompressed at a time, on the stack.
const STEP: usize = 16 * 1024;

/// A content encoding that is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Encoding {
    Identity,
    Gzip,
    Deflate,
    Zstd,
}

/// Why a body could not be decompressed.
#[derive(Debug, Error)]
pub enum DecompressError {
    /// The bytes are not of that encoding, or end too early.
    #[error("broken {encoding:?} data")]
    Broken {
        /// What they should be.
        encoding: Encoding,
        /// What the decoder says.
        source: io::Error,
    },
    /// What is in them finds no room.
    #[error(transparent)]
    Full(#[from] Full),
}

impl Encoding {
    /// What `Accept-Encoding` says of us.
    pub const SERVED: &'static str = "gzip, deflate, zstd";

    /// The encoding that a `Content-Encoding` names; `None` where it is not served, several at once included.
    pub fn of_header(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" | "none" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Appends to `output` what `input` holds.
///
/// # Errors
///
/// Where the bytes are broken or `output` is full; what is in `output` is of no use then.
pub fn decompress(encoding: Encoding, input: &[u8], output: &mut Buffer) -> Result<(), DecompressError> {
    let broken = |source| DecompressError::Broken { encoding, source };
    match encoding {
        Encoding::Identity => Ok(output.extend(input)?),
        Encoding::Gzip => drain(encoding, MultiGzDecoder::new(input), output),
        Encoding::Deflate => {
            let mut decoder = ZlibDecoder::new(input);
            drain(encoding, &mut decoder, output)?;
            if decoder.get_ref().is_empty() { Ok(()) } else { Err(broken(io::Error::other("bytes after its end"))) }
        }
        Encoding::Zstd => {
            let decoder = zstd_decoder(input).map_err(broken)?;
            drain(encoding, decoder, output)
        }
    }
}

fn zstd_decoder<R: BufRead>(input: R) -> io::Result<zstd::stream::read::Decoder<'static, R>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}

fn drain(encoding: Encoding, mut decoder: impl Read, output: &mut Buffer) -> Result<(), DecompressError> {
    let mut step = [0; STEP];
    loop {
        match decoder.read(&mut step) {
            Ok(0) => return Ok(()),
            Ok(length) => output.extend(&step[..length])?,
            Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(DecompressError::Broken { encoding, source }),
        }
    }
}

#[cfg(test)]
mod tests;
