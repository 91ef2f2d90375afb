//! What is written outside of commands: SQL functions in other people's transactions, delayed entries, retention. They note their keys in a table, from which the first
//! process that sees it takes them over.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::Reverse;
use crate::keyspace::DbIndex;
use crate::shadow::repair::Repairable;
use crate::store::statements::shadow::{CHANGED_KEYS, FORGET_CHANGED};
use crate::store::{Store, StoreError};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Takes over what is noted, until it is dropped.
pub async fn read_forever(reverse: &Reverse, store: &Store) {
    loop {
        if let Err(error) = read(reverse, store).await {
            tracing::debug!(%error, "reading what SQL has changed");
        }
        sleep(PAUSE).await;
    }
}

/// Takes over all that was committed before the call.
pub async fn read(reverse: &Reverse, store: &Store) -> Result<(), StoreError> {
    while some(reverse, store).await? {}
    Ok(())
}

/// Whether there was anything.
async fn some(reverse: &Reverse, store: &Store) -> Result<bool, StoreError> {
    let rows = store.query(&CHANGED_KEYS, &[]).await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    let mut whole = false;
    for row in &rows {
        match row.get::<_, Option<&[u8]>>(2) {
            Some(key) => {
                let db = DbIndex(row.get::<_, i32>(1).cast_unsigned());
                reverse.bring_over(db, vec![Bytes::copy_from_slice(key)]);
            }
            None => whole = true,
        }
    }
    if whole {
        reverse.compare_all();
    }
    // Not before: from here on they are marked in our file.
    if !ids.is_empty() {
        store.change(&FORGET_CHANGED, &[&ids]).await?;
    }
    Ok(!ids.is_empty())
}
