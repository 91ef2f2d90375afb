//! The keys of a batch: read once, changed in memory by one command after the other, written once. Hot path.

use std::collections::HashMap;

use bytes::Bytes;

use super::work::{Item, Transaction, TransactionStep, Use, Watched};
use crate::command::{Access, KeyOp, Slot, View};
use crate::keyspace::{DbIndex, Entry, StoredKey, Value, long_key};
use crate::resp::Reply;
use crate::state::Topic;
use crate::store::{DatabaseMap, KeyRow, Row};

/// Values up to this many bytes are read by lanes; whoever needs a longer one runs alone.
pub const LANE_INLINE: i32 = 64 * 1024;

/// A key of the set and its row.
pub struct SetKey {
    pub db: DbIndex,
    pub space: i32,
    pub stored: StoredKey,
    /// What goes to the column `long_key`.
    pub long_key: Option<Bytes>,
    /// Whether any operation needs a string's bytes.
    pub wanted: bool,
    /// The row that was found, if any; of WATCH's placeholder and of an expired key too.
    pub row: Option<RowState>,
}

#[derive(Debug, Clone, Copy)]
pub struct RowState {
    pub xmin: u32,
    /// Whether the row was a live key.
    pub live: bool,
}

/// The keys of all works of a batch, each once.
pub struct WorkingSet {
    index: HashMap<(i32, Bytes), u32>,
    pub keys: Vec<SetKey>,
    pub slots: Vec<Slot>,
    /// Places of every operation's keys in `slots`, operation after operation, in the order of the works.
    positions: Vec<u32>,
    /// The order in which rows are read, locked and written: by stored key and space, the same everywhere.
    pub order: Vec<u32>,
    pub now_us: i64,
    read_bytes: usize,
    /// Keys that reading commands found, and those that they did not.
    pub hits: u64,
    pub misses: u64,
}

impl WorkingSet {
    pub fn new<'i>(databases: &DatabaseMap, works: impl Iterator<Item = &'i [Item]>) -> WorkingSet {
        let mut set = WorkingSet {
            index: HashMap::new(),
            keys: Vec::new(),
            slots: Vec::new(),
            positions: Vec::new(),
            order: Vec::new(),
            now_us: 0,
            read_bytes: 0,
            hits: 0,
            misses: 0,
        };
        for Use { db, key, space, wanted } in works.flatten().flat_map(Item::uses) {
            let space = space.unwrap_or_else(|| databases.get(db).space);
            let position = set.intern(db, space, key, wanted);
            set.positions.push(position);
        }
        set.sort();
        set
    }

    /// Without one order there would be deadlocks; reads gain from walking the index from left to right.
    fn sort(&mut self) {
        let keys = &self.keys;
        self.order = (0..keys.len() as u32).collect();
        self.order.sort_unstable_by(|a, b| {
            let (a, b) = (&keys[*a as usize], &keys[*b as usize]);
            (a.stored.as_bytes(), a.space).cmp(&(b.stored.as_bytes(), b.space))
        });
    }

    fn intern(&mut self, db: DbIndex, space: i32, key: &Bytes, wanted: bool) -> u32 {
        let position = *self.index.entry((space, key.clone())).or_insert_with(|| {
            self.keys.push(SetKey {
                db,
                space,
                stored: StoredKey::new(key),
                long_key: long_key(key).cloned(),
                wanted: false,
                row: None,
            });
            self.slots.push(Slot::default());
            self.keys.len() as u32 - 1
        });
        self.keys[position as usize].wanted |= wanted;
        position
    }

    /// Takes the rows of LOCK; says which version of the map of databases they were read under. `now_us` is the time to go by, if not
    /// the statement's own.
    pub fn fill_locked(&mut self, rows: &[Row], now_us: Option<i64>) -> i64 {
        let (clock, _, found_version) = header(rows);
        self.now_us = now_us.unwrap_or(clock);
        for row in rows {
            if let KeyRow::Key { index, xid, entry } = KeyRow::decode(row) {
                let entry = entry.filter(|entry| !entry.expiry.is_past(self.now_us / 1000));
                self.put_row(index, xid, entry);
            }
        }
        found_version
    }

    /// Takes the rows of READ; says which version of the map of databases they were read under, if the moment is unambiguous.
    ///
    /// It is not if a key expired between the beginning of the statement and its look at the clock: the snapshot is of some moment in
    /// between. And not if somebody holds the row of an expired key, who may have found it alive and be about to renew it.
    pub fn fill_read(&mut self, rows: &[Row]) -> Option<i64> {
        let (now_us, running_us, found_version) = header(rows);
        self.now_us = now_us;
        for row in rows {
            if let KeyRow::Key { index, xid, entry } = KeyRow::decode(row) {
                let past = |us: i64| entry.as_ref().is_some_and(|entry| entry.expiry.is_past(us / 1000));
                let expired = past(now_us);
                if expired && (xid != 0 || !past(now_us - running_us)) {
                    return None;
                }
                self.put_row(index, 0, if expired { None } else { entry });
            }
        }
        Some(found_version)
    }

    fn put_row(&mut self, index: usize, xmin: u32, entry: Option<Entry>) {
        let position = self.order[index] as usize;
        self.keys[position].row = Some(RowState { xmin, live: entry.is_some() });
        self.read_bytes += entry.as_ref().map_or(0, inline_len);
        self.slots[position].entry = entry;
    }

    /// Applies a work's items in order. `cursor` walks through the positions and is moved past the work in any case.
    /// `None` if a value that is needed was too large to read: then nothing of the work has been applied.
    pub fn apply(&mut self, items: &[Item], cursor: &mut usize) -> Option<Applied> {
        let start = *cursor;
        let mut too_large = false;
        for Use { wanted, .. } in items.iter().flat_map(Item::uses) {
            let entry = &self.slots[self.positions[*cursor] as usize].entry;
            too_large |= wanted && matches!(entry, Some(Entry { value: Value::Unfetched(_), .. }));
            *cursor += 1;
        }
        if too_large {
            return None;
        }
        let mut at = start;
        let apply = |item: &Item| match item {
            Item::Op(op) => self.apply_op(op, &mut at),
            Item::Transaction(transaction) => self.apply_transaction(transaction, &mut at),
        };
        let replies = items.iter().map(apply).collect();
        Some(Applied { replies, positions: start..*cursor })
    }

    fn apply_op(&mut self, op: &KeyOp, at: &mut usize) -> Reply {
        let positions = &self.positions[*at..*at + op.keys.len()];
        *at += op.keys.len();
        if op.access == Access::Read {
            let found = positions.iter().filter(|position| self.slots[**position as usize].entry.is_some());
            let found = found.count() as u64;
            self.hits += found;
            self.misses += positions.len() as u64 - found;
        }
        (op.apply)(&mut View::new(&mut self.slots, positions, self.now_us)).unwrap_or_else(Reply::from)
    }

    fn apply_transaction(&mut self, transaction: &Transaction, at: &mut usize) -> Reply {
        let unchanged = transaction
            .watched
            .iter()
            .enumerate()
            .all(|(i, watched)| self.is_unchanged(watched, *at + 2 * i));
        *at += 2 * transaction.watched.len();
        if !unchanged {
            *at += transaction.steps.iter().map(TransactionStep::key_count).sum::<usize>();
            return Reply::NullArray;
        }
        let run = |step: &TransactionStep| match step {
            TransactionStep::Ready(reply) => reply.clone(),
            TransactionStep::Op(op) => self.apply_op(op, at),
        };
        Reply::Array(transaction.steps.iter().map(run).collect())
    }

    /// Whether a watched key is as WATCH saw it: the same row version, and not expired since. FLUSHDB and SWAPDB change it
    /// if it was there before or is there after.
    fn is_unchanged(&self, watched: &Watched, first_use: usize) -> bool {
        let [then, now] = [first_use, first_use + 1].map(|index| self.positions[index] as usize);
        if self.slots[then].dirty || self.slots[now].dirty {
            return false;
        }
        let row = self.keys[then].row;
        let same_row = row.is_some_and(|row| row.xmin == watched.xmin && row.live == watched.live);
        same_row && (then == now || (!watched.live && self.slots[now].entry.is_none()))
    }

    /// The place in `keys` and `slots` of a key that the set has.
    pub fn position(&self, space: i32, key: &[u8]) -> Option<u32> {
        let found = self.order.binary_search_by(|position| {
            let at = &self.keys[*position as usize];
            (at.stored.as_bytes(), at.space).cmp(&(key, space))
        });
        found.ok().map(|at| self.order[at])
    }

    /// Places of every operation's keys, operation after operation, in the order of the works.
    pub fn places(&self) -> &[u32] {
        &self.positions
    }

    /// The keys whose change may be what a blocked client waits for.
    pub fn ready(&self) -> impl Iterator<Item = Topic> {
        let ready = self.keys.iter().zip(&self.slots).filter(|(_, slot)| slot.ready);
        ready.map(|(key, _)| Topic::stored(key.db, &key.stored))
    }

    /// Bytes of the keys and of the values that were read or are to be written.
    pub fn bytes(&self) -> usize {
        let keys: usize = self.keys.iter().map(|key| key.stored.as_bytes().len()).sum();
        let written = self.slots.iter().filter(|slot| slot.dirty).filter_map(|slot| slot.entry.as_ref());
        self.read_bytes + keys + written.map(inline_len).sum::<usize>()
    }

    /// The places in `keys` and `slots` of the keys of an applied work.
    pub fn positions(&self, applied: &Applied) -> &[u32] {
        &self.positions[applied.positions.clone()]
    }
}

fn inline_len(entry: &Entry) -> usize {
    match &entry.value {
        Value::Inline(bytes) => bytes.len(),
        Value::Unfetched(_) | Value::Object(_) => 0,
    }
}

/// Clock, running time and version of READ, which answers them first, or of LOCK, which does last.
fn header(rows: &[Row]) -> (i64, i64, i64) {
    let header =
        [rows.first(), rows.last()].into_iter().flatten().find_map(|row| match KeyRow::decode(row) {
            KeyRow::Header { now_us, running_us, version } => Some((now_us, running_us, version)),
            KeyRow::Key { .. } => None,
        });
    header.unwrap_or_default()
}

/// A work that has been applied in memory.
pub struct Applied {
    pub replies: Vec<Reply>,
    positions: std::ops::Range<usize>,
}
