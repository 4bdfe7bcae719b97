mod fixtures;
mod life;
mod vectors;
