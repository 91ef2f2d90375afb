//! Ids for new objects, taken from Postgres a thousand at a time.

use std::ops::Range;
use std::sync::Mutex;

use super::connection::Connection;
use super::error::StoreError;
use super::statements::streams::OBJECT_IDS;

/// By how much the sequence advances.
const BLOCK: i64 = 1000;

/// The ids that this process may give to objects. An id that is not used is lost, which is no loss.
#[derive(Debug, Default)]
pub struct ObjectIds(Mutex<Range<i64>>);

impl ObjectIds {
    /// As many as there are, up to `count`.
    pub fn take(&self, count: usize) -> Vec<i64> {
        self.0.lock().expect("no panic while held").by_ref().take(count).collect()
    }

    /// So many ids, asking Postgres if need be.
    pub async fn get(&self, connection: &Connection, count: usize) -> Result<Vec<i64>, StoreError> {
        let mut ids = self.take(count);
        while ids.len() < count {
            let row = connection.query(&OBJECT_IDS, &[]).await;
            let first: i64 = row.map_err(|error| StoreError::before_commit(&error))?[0].get(0);
            *self.0.lock().expect("no panic while held") = first..first + BLOCK;
            ids.extend(self.take(count - ids.len()));
        }
        Ok(ids)
    }
}
