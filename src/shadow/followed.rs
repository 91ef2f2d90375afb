//! Who follows: Postgres in shadow mode, the upstream in reverse mode and for keys that are moved by pattern.

use std::sync::Arc;
use std::time::Duration;

use super::dirty::Dirty;
use super::following::Following;
use super::repair::Repairable;
use super::reverse::Reverse;
use crate::state::Side;

#[derive(Clone)]
pub enum Followed {
    Shadow(Arc<Following>),
    Reverse(Arc<Reverse>),
}

/// More than this is not done in the time for which commands may be held back.
const SOON: u64 = 20_000;
const SOON_UNSETTLED: u64 = 1000;
const SOON_KEYS: u64 = 2000;
const GLANCE: Duration = Duration::from_millis(2);

impl Followed {
    /// The side that follows.
    pub fn side(&self) -> Side {
        match self {
            Followed::Shadow(_) => Side::Postgres,
            Followed::Reverse(_) => Side::Upstream,
        }
    }

    pub fn dirty(&self) -> &Dirty {
        match self {
            Followed::Shadow(following) => &following.dirty,
            Followed::Reverse(reverse) => &reverse.dirty,
        }
    }

    pub(super) fn repairable(&self) -> Arc<dyn Repairable> {
        match self {
            Followed::Shadow(following) => following.clone(),
            Followed::Reverse(reverse) => reverse.clone(),
        }
    }

    /// How much waits: records, or keys.
    pub fn waiting(&self) -> u64 {
        match self {
            Followed::Shadow(following) => following.queue.unfinished(),
            Followed::Reverse(reverse) => reverse.behind(),
        }
    }

    /// Why the other side cannot be what this one is soon, if so.
    pub fn behind(&self) -> Option<String> {
        let (waiting, unsure) = (self.waiting(), self.dirty().unsure());
        if unsure > 0 {
            return Some(format!("{unsure} hash slots have not been compared and repaired"));
        }
        match self {
            Followed::Shadow(following) => {
                let unsettled = following.report.counts.uncertain();
                if waiting > SOON {
                    Some(format!("the follower is {waiting} commands behind"))
                } else if unsettled > SOON_UNSETTLED {
                    Some(format!("{unsettled} keys are to be read again"))
                } else {
                    None
                }
            }
            Followed::Reverse(_) => {
                (waiting > SOON_KEYS).then(|| format!("{waiting} keys are to be brought over"))
            }
        }
    }

    /// Waits until the other side is what this one is.
    pub async fn caught_up(&self) {
        match self {
            Followed::Shadow(following) => {
                while !following.pass_all().await {
                    tokio::time::sleep(GLANCE).await;
                }
                while !following.is_caught_up() {
                    tokio::time::sleep(GLANCE).await;
                }
            }
            Followed::Reverse(reverse) => {
                reverse.looked().await;
                while !reverse.is_caught_up().await {
                    tokio::time::sleep(GLANCE).await;
                }
            }
        }
    }
}
