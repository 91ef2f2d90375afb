//! Who waits for keys to be read again and be the same: `import` and `verify --repair` ask for that.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::effect::Name;
use super::following::Following;
use crate::command::copy::CopyError;
use crate::copy::{Resync, Resynced};
use crate::keyspace::DbIndex;

type Outcome = Result<Resynced, CopyError>;

#[derive(Default)]
pub struct Waiting(Mutex<HashMap<Name, Vec<oneshot::Sender<Outcome>>>>);

impl Waiting {
    fn wait(&self, name: Name) -> oneshot::Receiver<Outcome> {
        let (told, waiting) = oneshot::channel();
        self.lock().entry(name).or_default().push(told);
        waiting
    }

    /// The key is what it was on the side that answers, or cannot be made so.
    pub fn tell(&self, name: &Name, outcome: impl FnOnce() -> Outcome) {
        let waiting = {
            let mut all = self.lock();
            if all.is_empty() { None } else { all.remove(name) }
        };
        let Some(waiting) = waiting else { return };
        let outcome = outcome();
        waiting.into_iter().for_each(|waiting| drop(waiting.send(outcome.clone())));
    }

    /// Nobody follows any more.
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Vec<oneshot::Sender<Outcome>>>> {
        self.0.lock().expect("no panic while held")
    }
}

impl Resync for Following {
    /// If the queue gives the request up, the slots' repair brings the keys over.
    fn resync(&self, db: u32, keys: Vec<Bytes>) -> BoxFuture<'_, Vec<(Bytes, Outcome)>> {
        Box::pin(async move {
            let db = DbIndex(db);
            let (keys, moved): (Vec<Bytes>, Vec<Bytes>) =
                keys.into_iter().partition(|key| self.share.has(key));
            let waiting: Vec<_> =
                keys.iter().map(|key| (key.clone(), self.waiting.wait((db, key.clone())))).collect();
            self.push_keys(db, keys);
            let mut outcomes: Vec<_> = moved.into_iter().map(|key| (key, Ok(Resynced::Moved))).collect();
            for (key, waiting) in waiting {
                let gone = || Err(CopyError::Refused(Bytes::from_static(b"nobody follows any more")));
                outcomes.push((key, waiting.await.unwrap_or_else(|_| gone())));
            }
            outcomes
        })
    }
}
