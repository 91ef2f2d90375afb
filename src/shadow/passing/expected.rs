//! What a client's own connection has been sent and not answered yet.

use std::collections::VecDeque;

use bytes::Bytes;

use super::sent::Sent;
use crate::upstream::FollowedAside;

/// Calls whose replies are to come. What is lost with it is reported.
#[derive(Default)]
pub struct Expected {
    pub calls: VecDeque<(Sent, Option<FollowedAside>)>,
    /// Between MULTI and EXEC.
    pub queued: Vec<Queued>,
    /// How many of the calls may wait.
    pub blocking: usize,
}

impl Drop for Expected {
    fn drop(&mut self) {
        let calls = self.calls.iter_mut().filter_map(|(_, followed)| followed.take());
        let queued = self.queued.drain(..).filter_map(|queued| queued.followed);
        calls.chain(queued).for_each(|followed| followed.lost(None));
    }
}

/// What takes effect with EXEC.
pub struct Queued {
    pub followed: Option<FollowedAside>,
    /// Of SELECT.
    pub db: Option<u32>,
    pub describes: Option<Vec<Bytes>>,
}
