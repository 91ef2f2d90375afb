//! Which keys a follower is for.

use std::sync::Arc;

use crate::keyspace::DbIndex;
use crate::state::{Rule, Side};

/// The keys for which one side answers.
#[derive(Debug, Clone)]
pub struct Share {
    rule: Arc<Rule>,
    side: Side,
    databases: u32,
}

impl Share {
    /// `databases`: how many we have; the upstream may have more.
    pub fn of(rule: Arc<Rule>, side: Side, databases: u32) -> Share {
        Share { rule, side, databases }
    }

    pub fn has(&self, key: &[u8]) -> bool {
        self.rule.answering(key) == self.side
    }

    /// Whether respg has such a database.
    pub fn has_database(&self, db: DbIndex) -> bool {
        db.0 < self.databases
    }
}
