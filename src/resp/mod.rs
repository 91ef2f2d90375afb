//! The wire: bytes to argument vectors, reply values to bytes. It knows the two protocol versions and Redis's limits on
//! requests; it knows nothing of commands, sessions or storage.

mod decode;
mod double;
mod encode;
mod error;
mod grisu;
mod inline;
mod integer;
mod reply;

pub use decode::{Decoder, Limits};
pub use double::DoubleText;
pub use encode::{Protocol, encode};
pub use error::ProtocolError;
pub use integer::IntegerText;
pub use reply::{ErrorText, Reply, readable};
