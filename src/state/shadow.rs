//! What this process knows of shadow mode, whoever does the following.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Patterns, Rule, Side};

/// Who can be asked.
pub trait ShadowReport: Send + Sync {
    /// Names and numbers, as INFO and RESPG.SHADOW STATUS show them.
    fn status(&self) -> Vec<(&'static str, i64)>;

    /// Differences so far, the most frequent first.
    fn differences(&self) -> Vec<ShadowDifference>;

    /// Commands that respg does not have, and how often they were passed on.
    fn foreign_commands(&self) -> Vec<(String, u64)>;

    /// Types that respg does not have, and how often a key of it was met.
    fn unsupported_types(&self) -> Vec<(String, u64)>;

    /// Forgets the differences so far.
    fn forget_differences(&self);
}

/// Differences of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowDifference {
    pub class: String,
    /// What had been executed, or why keys were compared.
    pub command: String,
    /// The keys' common form.
    pub pattern: String,
    pub count: u64,
    /// Seconds since the epoch.
    pub first_seen: i64,
    pub last_seen: i64,
    /// Without keys and values.
    pub samples: Vec<String>,
}

/// Who does again on the other side what one side has answered, as a change of the rule sees it. While the rule changes commands are held back.
pub trait Shadow: ShadowReport {
    /// Notes, for longer than this process lives, that nothing is known of who is to follow: all has to be compared. To be taken up by [`Shadow::begin`].
    fn lose_track(&self) -> BoxFuture<'_, Result<(), String>>;

    /// Nothing changes after [`Shadow::lose_track`].
    fn stay(&self);

    /// Follows from here on, as this rule wants it; `afresh` if nobody has followed before.
    fn begin(&self, rule: Arc<Rule>, afresh: bool) -> BoxFuture<'_, Result<(), String>>;

    /// Why this side, which follows, cannot be what the other one is soon, if so.
    fn behind(&self, side: Side) -> Option<String>;

    /// What the upstream holds that nobody could read in Postgres, as far as it was seen.
    fn lacking(&self) -> Option<String>;

    /// The same of keys like these, which are looked at: an error says which types, or why that cannot be said.
    fn may_move<'a>(&'a self, patterns: &'a Patterns) -> BoxFuture<'a, Result<(), String>>;

    /// Whether Postgres has followed all that was written to a hash slot through this process.
    fn has_followed(&self, slot: u16) -> bool;

    /// Waits until this side, if it follows, is what the other one is.
    fn caught_up(&self, side: Side) -> BoxFuture<'_, ()>;

    /// No longer follows; `next`: the rule from here on, if the process goes on.
    fn end(&self, next: Option<Arc<Rule>>) -> BoxFuture<'_, ()>;
}
