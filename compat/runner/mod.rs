//! Case files: reading, playing, comparing. Knows RESP and processes, and nothing of what commands mean.

pub mod case;
pub mod catalogue;
pub mod compare;
pub mod connections;
pub mod coverage;
pub mod known;
pub mod parse;
pub mod play;
pub mod resp;
pub mod servers;
pub mod suite;
pub mod text;
