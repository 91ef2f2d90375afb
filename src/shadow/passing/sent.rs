//! Calls on their way to a client's own connection.

use bytes::Bytes;

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
    /// What holds the connection and was sent before it: it may be released only if nothing came since.
    pub holds: usize,
    /// Whether a change of the mode waits for it.
    pub counts: bool,
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
            holds: 0,
            counts: false,
        }
    }
}
