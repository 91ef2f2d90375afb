//! A stream as the commands of a batch see it: what the tables hold, as far as it was asked for, and what the commands so far made of it.
//!
//! Entries are not all in memory. A method that needs something of the tables that is not there notes a [`Part`] and fails with [`NotLoaded`];
//! the executor loads what was noted and runs the commands again from the beginning.

mod fields;
pub mod groups;
mod id;
mod node;
mod trim;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

pub use fields::{Fields, unpack};
use groups::Groups;
pub use id::{PartialId, StreamId};
pub use node::{MOST_ENTRIES, Node};
pub use trim::Trim;

/// Something of the tables is needed that has not been loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotLoaded;

/// Something of a stream in the tables. Places are counted from the first entry that counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// So many entries from the first on.
    Head(usize),
    /// So many entries from the last on, backwards.
    Tail(usize),
    /// Some entries from this place on.
    From(u64),
    /// How many entries are below this id.
    Below(StreamId),
    /// Whether there are entries with these ids.
    Present(Vec<StreamId>),
}

/// The row of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamState {
    pub version: i64,
    pub length: i64,
    pub entries_added: i64,
    /// No entry below it counts.
    pub first_id: StreamId,
    pub last_id: StreamId,
    pub max_deleted_id: StreamId,
    pub node: Node,
    pub options: Options,
}

/// What a stream does besides, as a queue (RESPG.STREAM SET).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// After so many deliveries an entry goes to the dead-letter stream; 0: never.
    pub max_deliveries: i64,
    /// Whether acknowledged entries are archived.
    pub archive: bool,
}

/// An entry that is in a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub id: StreamId,
    pub node: i32,
}

/// An entry that is not in the tables yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    pub place: Place,
    pub fields: Bytes,
}

/// What was loaded of the tables.
#[derive(Debug, Clone, Default)]
struct Parts {
    /// The first entries, and whether these are all.
    head: (Vec<Place>, bool),
    /// The last ones, backwards, and whether these are all.
    tail: (Vec<StreamId>, bool),
    from: BTreeMap<u64, Vec<StreamId>>,
    below: HashMap<StreamId, u64>,
    present: HashMap<StreamId, bool>,
}

/// One stream.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// The object whose elements in the tables are this stream's: itself, or the one it was copied from, or none.
    pub source: Option<i64>,
    /// Its row, if there is one under its own id.
    pub stored: Option<StreamState>,
    /// What the tables hold for `source`.
    base: StreamState,
    pub state: StreamState,
    pub appended: Vec<Appended>,
    /// Entries of the tables that are deleted.
    pub deleted: BTreeSet<StreamId>,
    /// Whether its ids begin again below those that it had: whatever the tables still hold of it is to go.
    pub restarted: bool,
    /// How many entries of the tables, not counting those in `deleted`, are below `state.first_id`.
    pub trimmed: u64,
    parts: Parts,
    missing: Vec<Part>,
    pub groups: Groups,
}

impl Stream {
    /// A new, empty stream.
    pub fn new() -> Stream {
        Stream::default()
    }

    /// The stream of this row.
    pub fn loaded(id: i64, state: StreamState) -> Stream {
        Stream { source: Some(id), stored: Some(state), base: state, state, ..Stream::default() }
    }

    /// The same stream under another id; without its options.
    pub fn copy(&self) -> Stream {
        let state = StreamState { options: Options::default(), ..self.state };
        Stream { stored: None, state, missing: Vec::new(), groups: self.groups.copy(), ..self.clone() }
    }

    /// Forgets what commands did, but not what was loaded.
    pub fn rewind(&mut self) {
        self.state = self.base;
        self.appended.clear();
        self.deleted.clear();
        self.trimmed = 0;
        self.restarted = false;
        self.missing.clear();
        self.groups.rewind();
    }

    /// Whether there is something to write.
    pub fn is_changed(&self) -> bool {
        self.is_own_changed() || self.groups.is_changed()
    }

    /// Whether there is something to write besides its groups.
    pub fn is_own_changed(&self) -> bool {
        self.stored != Some(self.state) || !self.appended.is_empty() || !self.deleted.is_empty()
    }

    /// Whether a blocked client may wait for what has changed: entries, or the end of its group.
    pub fn may_serve(&self) -> bool {
        !self.appended.is_empty() || self.groups.has_lost_one()
    }

    /// Whether a command has changed it since it was loaded.
    pub fn version(&self) -> i64 {
        self.state.version
    }

    /// What is needed and not there.
    pub fn missing(&self) -> &[Part] {
        &self.missing
    }

    /// Whether a command has failed for want of something.
    pub fn lacks(&self) -> bool {
        !self.missing.is_empty() || !self.groups.missing().is_empty()
    }

    fn lack<T>(&mut self, part: Part) -> Result<T, NotLoaded> {
        if !self.missing.contains(&part) {
            self.missing.push(part);
        }
        Err(NotLoaded)
    }

    /// Takes what was loaded for a part: the entries found, in the part's order. For [`Part::Below`] see [`Stream::put_count`].
    pub fn put_part(&mut self, part: &Part, found: Vec<Place>) {
        match part {
            Part::Head(size) => {
                let all = found.len() < *size;
                self.parts.head = (found, all);
            }
            Part::Tail(size) => {
                self.parts.tail = (found.iter().map(|place| place.id).collect(), found.len() < *size);
            }
            Part::From(n) => {
                self.parts.from.insert(*n, found.iter().map(|place| place.id).collect());
            }
            Part::Present(ids) => {
                self.parts.present.extend(ids.iter().map(|id| (*id, false)));
                self.parts.present.extend(found.iter().map(|place| (place.id, true)));
            }
            Part::Below(_) => {}
        }
    }

    pub fn put_count(&mut self, below: StreamId, count: u64) {
        self.parts.below.insert(below, count);
    }

    /// The row that the tables hold for what is to be loaded.
    pub fn base(&self) -> &StreamState {
        &self.base
    }

    /// Every change goes through here.
    fn touch(&mut self) {
        self.state.version = self.base.version + 1;
    }

    /// Adds an entry. The caller has checked that its id is above [`StreamState::last_id`].
    pub fn append(&mut self, id: StreamId, fields: &Fields) {
        self.touch();
        self.state.node.append(id, fields);
        self.state.length += 1;
        self.state.entries_added = self.state.entries_added.wrapping_add(1);
        self.state.last_id = id;
        let place = Place { id, node: self.state.node.number };
        self.appended.push(Appended { place, fields: fields.packed.clone() });
    }

    /// Deletes entries; says how many of them there were.
    pub fn delete(&mut self, ids: &[StreamId]) -> Result<i64, NotLoaded> {
        let unknown: Vec<StreamId> = ids.iter().copied().filter(|id| self.find(*id).is_none()).collect();
        if !unknown.is_empty() {
            return self.lack(Part::Present(unknown));
        }
        let mut count = 0;
        for &id in ids {
            match self.find(id) {
                Some(Found::Appended(at)) => drop(self.appended.remove(at)),
                Some(Found::Stored) => drop(self.deleted.insert(id)),
                Some(Found::Nothing) | None => continue,
            }
            count += 1;
            self.touch();
            self.state.length -= 1;
            self.state.max_deleted_id = self.state.max_deleted_id.max(id);
            if id >= self.state.node.first {
                self.state.node.live -= 1;
            }
        }
        Ok(count)
    }

    /// The entries of these ids that there are.
    pub fn present(&mut self, ids: &[StreamId]) -> Result<Vec<bool>, NotLoaded> {
        let unknown: Vec<StreamId> = ids.iter().copied().filter(|id| self.find(*id).is_none()).collect();
        if !unknown.is_empty() {
            return self.lack(Part::Present(unknown));
        }
        Ok(ids.iter().map(|id| !matches!(self.find(*id), Some(Found::Nothing))).collect())
    }

    /// Where the entry is; `None` if that is not known.
    fn find(&self, id: StreamId) -> Option<Found> {
        if let Ok(at) = self.appended.binary_search_by_key(&id, |entry| entry.place.id) {
            return Some(Found::Appended(at));
        }
        let outside = id < self.state.first_id || id > self.base.last_id || self.in_tables() == 0;
        if outside || self.deleted.contains(&id) {
            return Some(Found::Nothing);
        }
        match self.parts.present.get(&id)? {
            true => Some(Found::Stored),
            false => Some(Found::Nothing),
        }
    }

    /// How many entries of the tables count.
    fn in_tables(&self) -> u64 {
        (self.state.length as u64).saturating_sub(self.appended.len() as u64)
    }

    /// The highest id of an entry.
    pub fn top(&mut self) -> Result<Option<StreamId>, NotLoaded> {
        if let Some(last) = self.appended.last() {
            return Ok(Some(last.place.id));
        }
        if self.in_tables() == 0 {
            return Ok(None);
        }
        let (ids, all) = &self.parts.tail;
        match ids.iter().find(|id| !self.deleted.contains(id)) {
            Some(id) => Ok(Some(*id)),
            None if *all => Ok(None),
            None => {
                let size = self.deleted.len() + 1;
                self.lack(Part::Tail(size))
            }
        }
    }

    /// XSETID.
    pub fn set_id(&mut self, last: StreamId, entries_added: Option<i64>, max_deleted: Option<StreamId>) {
        self.touch();
        // Trimmed entries may still be in the tables.
        if self.state.length == 0 && last < self.state.first_id {
            self.restarted = true;
            self.state.first_id = last;
        }
        self.state.last_id = last;
        self.state.entries_added = entries_added.unwrap_or(self.state.entries_added);
        self.state.max_deleted_id = max_deleted.unwrap_or(self.state.max_deleted_id);
    }
}

enum Found {
    Appended(usize),
    Stored,
    Nothing,
}

#[cfg(test)]
mod tests;
