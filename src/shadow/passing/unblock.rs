//! Ends a client's wait in the upstream.

use std::sync::Arc;
use std::time::Duration;

use crate::resp::Protocol;
use crate::state::{Blockage, Upstream};
use crate::upstream::words;

/// How often a client that has not begun to wait there is looked for.
const GLANCE: Duration = Duration::from_millis(5);

const NOT_BLOCKED: &[u8] = b":0\r\n";

/// Does nothing, but waits with what is behind it while writes are paused (CLIENT PAUSE, FAILOVER): a Redis from 6.2 to 7.2 dies when it is to unblock a client whose call is paused.
const PAUSED: [&str; 2] = ["PFCOUNT", "respg:nothing"];

/// What a client that is to be unblocked like this finds.
pub fn way(asked: Blockage) -> Option<&'static str> {
    match asked {
        Blockage::TimeOut => Some("TIMEOUT"),
        Blockage::Error => Some("ERROR"),
        Blockage::Free | Blockage::Blocked => None,
    }
}

/// Unblocks the client that the upstream knows by this id, as long as it `waits`: its command has gone another way, and may not be there yet.
pub async fn unblock(upstream: Arc<Upstream>, id: i64, way: &'static str, waits: impl Fn() -> bool) {
    let pipe = &upstream.pipe;
    let calls = [words(PAUSED), words(["CLIENT", "UNBLOCK", &id.to_string(), way])];
    while waits() {
        let calls = calls.iter().map(|call| &call[..]);
        match pipe.call(pipe.url().db, Protocol::Resp2, calls, None).await {
            Ok(replies) if replies.last().is_some_and(|reply| &reply.0[..] == NOT_BLOCKED) => {}
            // If the upstream is gone the client is no longer blocked either.
            Ok(_) | Err(_) => return,
        }
        tokio::time::sleep(GLANCE).await;
    }
}
