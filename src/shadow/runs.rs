//! Which processes follow, or have ended while they did, as the database remembers it: whoever finds no file of dirty slots knows by this whether there should be one.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::system::uname;
use tokio::time::Instant;

use super::repair::Repairable;
use crate::store::statements::shadow::{BEGIN_RUN, DEAD_RUNS, END_RUN, FORGET_TYPES, UNSUPPORTED_TYPES};
use crate::store::{Store, StoreError};

/// What a process is called over its runs: where its folder is.
pub fn name_of(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    format!("{}:{}", uname().nodename().to_string_lossy(), folder.display())
}

/// Begins a run; whether the last one, if there was any, has ended with nothing left to be done.
pub async fn begin(store: &Store, name: &str, process: i32) -> Result<bool, StoreError> {
    let rows = store.change(&BEGIN_RUN, &[&name, &process]).await?;
    Ok(!rows.first().is_some_and(|row| row.get::<_, bool>(0)))
}

/// Ends it, with nothing left to be done.
pub async fn end(store: &Store, name: &str) -> Result<(), StoreError> {
    store.change(&END_RUN, &[&name]).await.map(drop)
}

/// Types that were met and that respg does not have, of all processes, also of those that are gone.
pub async fn unsupported_types(store: &Store) -> Result<Vec<String>, StoreError> {
    Ok(store.query(&UNSUPPORTED_TYPES, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// All keys are compared from here on, so those that there still are will be met again.
pub async fn forget_types(store: &Store) -> Result<(), StoreError> {
    store.change(&FORGET_TYPES, &[]).await.map(drop)
}

/// How long somebody else may be gone until it is taken for granted that it does not come back soon.
const GONE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_secs(5);

/// Looks for processes that have ended in the middle of something and do not come back: nobody but them knows of what, so everything is compared, by all who follow here.
pub async fn stand_in_forever(followers: Vec<Arc<dyn Repairable>>, store: Arc<Store>, own: String) {
    let mut missing: HashMap<String, Instant> = HashMap::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let Ok(dead) = dead(&store, &own).await else { continue };
        missing.retain(|name, _| dead.contains(name));
        for name in dead {
            if missing.entry(name.clone()).or_insert_with(Instant::now).elapsed() < GONE {
                continue;
            }
            tracing::warn!(process = %name, "a process has ended while it followed and does not come back: all keys are compared and repaired");
            followers.iter().for_each(|follower| follower.compare_all());
            // If it is not forgotten now, then the next time.
            let _ = end(&store, &name).await;
        }
    }
}

async fn dead(store: &Store, own: &str) -> Result<Vec<String>, StoreError> {
    let rows = store.query(&DEAD_RUNS, &[&own]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
