//! What this process knows of the changes of the rule: who has said what, and which of them it makes itself.

use std::collections::BTreeSet;
use std::sync::Mutex;

use bytes::Bytes;
use tokio::sync::Notify;

use super::token::{READY, REFUSED, done, ready_topic};
use crate::resp::readable;

/// Who has said that it is ready for which change.
#[derive(Default)]
pub struct Switching {
    pub(super) ready: Mutex<BTreeSet<Bytes>>,
    /// Who has said that it cannot be, and why.
    pub(super) refused: Mutex<Vec<Bytes>>,
    /// The tokens of changes that this process is making.
    making: Mutex<BTreeSet<String>>,
    /// The token of the last change that was begun.
    last: Mutex<String>,
    pub(super) said: Notify,
    pub(super) changed: Notify,
}

impl Switching {
    /// A change begins: what was said before no longer matters, but that the last one is done.
    pub(super) fn forget_before(&self, token: &str) {
        let mut last = self.last.lock().expect("no panic while held");
        let before = done(&std::mem::replace(&mut *last, token.to_owned()));
        let is_kept = |said: &Bytes, start: &[u8], token: &str| {
            said.strip_prefix(start).is_some_and(|said| said.starts_with(token.as_bytes()))
        };
        let mut ready = self.ready.lock().expect("no panic while held");
        ready.retain(|said| is_kept(said, READY, token) || is_kept(said, READY, &before));
        self.refused.lock().expect("no panic while held").retain(|said| is_kept(said, REFUSED, token));
    }

    /// Whether a process has said so.
    pub(super) fn is_ready(&self, token: &str, process: i32) -> bool {
        self.ready.lock().expect("no panic while held").contains(&ready_topic(token, process))
    }

    /// Why somebody cannot go along.
    pub(super) fn refusal(&self, token: &str) -> Option<String> {
        let refusal = [REFUSED, token.as_bytes(), b" "].concat();
        let refused = self.refused.lock().expect("no panic while held");
        let why = refused.iter().find_map(|said| said.strip_prefix(&refusal[..]))?;
        Some(readable(why))
    }

    /// Begins with a change.
    pub(super) fn make<'a>(&'a self, token: &'a str) -> Making<'a> {
        self.making.lock().expect("no panic while held").insert(token.to_owned());
        Making { switching: self, token }
    }

    pub(super) fn makes(&self, token: &str) -> bool {
        self.making.lock().expect("no panic while held").contains(token)
    }
}

/// A change that this process is making as long as this value lives.
pub(super) struct Making<'a> {
    switching: &'a Switching,
    token: &'a str,
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.switching.making.lock().expect("no panic while held").remove(self.token);
    }
}
