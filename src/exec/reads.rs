//! Reads the keys of a batch that only reads: one SELECT, whose snapshot is the moment of all of them. Hot path.

use super::batch::{Batch, Replies, replies};
use super::columns::KeyColumns;
use super::work::Item;
use super::working_set::WorkingSet;
use crate::store::statements::keys::{READ, READ_ONE, READ_SPACE};
use crate::store::{Header, KeyRow, StoreError};

impl Batch<'_> {
    pub async fn read(&self, set: &mut WorkingSet, works: &[&[Item]]) -> Result<Replies, StoreError> {
        let version = match set.keys.len() {
            1 => self.read_one(set).await,
            _ => self.read_several(set).await,
        };
        let version = version.map_err(|error| StoreError::before_commit(&error))?;
        if version != Some(self.databases.version) {
            return Err(StoreError::Conflict);
        }
        let applied = self.apply(set, works);
        if set.is_incomplete() {
            return Err(StoreError::Conflict);
        }
        self.count_lookups(set);
        Ok(replies(applied))
    }

    /// Says which version of the map of databases the set was read under, if the moment is unambiguous.
    async fn read_several(&self, set: &mut WorkingSet) -> Result<Option<i64>, tokio_postgres::Error> {
        let rows = {
            let keys = KeyColumns::of(set.order.iter().map(|position| &set.keys[*position as usize]));
            let inline = self.inline_limits(set);
            match (alike(&keys.spaces), alike(&inline)) {
                (Some(space), Some(inline)) => {
                    self.connection.query(self.statement(&READ_SPACE), &[space, &keys.keys, inline]).await?
                }
                _ => {
                    self.connection.query(self.statement(&READ), &[&keys.spaces, &keys.keys, &inline]).await?
                }
            }
        };
        let mut values = KeyRow::room(&rows);
        let found = rows.iter().filter_map(|row| KeyRow::decode(row, &mut values));
        Ok(set.fill_read(Header::of(&rows), found))
    }

    /// The same of a lone key.
    async fn read_one(&self, set: &mut WorkingSet) -> Result<Option<i64>, tokio_postgres::Error> {
        let key = &set.keys[0];
        let (name, inline) = (key.stored.as_bytes(), self.inline_limit(key));
        let rows = self.connection.query(self.statement(&READ_ONE), &[&key.space, &name, &inline]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let found = KeyRow::decode_one(row, &mut KeyRow::room(&rows));
        Ok(set.fill_read(Header::of_one(row), found.into_iter()))
    }
}

/// What all of them are.
fn alike(numbers: &[i32]) -> Option<&i32> {
    let (first, rest) = numbers.split_first()?;
    rest.iter().all(|number| number == first).then_some(first)
}
