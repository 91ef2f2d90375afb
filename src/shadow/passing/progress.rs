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
    /// Whether the upstream may remember what it reads.
    pub tracks: AtomicBool,
    /// The rule by which it was begun to hold something.
    begun_by: Mutex<Option<Arc<Rule>>>,
    /// Told when nothing is pending any more, or it is broken.
    pub quiet: Notify,
}

impl State {
    /// Whether the client's next request has to come here too.
    pub fn is_busy(&self) -> bool {
        self.pending.load(Relaxed) > 0 || self.held.load(Relaxed) || self.taken_over.load(Relaxed)
    }

    /// From here on it holds something, or still does.
    pub fn hold(&self, rule: Arc<Rule>) {
        let mut begun_by = self.begun_by.lock().expect("no panic while held");
        if !self.held.load(Relaxed) {
            *begun_by = Some(rule);
            self.held.store(true, Relaxed);
        }
    }

    /// Whether it holds something that was not begun by this very rule. An equal one may come back after others.
    fn holds_since_before(&self, rule: &Arc<Rule>) -> bool {
        let begun_by = self.begun_by.lock().expect("no panic while held");
        self.held.load(Relaxed) && !begun_by.as_ref().is_some_and(|begun_by| Arc::ptr_eq(begun_by, rule))
    }

    pub fn break_off(&self) {
        self.broken.store(true, Relaxed);
        self.quiet.notify_one();
    }
}

/// Until the rule is one in which the client has to begin again with what it is in the middle of: on the other side, or so that a transaction is followed from its beginning, or what it has read is forgotten because the upstream does not hear of all keys any more.
pub async fn interrupted(mut changes: watch::Receiver<Arc<Rule>>, state: &State) {
    while changes.changed().await.is_ok() {
        let rule = changes.borrow_and_update().clone();
        // A client may have begun by the new rule before this hears of it.
        let is_deaf = rule.is_divided() && state.tracks.load(Relaxed);
        if !rule.mode.is_upstream() || is_deaf || state.holds_since_before(&rule) {
            return;
        }
    }
    // The process is about to end.
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Mode;

    #[tokio::test]
    async fn what_was_begun_after_a_change_is_not_interrupted_by_it() {
        let rules = [Mode::Redis, Mode::Shadow, Mode::Redis].map(|mode| Arc::new(Rule::of(mode)));
        for (begun, is_interrupted) in [(0, true), (1, true), (2, false)] {
            let (sender, changes) = watch::channel(rules[0].clone());
            let state = State::default();
            sender.send_replace(rules[1].clone());
            sender.send_replace(rules[2].clone());
            state.hold(rules[begun].clone());
            let interrupted = interrupted(changes, &state);
            let heard = tokio::time::timeout(std::time::Duration::from_millis(10), interrupted).await;
            assert_eq!(heard.is_ok(), is_interrupted, "{begun}");
        }
    }
}
