//! Executes requests for sessions: coalesced on a lane, alone on a pooled connection, or pinned to a transaction.
//! Knows commands, sessions and the store; nothing of sockets.

mod batch;
mod blocking;
mod columns;
mod context;
mod engine;
mod lane;
mod lane_connections;
mod objects;
mod pinned;
mod reads;
mod retry;
mod sums;
mod work;
mod working_set;

use futures_util::future::BoxFuture;

pub use context::Context;
pub use engine::Engine;
pub use lane::{LaneQueue, keep_lane};
pub use work::{Answer, Item, Route, Watched};

use crate::command::Incoming;
use crate::resp::Reply;
use crate::session::{Session, Wake};

/// Most bytes of the future of [`Executor::execute`].
const MOST_BYTES: usize = 1024;

/// The future of [`Executor::execute`], on the heap. It is moved there as a whole for every call, so what is rare and large in it
/// (connecting, a transaction, waiting) has to be boxed itself.
pub fn boxed<'a, F: Future + Send + 'a>(future: F) -> BoxFuture<'a, F::Output> {
    const { assert!(size_of::<F>() <= MOST_BYTES, "something large is to be boxed in there") };
    Box::pin(future)
}

/// Takes a client's requests and promises their replies. [`Engine`] is the innermost; layers wrap it.
pub trait Executor: Send + Sync {
    /// Executes `requests` in order and appends one reply for each to `replies` ([`Reply::Nothing`] where the client wants none).
    /// Stops at one that has to wait: that is `session.blocked` then, and what comes behind it has not been looked at.
    fn execute<'a>(
        &'a self,
        session: &'a mut Session,
        requests: &'a [Incoming],
        replies: &'a mut Vec<Reply>,
    ) -> BoxFuture<'a, ()>;

    /// Goes on with `session.blocked`: its reply, or `None` if it still has to wait.
    fn resume<'a>(&'a self, session: &'a mut Session, wake: Wake) -> BoxFuture<'a, Option<Reply>>;
}
