//! The keys of a batch: read once, changed in memory by one command after the other, written once. Hot path.

use bytes::Bytes;

use super::work::{Item, Transaction, TransactionStep, Use, Watched};
use crate::command::{Access, KeyOp, Slot, View};
use crate::keyspace::{
    Classes, DbIndex, Entry, Event, Expiry, Kind, Object, Objects, StoredKey, Value, long_key,
};
use crate::resp::Reply;
use crate::state::{KeyEvent, Topic};
use crate::store::{DatabaseMap, Header, KeyRow, Row};

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
    /// The kind of object that an operation needs.
    pub object: Option<Kind>,
    /// The row that was found, if any; of WATCH's placeholder and of an expired key too.
    pub row: Option<RowState>,
    /// Whether the row is that of an expired key, of whose end nobody has been told.
    pub expired: bool,
}

impl SetKey {
    fn name(&self) -> (&[u8], i32) {
        (self.stored.as_bytes(), self.space)
    }
}

#[derive(Debug, Clone, Copy)]
pub struct RowState {
    pub xmin: u32,
    /// Whether the row was a live key.
    pub live: bool,
    /// The object that it names, an expired one too.
    pub object: Option<(Kind, i64)>,
}

/// The keys of all works of a batch, each once.
pub struct WorkingSet {
    pub keys: Vec<SetKey>,
    pub slots: Vec<Slot>,
    /// Places of every operation's keys in `slots`, operation after operation, in the order of the works.
    positions: Vec<u32>,
    /// The order in which rows are read, locked and written: by stored key and space, the same everywhere.
    pub order: Vec<u32>,
    pub now_us: i64,
    /// What the keys that are no strings hold.
    pub objects: Objects,
    /// The entries as they were read, if commands may have to run again.
    read: Option<Vec<Option<Entry>>>,
    /// Places of works that must run alone.
    refused: Vec<usize>,
    incomplete: bool,
    read_bytes: usize,
    /// Keys that reading commands found, and those that they did not.
    pub hits: u64,
    pub misses: u64,
    /// The keyspace notifications that are wanted, and those that there are.
    pub wanted: Classes,
    pub events: Vec<KeyEvent>,
}

impl WorkingSet {
    pub fn new<'i>(databases: &DatabaseMap, works: impl Iterator<Item = &'i [Item]>) -> WorkingSet {
        let mut set = WorkingSet {
            keys: Vec::new(),
            slots: Vec::new(),
            positions: Vec::new(),
            order: Vec::new(),
            now_us: 0,
            objects: Objects::default(),
            read: None,
            refused: Vec::new(),
            incomplete: false,
            read_bytes: 0,
            hits: 0,
            misses: 0,
            wanted: Classes::NONE,
            events: Vec::new(),
        };
        for Use { db, key, space, wanted, object } in works.flatten().flat_map(Item::uses) {
            let space = space.unwrap_or_else(|| databases.get(db).space);
            set.positions.push(set.keys.len() as u32);
            set.keys.push(SetKey {
                db,
                space,
                stored: StoredKey::new(key),
                long_key: long_key(key).cloned(),
                wanted,
                object,
                row: None,
                expired: false,
            });
        }
        set.sort();
        set.unite();
        set.slots = set.keys.iter().map(|key| Slot { unlogged: key.space < 0, ..Slot::default() }).collect();
        set
    }

    /// Without one order there would be deadlocks; reads gain from walking the index from left to right.
    fn sort(&mut self) {
        self.order = (0..self.keys.len() as u32).collect();
        self.order.sort_unstable_by_key(|at| (self.keys[*at as usize].name(), *at));
    }

    /// Makes one of the keys that are there several times, the first: they are neighbours in the order.
    fn unite(&mut self) {
        let Self { keys, order, positions, .. } = self;
        order.dedup_by(|at, first| {
            let same = keys[*at as usize].name() == keys[*first as usize].name();
            if same {
                let SetKey { wanted, object, .. } = keys[*at as usize];
                let known = &mut keys[*first as usize];
                known.wanted |= wanted;
                known.object = known.object.or(object);
                positions[*at as usize] = *first;
            }
            same
        });
        if order.len() == keys.len() {
            return;
        }
        let is_first: Vec<bool> = positions.iter().zip(0..).map(|(first, at)| *first == at).collect();
        let before = is_first.iter().scan(0, |before, is_first| {
            *before += u32::from(*is_first);
            Some(*before - 1)
        });
        let places: Vec<u32> = before.collect();
        order.iter_mut().chain(positions).for_each(|at| *at = places[*at as usize]);
        let mut is_first = is_first.into_iter();
        keys.retain(|_| is_first.next() == Some(true));
    }

    /// Takes the rows of LOCK; says which version of the map of databases they were read under. `now_us` is the time to go by, if not
    /// the statement's own.
    pub fn fill_locked(&mut self, rows: &[Row], now_us: Option<i64>) -> i64 {
        let header = Header::of(rows);
        self.now_us = now_us.unwrap_or(header.now_us);
        let mut values = KeyRow::room(rows);
        for KeyRow { index, xid, entry } in rows.iter().filter_map(|row| KeyRow::decode(row, &mut values)) {
            let object = entry.as_ref().and_then(object);
            let expired = entry.as_ref().is_some_and(|entry| entry.expiry.is_past(self.now_us / 1000));
            self.put_row(index, xid, entry.filter(|_| !expired), object);
            self.keys[self.order[index] as usize].expired = expired;
        }
        header.version
    }

    /// Takes the rows of READ; says which version of the map of databases they were read under, if the moment is unambiguous.
    ///
    /// It is not if a key expired between the beginning of the statement and its look at the clock: the snapshot is of some moment in
    /// between. And not if somebody holds the row of an expired key, who may have found it alive and be about to renew it.
    pub fn fill_read(&mut self, header: Header, rows: impl Iterator<Item = KeyRow>) -> Option<i64> {
        self.now_us = header.now_us;
        for KeyRow { index, xid, entry } in rows {
            let past = |us: i64| entry.as_ref().is_some_and(|entry| entry.expiry.is_past(us / 1000));
            let expired = past(header.now_us);
            if expired && (xid != 0 || !past(header.now_us - header.running_us)) {
                return None;
            }
            self.put_row(index, 0, if expired { None } else { entry }, None);
            self.keys[self.order[index] as usize].expired = expired;
        }
        Some(header.version)
    }

    fn put_row(&mut self, index: usize, xmin: u32, entry: Option<Entry>, object: Option<(Kind, i64)>) {
        let position = self.order[index] as usize;
        self.keys[position].row = Some(RowState { xmin, live: entry.is_some(), object });
        self.read_bytes += entry.as_ref().map_or(0, inline_len);
        self.slots[position].entry = entry;
    }

    /// To be called before commands are applied for the first time: makes [`WorkingSet::rewind`] possible, if it may be needed.
    pub fn remember(&mut self) {
        let object = |key: &SetKey| key.object.is_some() || key.row.is_some_and(|row| row.object.is_some());
        let entries = || self.slots.iter().map(|slot| slot.entry.clone()).collect();
        self.read = self.keys.iter().any(object).then(entries);
    }

    /// Whether commands have to be applied again, with what they found missing.
    pub fn is_incomplete(&self) -> bool {
        self.incomplete || self.objects.lacks()
    }

    /// Undoes what commands did. What was loaded stays.
    pub fn rewind(&mut self) {
        let Some(read) = &self.read else { return };
        for (slot, entry) in self.slots.iter_mut().zip(read) {
            *slot = Slot { entry: entry.clone(), unlogged: slot.unlogged, ..Slot::default() };
        }
        self.objects.rewind();
        self.incomplete = false;
        self.events.clear();
        (self.hits, self.misses) = (0, 0);
    }

    /// How many keys are to hold an object, perhaps, and are absent.
    pub fn absent_objects(&self) -> usize {
        let absent = |(key, slot): &(&SetKey, &Slot)| key.object.is_some() && slot.entry.is_none();
        self.keys.iter().zip(&self.slots).filter(absent).count()
    }

    /// Applies a work's items in order. `cursor` walks through the positions and is moved past the work in any case.
    /// `None` if a value that is needed was too large to read: then nothing of the work has been applied.
    pub fn apply(&mut self, items: &[Item], work: usize, cursor: &mut usize) -> Option<Applied> {
        let start = *cursor;
        let mut too_large = self.refused.contains(&work);
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
        if self.objects.take_refusal() {
            self.refused.push(work);
            self.incomplete = true;
        }
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
        if self.wanted.is_none() {
            let view = &mut View::new(&mut self.slots, positions, &mut self.objects, self.now_us);
            return (op.apply)(view).unwrap_or_else(Reply::from);
        }
        let dirty: Vec<bool> = positions.iter().map(|at| self.slots[*at as usize].dirty).collect();
        let view = View::new(&mut self.slots, positions, &mut self.objects, self.now_us);
        let mut view = view.noting(self.wanted);
        if op.access == Access::Read && !op.quiet {
            (0..op.keys.len()).for_each(|i| view.note_miss(i));
        }
        let outcome = (op.apply)(&mut view);
        let noted = view.into_events();
        let event = |i: usize, event| KeyEvent { db: op.keys[i].db, key: op.keys[i].key.clone(), event };
        // The end of an expired key is known as soon as its row is used for another.
        for (i, at) in positions.iter().enumerate() {
            let reused = self.keys[*at as usize].expired && self.slots[*at as usize].dirty && !dirty[i];
            if reused && self.wanted.has(Classes::EXPIRED) {
                self.events.push(event(i, Event::EXPIRED));
            }
        }
        if outcome.is_ok() || op.access == Access::Read {
            self.events.extend(noted.into_iter().map(|(i, noted)| event(i, noted)));
        }
        outcome.unwrap_or_else(Reply::from)
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
    fn is_unchanged(&mut self, watched: &Watched, first_use: usize) -> bool {
        let [then, now] = [first_use, first_use + 1].map(|index| self.positions[index] as usize);
        if self.slots[then].dirty || self.slots[now].dirty {
            return false;
        }
        if let Some((kind, id)) = self.slots[then].entry.as_ref().and_then(object) {
            // Not loaded: this runs again.
            let version = self.objects.version(kind, id).ok();
            if version.is_none() || version != watched.object_version {
                return false;
            }
        }
        let row = self.keys[then].row;
        let same_row = row.is_some_and(|row| row.xmin == watched.xmin && row.live == watched.live);
        same_row && (then == now || (!watched.live && self.slots[now].entry.is_none()))
    }

    /// The place in `keys` and `slots` of a key that the set has.
    pub fn position(&self, space: i32, key: &[u8]) -> Option<u32> {
        let found = self.order.binary_search_by_key(&(key, space), |at| self.keys[*at as usize].name());
        found.ok().map(|at| self.order[at])
    }

    /// Places of every operation's keys, operation after operation, in the order of the works.
    pub fn places(&self) -> &[u32] {
        &self.positions
    }

    /// The keys whose change may be what a blocked client waits for.
    pub fn ready(&self) -> impl Iterator<Item = Topic> {
        let may_serve = |slot: &Slot| {
            let object = slot.entry.as_ref().and_then(object).and_then(|(_, id)| self.objects.get(id));
            slot.ready || object.is_some_and(Object::may_serve)
        };
        let ready = self.keys.iter().zip(&self.slots).filter(move |(_, slot)| may_serve(slot));
        ready.map(|(key, _)| Topic::stored(key.db, &key.stored))
    }

    /// The keys that have got an expiry, or have been found expired: milliseconds that they have left, space and stored key.
    pub fn ends(&self) -> Vec<(i64, i32, &[u8])> {
        if !self.wanted.has(Classes::EXPIRED) {
            return Vec::new();
        }
        let keys = self.keys.iter().zip(&self.slots);
        let ends = keys.filter_map(|(key, slot)| {
            let left = match slot.entry.as_ref().map(|entry| entry.expiry) {
                Some(Expiry::At(at)) if slot.dirty => at.saturating_sub(self.now_us / 1000),
                None if key.expired && !slot.dirty => 0,
                _ => return None,
            };
            Some((left, key.space, key.stored.as_bytes()))
        });
        ends.collect()
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

/// The object that an entry names.
pub fn object(entry: &Entry) -> Option<(Kind, i64)> {
    match entry.value {
        Value::Object(id) => Some((entry.kind, id)),
        Value::Inline(_) | Value::Unfetched(_) => None,
    }
}

fn inline_len(entry: &Entry) -> usize {
    match &entry.value {
        Value::Inline(bytes) => bytes.len(),
        Value::Unfetched(_) | Value::Object(_) => 0,
    }
}

/// A work that has been applied in memory.
pub struct Applied {
    pub replies: Vec<Reply>,
    positions: std::ops::Range<usize>,
}
