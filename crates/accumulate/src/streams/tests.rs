//! The vectors of the design and the life of streams, through the crate's public face.

mod fixtures;
mod life;
mod vectors;
