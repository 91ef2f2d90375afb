//! What a client's own connection is in the middle of, as its two ends see it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use crate::resp::Protocol;
use crate::session::Session;
use crate::state::Rule;

/// What the connection is in, as far as it matters to the calls after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    pub db: u32,
    pub protocol: Protocol,
    pub name: Bytes,
}

impl Context {
    pub fn of(session: &Session) -> Context {
        Context { db: session.db.0, protocol: session.protocol, name: session.client.info().name }
    }
}

#[derive(Default)]
pub struct State {
    pub pending: AtomicUsize,
    pub held: AtomicBool,
    pub taken_over: AtomicBool,
    /// How often it was held or taken over.
    pub holds: AtomicUsize,
    pub broken: AtomicBool,
    /// The database that the client has gone to here, until its session knows.
    pub selected: Mutex<Option<u32>>,
    /// What transactions here have said of the client, until its session knows.
    pub described: Mutex<Vec<Vec<Bytes>>>,
    /// Whether the client is one that respg does not know: for the upstream it is somebody else.
    pub somebody_else: AtomicBool,
    /// Whether it has subscribed and speaks RESP2, so that the upstream answers little else.
    pub restricted: AtomicBool,
    /// Told when nothing is pending any more, or it is broken.
    pub quiet: Notify,
}

impl State {
    /// Whether the client's next request has to come here too.
    pub fn is_busy(&self) -> bool {
        self.pending.load(Relaxed) > 0 || self.held.load(Relaxed) || self.taken_over.load(Relaxed)
    }

    pub fn break_off(&self) {
        self.broken.store(true, Relaxed);
        self.quiet.notify_one();
    }
}

/// Until the rule is one in which the client has to begin again with what it is in the middle of: on the other side, or so that a transaction is followed from its beginning.
pub async fn interrupted(mut changes: watch::Receiver<Arc<Rule>>, state: &State) {
    while changes.changed().await.is_ok() {
        if !changes.borrow_and_update().mode.is_upstream() || state.held.load(Relaxed) {
            return;
        }
    }
    // The process is about to end.
    std::future::pending().await
}
