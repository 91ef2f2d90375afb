//! Which keys a follower is for.

use std::sync::Arc;

use crate::state::{Rule, Side};

/// The keys for which one side answers.
#[derive(Debug, Clone)]
pub struct Share {
    rule: Arc<Rule>,
    side: Side,
}

impl Share {
    pub fn of(rule: Arc<Rule>, side: Side) -> Share {
        Share { rule, side }
    }

    pub fn has(&self, key: &[u8]) -> bool {
        self.rule.answering(key) == self.side
    }
}
