//! Which processes follow, or have ended while they did, as the database remembers it: whoever finds no file of dirty slots knows by this whether there should be one.

use std::path::Path;

use rustix::system::uname;

use crate::store::statements::shadow::{BEGIN_RUN, END_RUN};
use crate::store::{Store, StoreError};

/// What a process is called over its runs: where its folder is.
pub fn name_of(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    format!("{}:{}", uname().nodename().to_string_lossy(), folder.display())
}

/// Begins a run; whether the last one, if there was any, has ended with nothing left to be done.
pub async fn begin(store: &Store, name: &str, process: i32) -> Result<bool, StoreError> {
    let connection = store.acquire().await?;
    let rows = connection.query(&BEGIN_RUN, &[&name, &process]).await;
    let rows = rows.map_err(|error| StoreError::at_commit(&error))?;
    Ok(!rows.first().is_some_and(|row| row.get::<_, bool>(0)))
}

/// Ends it, with nothing left to be done.
pub async fn end(store: &Store, name: &str) -> Result<(), StoreError> {
    let connection = store.acquire().await?;
    let ended = connection.execute(&END_RUN, &[&name]).await;
    ended.map(drop).map_err(|error| StoreError::at_commit(&error))
}
