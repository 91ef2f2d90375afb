//! Calls on their way to a client's own connection.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};

use bytes::Bytes;

use crate::state::Upstream;

/// What a call does to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Nothing,
    /// The client waits in it.
    Blocks,
    /// From now on EXEC depends on keys.
    Holds,
    /// No longer.
    Releases,
    /// From its being sent on the connection gets more than replies.
    TakesOver,
    /// The connection is somebody else's if it succeeds.
    Authenticates,
    /// RESET: nothing is left of all this.
    Resets,
    /// Nothing; its reply shows whether the upstream answers little else (PING).
    Probes,
}

/// A call on its way.
pub struct Sent {
    pub argv: Vec<Bytes>,
    pub effect: Effect,
    /// Whether the client gets the reply.
    pub takes_reply: bool,
    /// Whether it confirms with pushes or messages instead of replies.
    pub subscribes: bool,
    pub selects: bool,
    /// May change data.
    pub writes: bool,
    /// What says something of the client, which is true if it succeeds in EXEC.
    pub describes: Option<Vec<Bytes>>,
    /// What holds the connection and was sent before it: it may be released only if nothing came since.
    pub holds: usize,
    /// If a change of the mode waits for it.
    pub counted: Option<Counted>,
}

/// A call that a change of the mode waits for, until it is dropped: with its reply, or because there will be none.
pub struct Counted(Arc<Upstream>);

impl Counted {
    pub fn of(upstream: &Arc<Upstream>) -> Counted {
        upstream.waiting.fetch_add(1, Relaxed);
        Counted(upstream.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Release);
    }
}

impl Sent {
    pub fn new(argv: Vec<Bytes>, effect: Effect) -> Sent {
        Sent { effect, takes_reply: true, ..Sent::silent(argv) }
    }

    /// What the client does not know of.
    pub fn silent(words: impl IntoIterator<Item = Bytes>) -> Sent {
        Sent {
            argv: words.into_iter().collect(),
            effect: Effect::Nothing,
            takes_reply: false,
            subscribes: false,
            selects: false,
            writes: false,
            describes: None,
            holds: 0,
            counted: None,
        }
    }
}

/// A word that is a number.
pub fn number(word: Option<&Bytes>) -> Option<u32> {
    std::str::from_utf8(word?).ok()?.parse().ok()
}

/// Whether this is what RESP2 subscribers get instead of pushes.
pub fn is_subscription(wire: &[u8]) -> bool {
    const KINDS: [&str; 9] = [
        "message",
        "pmessage",
        "smessage",
        "subscribe",
        "unsubscribe",
        "psubscribe",
        "punsubscribe",
        "ssubscribe",
        "sunsubscribe",
    ];
    let mut lines = wire.splitn(4, |byte| *byte == b'\n');
    let (Some(count), Some(_), Some(kind)) = (lines.next(), lines.next(), lines.next()) else { return false };
    matches!(count, b"*3\r" | b"*4\r") && KINDS.iter().any(|known| kind.trim_ascii() == known.as_bytes())
}
