//! Repairing slots that were given up: the keys of both sides are walked through, and those of such slots are read again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::dirty::Dirty;
use super::following::Following;
use super::record::Touched;
use super::report::Report;
use super::share::Share;
use super::target::Target;
use crate::copy::{Redis, Scan, Speaker, databases};
use crate::keyspace::DbIndex;
use crate::keyspace::slot::Slot;
use crate::upstream::{UpstreamError, Url};

/// Keys per step of a walk.
const STEP: u32 = 500;
/// The walk waits while more than this is waiting for the follower.
const MOST_WAITING: u64 = 2000;
const TICK: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(5);

/// Who brings keys over from the side that answers to the other.
pub trait Repairable: Send + Sync {
    fn dirty(&self) -> &Dirty;

    /// The keys that it is for; others may be in the same slots.
    fn share(&self) -> &Share;

    fn report(&self) -> &Report;

    /// Has keys brought over as they are, at its pace; their slots are marked meanwhile.
    fn bring_over(&self, db: DbIndex, keys: Vec<Bytes>);

    /// How much is waiting for that.
    fn waiting(&self) -> u64;

    /// Where what is brought over now stands.
    fn place(&self) -> u64;

    /// Whether all before this place is known by name to differ, or does not.
    fn is_past(&self, place: u64) -> bool;

    /// Whether nothing is brought over any more: the run ends, and what it leaves undone differs as before.
    fn is_over(&self) -> bool {
        false
    }

    /// All keys of both sides are to be compared.
    fn compare_all(&self) {
        self.dirty().mark(&Touched::All);
        self.dirty().give_up(&Touched::All);
    }
}

impl Repairable for Following {
    fn dirty(&self) -> &Dirty {
        &self.dirty
    }

    fn share(&self) -> &Share {
        &self.share
    }

    fn report(&self) -> &Report {
        &self.report
    }

    fn bring_over(&self, db: DbIndex, keys: Vec<Bytes>) {
        self.push_keys(db, keys);
    }

    fn waiting(&self) -> u64 {
        self.queue.len() + self.report.counts.uncertain()
    }

    fn place(&self) -> u64 {
        self.queue.progress().0
    }

    fn is_past(&self, place: u64) -> bool {
        self.queue.progress().1 >= place || self.is_over()
    }

    fn is_over(&self) -> bool {
        self.queue.is_closed()
    }
}

/// Where the two sides' keys are walked through: connections of the repair's own.
pub struct Sides {
    pub upstream: Url,
    pub own: Target,
    /// How many databases we have.
    pub databases: u32,
}

/// Keeps the file of dirty slots short, and repairs what is broken, for ever.
pub async fn repair_forever(following: Arc<dyn Repairable>, mut sides: Sides) {
    loop {
        tokio::time::sleep(TICK).await;
        if let Err(error) = following.dirty().sweep() {
            tracing::warn!(%error, "the file of dirty slots cannot be written");
        }
        // As long as it is behind, more may be given up.
        if following.dirty().broken() == 0 || following.waiting() > MOST_WAITING {
            continue;
        }
        following.dirty().begin_repair();
        let outcome = repair(following.as_ref(), &mut sides).await;
        if let Err(error) = &outcome {
            tracing::warn!(%error, "dirty keys cannot be repaired yet");
        } else {
            let place = following.place();
            while !following.is_past(place) {
                tokio::time::sleep(PAUSE).await;
            }
        }
        if following.is_over() {
            return;
        }
        following.dirty().end_repair(outcome.is_ok());
        if outcome.is_err() {
            tokio::time::sleep(TICK * 4).await;
        }
    }
}

async fn repair(following: &dyn Repairable, sides: &mut Sides) -> Result<(), UpstreamError> {
    let mut redis = Redis::open(&sides.upstream).await?;
    let theirs = databases(&mut redis).await?;
    let theirs: Vec<u32> = match theirs {
        Some(counts) => {
            let (ours, beyond) = counts.into_keys().partition(|db| *db < sides.databases);
            let beyond: Vec<u32> = beyond;
            beyond.into_iter().for_each(|db| following.report().beyond(DbIndex(db)));
            ours
        }
        None => (0..sides.databases).collect(),
    };
    for db in theirs {
        match redis.select(db).await {
            Err(UpstreamError::NoDatabase { .. }) => {}
            selected => {
                selected?;
                walk(following, &mut redis, db).await?;
            }
        }
    }
    let ours = databases(&mut sides.own).await?;
    let ours =
        ours.map_or_else(|| (0..sides.databases).collect(), |counts| counts.into_keys().collect::<Vec<_>>());
    for db in ours {
        sides.own.select(DbIndex(db)).await?;
        walk(following, &mut sides.own, db).await?;
    }
    Ok(())
}

/// Has the keys of the slots in repair read again.
async fn walk(following: &dyn Repairable, speaker: &mut impl Speaker, db: u32) -> Result<(), UpstreamError> {
    let mut scan = Scan::new(None, STEP, None);
    loop {
        let refused = |error: crate::command::copy::CopyError| UpstreamError::Lost(error.to_string());
        let Some(keys) = scan.next(speaker).await?.map_err(refused)? else { return Ok(()) };
        let is_meant =
            |key: &Bytes| following.dirty().in_repair(Slot::of(key).0) && following.share().has(key);
        let keys: Vec<Bytes> = keys.into_iter().filter(is_meant).collect();
        if !keys.is_empty() {
            following.bring_over(DbIndex(db), keys);
        }
        while following.waiting() > MOST_WAITING {
            tokio::time::sleep(PAUSE).await;
        }
    }
}
