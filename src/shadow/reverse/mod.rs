//! Reverse mode: Postgres answers, the upstream follows. A key that was written is read here and put there, at the follower's pace, so neither the order of
//! writes nor what they were is of any matter: the last reading comes after the last write, whoever made it.

mod changes;
mod journal;
mod layer;
mod pump;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

pub use changes::{Changes, Counts as Written};
pub use layer::Noting;
pub use pump::Pump;

use super::dirty::Dirty;
use super::effect::Name;
use super::repair::Repairable;
use super::report::{Report, now_ms};
use super::share::Share;
use crate::keyspace::DbIndex;
use crate::store::Store;

/// A repair is over when so few keys are waiting, or after so long: under load there are always some.
const FEW_WAITING: u64 = 500;
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What the side that answers and the follower share.
pub struct Reverse {
    pub changes: Changes,
    pub dirty: Arc<Dirty>,
    pub report: Arc<Report>,
    /// The keys that are followed.
    pub share: Share,
    /// Keys that had changed from what was read when that was written, so that they were read again.
    pub overtaken: AtomicU64,
    /// Where it is kept which upstream it was that followed last.
    folder: PathBuf,
    /// How long it may take until it is known whether a write of unknown outcome has happened.
    patience: Duration,
    /// Keys of such writes.
    uncertain: AtomicU64,
    store: Arc<Store>,
    /// How many looks at the upstream were asked for, and how many of these have been made.
    wanted_looks: watch::Sender<u64>,
    looks: watch::Sender<u64>,
}

/// Notes which upstream it is that has what this side has, if none has been noted yet.
pub fn note_upstream(folder: &Path, run_id: &str) {
    let path = noted(folder);
    if !path.exists() {
        note(&path, run_id, 0);
    }
}

/// Where it stands which upstream it was, and what our last connection to it.
fn noted(folder: &Path) -> PathBuf {
    folder.join("upstream")
}

fn note(path: &Path, run_id: &str, connection: i64) {
    if let Err(error) = fs::write(path, format!("{run_id} {connection}")) {
        tracing::warn!(%error, "cannot note which upstream it is: all keys are compared again at the next start");
    }
}

impl Reverse {
    /// `memory`: what the names of keys may take.
    pub fn new(
        dirty: Arc<Dirty>,
        folder: &Path,
        memory: usize,
        report: Arc<Report>,
        share: Share,
        store: Arc<Store>,
    ) -> Reverse {
        Reverse {
            changes: Changes::new(dirty.clone(), memory),
            dirty,
            report,
            share,
            overtaken: AtomicU64::new(0),
            folder: folder.to_owned(),
            patience: store.patience,
            uncertain: AtomicU64::new(0),
            store,
            wanted_looks: watch::Sender::default(),
            looks: watch::Sender::default(),
        }
    }

    /// Takes over what is noted by SQL, for ever.
    pub async fn read_journal(self: Arc<Reverse>) {
        journal::read_forever(&self, &self.store).await;
    }

    /// Whether everything is followed that was done before the call.
    pub async fn is_caught_up(&self) -> bool {
        journal::read(self, &self.store).await.is_ok() && self.behind() == 0 && self.dirty.unsure() == 0
    }

    /// Waits for a look at the upstream that begins after the call: it may have lost what it had.
    pub async fn looked(&self) {
        let mut wanted = 0;
        self.wanted_looks.send_modify(|looks| {
            *looks += 1;
            wanted = *looks;
        });
        // It lives as long as this.
        let _ = self.looks.subscribe().wait_for(|looks| *looks >= wanted).await;
    }

    /// Nobody knows whether these were written, nor when: they are brought over now, and once more when it is certain.
    fn changed_perhaps(self: &Arc<Reverse>, names: Vec<Name>) {
        names.iter().for_each(|name| self.dirty.mark(&changes::slot(name)));
        self.changes.add(names.iter().cloned());
        self.uncertain.fetch_add(names.len() as u64, Relaxed);
        let reverse = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(reverse.patience * 2).await;
            reverse.store.until_left_are_gone().await;
            let count = names.len() as u64;
            reverse.changes.add(names);
            reverse.uncertain.fetch_sub(count, Relaxed);
        });
    }

    /// The same for whole databases.
    fn compare_later(self: &Arc<Reverse>) {
        self.uncertain.fetch_add(1, Relaxed);
        let reverse = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(reverse.patience * 2).await;
            reverse.store.until_left_are_gone().await;
            reverse.compare_all();
            reverse.uncertain.fetch_sub(1, Relaxed);
        });
    }

    /// How many keys may differ, as far as they are known by name.
    pub fn behind(&self) -> u64 {
        self.changes.len() + self.uncertain.load(Relaxed)
    }

    /// The age of the oldest write that was not followed.
    pub fn lag_ms(&self) -> i64 {
        self.changes.behind_since().map_or(0, |since| (now_ms() - since).max(0))
    }
}

impl Repairable for Reverse {
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
        let own = keys.into_iter().filter(|key| self.share.has(key));
        let names: Vec<Name> = own.map(|key| (db, key)).collect();
        names.iter().for_each(|name| self.dirty.mark(&changes::slot(name)));
        self.changes.add(names);
    }

    fn waiting(&self) -> u64 {
        self.changes.len()
    }

    /// A time: each key waits by its name.
    fn place(&self) -> u64 {
        now_ms() as u64 + LONGEST_WAIT.as_millis() as u64
    }

    fn is_past(&self, place: u64) -> bool {
        self.changes.len() <= FEW_WAITING || now_ms() as u64 > place
    }
}
