//! Reading and writing keys on either side, a Redis or us, with the records of the data types (`command::copy`). Used by the migration commands and by the
//! follower of shadow mode; knows nothing of either.

mod own;
mod portions;
mod redis;
mod requests;
mod scan;
mod transaction;
mod write;

pub use own::Own;
pub use portions::{Portions, Read, read_key, read_keys};
pub use redis::Redis;
pub use requests::{Follower, Resync, Resynced, no_more_requests, serve_requests};
pub use scan::{LEFT_OVER, Scan, databases};
pub use transaction::{exec_replies, in_multi};
pub use write::{write_key, write_keys};

use crate::command::copy::{Call, Dialect};
use crate::resp::Reply;
use crate::upstream::UpstreamError;

/// A side: takes calls and gives replies, in order. What is under way when the future is dropped is lost.
pub trait Speaker: Send {
    fn dialect(&self) -> Dialect;

    fn speak(&mut self, calls: Vec<Call>) -> impl Future<Output = Result<Vec<Reply>, UpstreamError>> + Send;
}
