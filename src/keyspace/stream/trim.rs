//! Trimming: by length or by id, exactly or by whole nodes.

use super::{NotLoaded, Part, Place, Stream, StreamId};

/// What to remove from a stream's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// All but the last so many entries.
    Length(u64),
    /// Entries below an id.
    Id(StreamId),
}

/// How many first entries are loaded at least.
const SMALLEST_HEAD: usize = 256;
/// Places beyond this are looked up.
const LARGEST_HEAD: usize = 16 * 1024;

impl Stream {
    /// Removes exactly what is too much; says how many entries that were.
    pub fn trim(&mut self, trim: Trim) -> Result<u64, NotLoaded> {
        match trim {
            Trim::Length(length) => {
                let surplus = (self.state.length as u64).saturating_sub(length);
                if surplus == 0 {
                    return Ok(0);
                }
                let stored = self.in_tables();
                let first = match surplus.checked_sub(stored) {
                    Some(of_appended) => self.appended.get(of_appended as usize).map(|entry| entry.place.id),
                    None => Some(self.nth(surplus)?),
                };
                self.cut(first, surplus.min(stored), surplus);
                Ok(surplus)
            }
            Trim::Id(id) => {
                let stored = self.below(id)?;
                let appended = self.appended.partition_point(|entry| entry.place.id < id) as u64;
                if stored + appended > 0 {
                    self.cut(Some(id), stored, stored + appended);
                }
                Ok(stored + appended)
            }
        }
    }

    /// Removes whole nodes from the first on, as Redis would; at most `limit` entries, if given.
    pub fn trim_nodes(&mut self, trim: Trim, limit: Option<u64>) -> Result<u64, NotLoaded> {
        let mut removed = Removed::default();
        let mut length = self.state.length as u64;
        let surplus = |length: u64| match trim {
            Trim::Length(most) => length > most,
            Trim::Id(_) => length > 0,
        };
        if !surplus(length) {
            return Ok(0);
        }
        let mut wanted = SMALLEST_HEAD;
        let (places, all) = loop {
            let (places, all) = self.places(wanted)?;
            if all || enough(&places, trim, length, limit) {
                break (places, all);
            }
            wanted = wanted.max(places.len()) * 4;
        };
        let mut rest = &places[..];
        while surplus(length) && !rest.is_empty() {
            let node = rest[0].node;
            let count = rest.partition_point(|place| in_order(place.node, node));
            let closed = count < rest.len() || all;
            let goes = match trim {
                Trim::Length(most) => length - count as u64 >= most,
                Trim::Id(id) => rest[count - 1].id < id,
            };
            if !closed || !goes || limit.is_some_and(|limit| removed.entries + count as u64 > limit) {
                break;
            }
            removed.entries += count as u64;
            length -= count as u64;
            rest = &rest[count..];
        }
        if removed.entries > 0 {
            let stored = self.in_tables().min(removed.entries);
            self.cut(rest.first().map(|place| place.id), stored, removed.entries);
        }
        Ok(removed.entries)
    }

    /// Lets the stream begin at `first`, but no later than behind its last id, where the next entry may come.
    fn cut(&mut self, first: Option<StreamId>, stored: u64, removed: u64) {
        self.touch();
        let behind = self.state.last_id.next().unwrap_or(StreamId::MAX);
        let first = first.map_or(behind, |first| first.min(behind));
        self.appended.drain(..(removed - stored) as usize);
        self.trimmed += stored;
        self.state.length -= removed as i64;
        self.state.first_id = first;
        // Everything that is left is in the last node.
        if first >= self.state.node.first || self.state.length == 0 {
            self.state.node.live = self.state.length as i32;
        }
    }

    /// The first entries of the tables, as far as they are loaded and still count. Batches trim a little again and again: what is gone is
    /// not walked through.
    fn head(&self) -> impl Iterator<Item = &Place> {
        let head = &self.parts.head.0;
        let first = head.partition_point(|place| place.id < self.state.first_id);
        head[first..].iter().filter(|place| !self.deleted.contains(&place.id))
    }

    /// The entry of the tables at this place among those that count.
    fn nth(&mut self, n: u64) -> Result<StreamId, NotLoaded> {
        if let Some(place) = self.head().nth(n as usize) {
            return Ok(place.id);
        }
        debug_assert!(!self.parts.head.1, "more entries are counted than there are");
        let size = self.trimmed as usize + n as usize + self.deleted.len() + 1;
        if size <= LARGEST_HEAD {
            return self.lack(Part::Head((2 * size).max(SMALLEST_HEAD)));
        }
        // Each deleted entry before the place moves it on by one.
        let mut deleted = 0;
        loop {
            let place = self.trimmed + n + deleted;
            let known = self.parts.from.range(..=place).next_back();
            let known = known.and_then(|(first, ids)| ids.get((place - first) as usize));
            let Some(&id) = known else { return self.lack(Part::From(place)) };
            let before = self.deleted.range(..=id).count() as u64;
            if before == deleted {
                return Ok(id);
            }
            deleted = before;
        }
    }

    /// How many entries of the tables that count are below the id.
    fn below(&mut self, id: StreamId) -> Result<u64, NotLoaded> {
        if id <= self.state.first_id || self.in_tables() == 0 {
            return Ok(0);
        }
        if id > self.base.last_id {
            return Ok(self.in_tables());
        }
        let (head, all) = &self.parts.head;
        if *all || head.last().is_some_and(|last| last.id >= id) {
            return Ok(self.head().take_while(|place| place.id < id).count() as u64);
        }
        if head.is_empty() {
            return self.lack(Part::Head(SMALLEST_HEAD));
        }
        let Some(&count) = self.parts.below.get(&id) else { return self.lack(Part::Below(id)) };
        let deleted = self.deleted.range(..id).count() as u64;
        Ok(count - self.trimmed - deleted)
    }

    /// The first entries, at least so many of the tables, and whether these are all.
    pub(super) fn places(&mut self, at_least: usize) -> Result<(Vec<Place>, bool), NotLoaded> {
        let (head, all) = &self.parts.head;
        let complete = *all || self.in_tables() == 0;
        if !complete && head.len() < at_least {
            return self.lack(Part::Head(at_least));
        }
        let mut places: Vec<Place> = match self.in_tables() {
            0 => Vec::new(),
            _ => self.head().copied().collect(),
        };
        if complete {
            places.extend(self.appended.iter().map(|entry| entry.place));
        }
        Ok((places, complete))
    }
}

#[derive(Default)]
struct Removed {
    entries: u64,
}

/// Whether the node comes not after the other; numbers wrap.
fn in_order(node: i32, other: i32) -> bool {
    node.wrapping_sub(other) <= 0
}

/// Whether the first entries decide where whole nodes end to be removed.
fn enough(places: &[Place], trim: Trim, length: u64, limit: Option<u64>) -> bool {
    let Some(last) = places.last() else { return false };
    // The last node may go on.
    let sure = places.partition_point(|place| place.node != last.node) as u64;
    let by_limit = limit.is_some_and(|limit| sure > limit);
    by_limit
        || match trim {
            Trim::Length(most) => length.saturating_sub(sure) <= most,
            Trim::Id(id) => places.get((sure as usize).saturating_sub(1)).is_some_and(|place| place.id >= id),
        }
}
