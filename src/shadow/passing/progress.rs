//! What a client's own connection is in the middle of, as its two ends see it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::state::Rule;

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
