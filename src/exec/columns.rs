//! A working set as the parameter arrays of the statements in `store::statements::keys`. Hot path.

use super::working_set::{SetKey, WorkingSet};
use crate::command::Slot;
use crate::keyspace::{Entry, Expiry, Value};

/// Arrays that say which keys, for READ, LOCK and DELETE.
#[derive(Default)]
pub struct KeyColumns<'s> {
    pub spaces: Vec<i32>,
    pub keys: Vec<&'s [u8]>,
}

impl<'s> KeyColumns<'s> {
    pub fn push(&mut self, key: &'s SetKey) {
        self.spaces.push(key.space);
        self.keys.push(key.stored.as_bytes());
    }

    pub fn of(keys: impl Iterator<Item = &'s SetKey>) -> KeyColumns<'s> {
        let mut columns = KeyColumns::default();
        keys.for_each(|key| columns.push(key));
        columns
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Arrays that say what to write. Each statement takes those it needs.
#[derive(Default)]
pub struct RowColumns<'s> {
    pub at: KeyColumns<'s>,
    pub long_keys: Vec<Option<&'s [u8]>>,
    pub types: Vec<i16>,
    pub values: Vec<Option<&'s [u8]>>,
    /// Whether the value in the row stays.
    pub keep: Vec<bool>,
    pub expiries: Vec<Option<i64>>,
    /// Whether the expiry counts from the statement's time.
    pub relative: Vec<bool>,
    pub object_ids: Vec<Option<i64>>,
}

impl<'s> RowColumns<'s> {
    /// `keep` says that the string in the row is the entry's already.
    pub fn push(&mut self, key: &'s SetKey, entry: &'s Entry, keep: bool) {
        let (value, object_id) = match &entry.value {
            Value::Inline(bytes) => ((!keep).then_some(bytes.as_ref()), None),
            Value::Unfetched(_) => (None, None),
            Value::Object(id) => (None, Some(*id)),
        };
        let (expiry, relative) = match entry.expiry {
            Expiry::Never => (None, false),
            Expiry::At(at) => (Some(at), false),
            Expiry::After(ms) => (Some(ms), true),
        };
        self.push_raw(key, entry.kind as i16, value, expiry);
        self.keep.push(keep || matches!(entry.value, Value::Unfetched(_)));
        self.relative.push(relative);
        self.object_ids.push(object_id);
    }

    /// A row of type 0 that locks an absent key until the transaction deletes it again.
    pub fn push_placeholder(&mut self, key: &'s SetKey) {
        self.push_raw(key, 0, None, None);
        self.keep.push(false);
        self.relative.push(false);
        self.object_ids.push(None);
    }

    fn push_raw(&mut self, key: &'s SetKey, kind: i16, value: Option<&'s [u8]>, expiry: Option<i64>) {
        self.at.push(key);
        self.long_keys.push(key.long_key.as_deref());
        self.types.push(kind);
        self.values.push(value);
        self.expiries.push(expiry);
    }

    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }
}

/// What an update batch has to write.
#[derive(Default)]
pub struct Changes<'s> {
    pub update: RowColumns<'s>,
    pub insert: RowColumns<'s>,
    pub delete: KeyColumns<'s>,
}

impl<'s> Changes<'s> {
    /// What a part of a longer transaction changes. Rows are not deleted but become placeholders: whoever waits for such a row
    /// then sees what the end of the transaction makes of it, and not a key that is absent in between.
    pub fn in_transaction(set: &'s WorkingSet) -> Changes<'s> {
        let mut changes = Changes::of(set, &vec![false; set.keys.len()]);
        changes.delete = KeyColumns::default();
        for &position in &set.order {
            let (key, slot) = (&set.keys[position as usize], &set.slots[position as usize]);
            if key.row.is_some() && slot.dirty && slot.entry.is_none() {
                changes.update.push_placeholder(key);
            }
        }
        changes
    }

    /// `hold[i]` says that the absent key `i` must stay absent until the commit.
    pub fn of(set: &'s WorkingSet, hold: &[bool]) -> Changes<'s> {
        let mut changes = Changes::default();
        for &position in &set.order {
            let (key, slot) = (&set.keys[position as usize], &set.slots[position as usize]);
            match (key.row.is_some(), slot) {
                (true, Slot { dirty: true, entry: Some(entry), replaced, .. }) => {
                    changes.update.push(key, entry, !replaced);
                }
                (true, Slot { dirty: true, entry: None, .. }) => changes.delete.push(key),
                (false, Slot { dirty: true, entry: Some(entry), .. }) => {
                    changes.insert.push(key, entry, false);
                }
                (false, _) if hold[position as usize] => {
                    changes.insert.push_placeholder(key);
                    changes.delete.push(key);
                }
                _ => {}
            }
        }
        changes
    }
}
