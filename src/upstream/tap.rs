//! What follows the upstream sees of it here.

use bytes::Bytes;

use super::error::UpstreamError;
use super::reply::Raw;
use crate::resp::Protocol;

/// Calls of one client that are sent together, nothing of others in between.
#[derive(Debug, Clone)]
pub struct Calls {
    pub db: u32,
    /// That of the replies.
    pub protocol: Protocol,
    /// As they are sent. MULTI and EXEC stand here too if there are any: a transaction is whole.
    pub calls: Vec<Vec<Bytes>>,
    /// Chosen by whoever sends it, to recognise its own; clients have 0.
    pub mark: u64,
}

/// Sees what goes to the upstream. The methods must return at once: they are called on the path of all clients.
pub trait Tap: Send + Sync {
    /// Calls that may write are about to be sent, through the pipe or another connection.
    fn sending(&self, calls: &Calls);

    /// They went through the pipe and were answered. In the order in which the upstream has executed them, before the client knows of it.
    fn answered(&self, calls: Calls, replies: &[Raw]);

    /// They went another way and were answered: their place between those of the pipe is not known, only that it is before now.
    fn answered_aside(&self, calls: Calls, replies: &[Raw]);

    /// They were sent (through the pipe or not) and there is no reply: each may have been executed or not.
    fn lost(&self, calls: Calls, error: &UpstreamError);
}
