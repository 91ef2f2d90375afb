//! What follows the upstream sees of it here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::error::UpstreamError;
use super::reply::Raw;
use crate::resp::{Protocol, Reply};

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
    /// Calls that may write are about to be sent through the pipe.
    fn sending(&self, calls: &Calls);

    /// Calls that may write are about to be sent another way. The number tells when, and no other has it.
    fn sending_aside(&self, calls: &Calls) -> u64;

    /// They went through the pipe and were answered, `took` after they were sent. In the order in which the upstream has executed them, before the client knows of it.
    fn answered(&self, calls: Calls, replies: &[Raw], took: Duration);

    /// They went another way and were answered, `took` after they were sent: their place between those of the pipe is not known, only that it is after they were sent and before now.
    fn answered_aside(&self, calls: Calls, replies: &[Raw], sent_at: u64, took: Duration);

    /// They were sent through the pipe and there is no reply: each may have been executed or not.
    fn lost(&self, calls: Calls, error: &UpstreamError);

    /// They were sent another way, and what they have done has to be looked at: by this reply, if there was one.
    fn lost_aside(&self, calls: Calls, reply: Option<&Reply>, sent_at: u64);
}

/// Calls on their way through the pipe, and who follows them: whoever did when they were sent.
pub struct Followed {
    calls: Calls,
    tap: Arc<dyn Tap>,
    sent: Instant,
}

impl Followed {
    /// To be called before they are sent.
    pub fn sending(calls: Calls, tap: Arc<dyn Tap>) -> Followed {
        tap.sending(&calls);
        Followed { calls, tap, sent: Instant::now() }
    }

    pub fn answered(self, replies: &[Raw]) {
        self.tap.answered(self.calls, replies, self.sent.elapsed());
    }

    pub fn lost(self, error: &UpstreamError) {
        self.tap.lost(self.calls, error);
    }
}

/// The same of those that are sent another way.
pub struct FollowedAside {
    pub calls: Calls,
    tap: Arc<dyn Tap>,
    sent_at: u64,
    sent: Instant,
}

impl FollowedAside {
    /// To be called before they are sent.
    pub fn sending(calls: Calls, tap: Arc<dyn Tap>) -> FollowedAside {
        let sent_at = tap.sending_aside(&calls);
        FollowedAside { calls, tap, sent_at, sent: Instant::now() }
    }

    pub fn answered(self, reply: &Raw) {
        self.tap.answered_aside(self.calls, std::slice::from_ref(reply), self.sent_at, self.sent.elapsed());
    }

    pub fn lost(self, reply: Option<&Reply>) {
        self.tap.lost_aside(self.calls, reply, self.sent_at);
    }
}
