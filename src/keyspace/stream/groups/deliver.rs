//! XREADGROUP: new entries, and a consumer's own history.

use bytes::Bytes;

use super::loaded::{LoadedEntry, consumer_part};
use super::{Group, GroupPart, Nack};
use crate::keyspace::stream::{NotLoaded, Stream, StreamId};

/// An entry and its packed fields; `None` if it is not there any more.
pub type Delivered = (StreamId, Option<Bytes>);

/// Who reads more entries than this at once does so without other clients waiting for it.
const MOST_AMONG_OTHERS: i64 = 1000;

impl Stream {
    /// Notes all that a read of new entries will need.
    pub fn foresee_delivery(&mut self, name: &Bytes, consumer: &Bytes, count: i64) {
        if self.source.is_none() || self.groups.loaded.groups.contains_key(name) {
            return;
        }
        self.groups.note(GroupPart::Group { name: name.clone(), bounds: true });
        self.groups.note(consumer_part(name.clone(), consumer.clone()));
        if self.in_tables() > 0 {
            let count = if self.groups.unlimited { count } else { count.min(MOST_AMONG_OTHERS) };
            self.groups.note(GroupPart::New(name.clone(), count));
        }
    }

    /// The same for a read of history.
    pub fn foresee_history(&mut self, name: &Bytes, consumer: &Bytes, from: StreamId, count: i64) {
        if self.source.is_none() || self.groups.loaded.groups.contains_key(name) {
            return;
        }
        let (group, consumer) = (name.clone(), consumer.clone());
        self.groups.note(GroupPart::Group { name: group.clone(), bounds: false });
        self.groups.note(consumer_part(group.clone(), consumer.clone()));
        self.groups.note(GroupPart::History { group, consumer, from, limit: count });
    }

    /// Up to `count` entries that the group has not had yet, for a consumer that is made if need be.
    pub fn deliver(
        &mut self,
        name: &Bytes,
        mut group: Group,
        consumer: &Bytes,
        count: i64,
        noack: bool,
        now: i64,
    ) -> Result<Vec<Delivered>, NotLoaded> {
        let mut seen = self.groups.see(name, &mut group, consumer, now)?;
        let entries = self.entries_after(name, group.cursor.last_id, count)?;
        if entries.is_empty() {
            return Ok(entries);
        }
        let ids: Vec<StreamId> = entries.iter().map(|(id, _)| *id).collect();
        if !noack {
            self.groups.know_nacks(name, &group, &ids)?;
            seen.active_at = Some(now);
            self.groups.put_consumer(&group, consumer, seen);
        }
        for id in ids {
            group.cursor.entries_read = self.read_after(&group.cursor, id)?;
            group.cursor.last_id = id;
            if !noack {
                let nack = Nack { consumer: seen.id, delivered_at: now, deliveries: 1 };
                self.groups.put_nack(&mut group, id, nack);
            }
        }
        self.groups.put_group(name, group);
        Ok(entries)
    }

    /// Delivers what another server has delivered, at that time. What several consumers got at one moment may come in any order.
    pub fn delivered(
        &mut self,
        name: &Bytes,
        mut group: Group,
        consumer: &Bytes,
        ids: &[StreamId],
        noack: bool,
        at: i64,
    ) -> Result<(), NotLoaded> {
        let mut seen = self.groups.see(name, &mut group, consumer, at)?;
        if !noack {
            self.groups.know_nacks(name, &group, ids)?;
            seen.active_at = Some(at);
            self.groups.put_consumer(&group, consumer, seen);
        }
        for &id in ids {
            if id > group.cursor.last_id {
                group.cursor.entries_read = self.read_after(&group.cursor, id)?;
                group.cursor.last_id = id;
            }
            if !noack {
                let nack = Nack { consumer: seen.id, delivered_at: at, deliveries: 1 };
                self.groups.put_nack(&mut group, id, nack);
            }
        }
        self.groups.put_group(name, group);
        Ok(())
    }

    /// Makes the consumer if need be, and delivers nothing.
    pub fn meet(
        &mut self,
        name: &Bytes,
        mut group: Group,
        consumer: &Bytes,
        now: i64,
    ) -> Result<(), NotLoaded> {
        self.groups.see(name, &mut group, consumer, now).map(drop)
    }

    /// Up to `count` entries from an id on that the consumer, which is made if need be, has pending; they count as delivered once more.
    pub fn history(
        &mut self,
        name: &Bytes,
        mut group: Group,
        consumer: &Bytes,
        from: StreamId,
        count: i64,
        now: i64,
    ) -> Result<Vec<Delivered>, NotLoaded> {
        let seen = self.groups.see(name, &mut group, consumer, now)?;
        let ids = self.groups.listed(name, &group, Some((consumer, seen)), from, count)?;
        let mut entries = Vec::with_capacity(ids.len());
        let fields = self.entries(&ids, true)?;
        for (id, fields) in ids.into_iter().zip(fields) {
            let there = !matches!(fields, LoadedEntry::Absent);
            if there && let Some(nack) = self.groups.nack(name, &group, id)? {
                if self.buries(&group, id, &nack) {
                    continue;
                }
                let nack = Nack { delivered_at: now, deliveries: nack.deliveries.saturating_add(1), ..nack };
                self.groups.put_nack(&mut group, id, nack);
            }
            entries.push((id, packed(fields)));
        }
        Ok(entries)
    }

    /// Up to `count` entries after an id.
    fn entries_after(
        &mut self,
        name: &Bytes,
        after: StreamId,
        count: i64,
    ) -> Result<Vec<Delivered>, NotLoaded> {
        let mut found = Vec::new();
        let full = |found: &Vec<Delivered>| found.len() as i64 >= count;
        let mut at = after;
        while self.in_tables() > 0 && at < self.base.last_id && !full(&found) {
            let groups = &self.groups;
            let Some(run) = groups.loaded.runs.iter().rev().find(|run| run.covers(at)) else {
                let mut rest = count - found.len() as i64;
                if !groups.unlimited {
                    if found.len() as i64 >= MOST_AMONG_OTHERS {
                        self.groups.refused = true;
                        return Err(NotLoaded);
                    }
                    rest = rest.min(MOST_AMONG_OTHERS);
                }
                let cursor =
                    groups.loaded.groups.get(name).copied().flatten().map(|known| known.cursor.last_id);
                return self.groups.lacks(match cursor == Some(at) {
                    true => GroupPart::New(name.clone(), rest),
                    false => GroupPart::After(at, rest),
                });
            };
            let start = run.ids.partition_point(|id| *id <= at);
            for id in &run.ids[start..] {
                at = *id;
                if *id < self.state.first_id || self.deleted.contains(id) {
                    continue;
                }
                found.push((*id, groups.loaded.entries.get(id).cloned().and_then(packed)));
                if full(&found) {
                    break;
                }
            }
            if run.all {
                break;
            }
        }
        let appended = self.appended.iter().filter(|entry| entry.place.id > after);
        let rest = (count - found.len() as i64).max(0) as usize;
        found.extend(appended.take(rest).map(|entry| (entry.place.id, Some(entry.fields.clone()))));
        Ok(found)
    }

    /// The entries of these ids, with their fields or only whether they are there.
    pub(super) fn entries(&mut self, ids: &[StreamId], fields: bool) -> Result<Vec<LoadedEntry>, NotLoaded> {
        let mut entries = Vec::with_capacity(ids.len());
        let mut unknown = std::collections::BTreeSet::new();
        for &id in ids {
            if let Ok(at) = self.appended.binary_search_by_key(&id, |entry| entry.place.id) {
                entries.push(LoadedEntry::Fields(self.appended[at].fields.clone()));
                continue;
            }
            let outside = id < self.state.first_id || id > self.base.last_id || self.in_tables() == 0;
            if outside || self.deleted.contains(&id) {
                entries.push(LoadedEntry::Absent);
                continue;
            }
            match self.groups.loaded.entries.get(&id) {
                Some(LoadedEntry::Present) if fields => drop(unknown.insert(id)),
                Some(entry) => entries.push(entry.clone()),
                None => drop(unknown.insert(id)),
            }
        }
        match unknown.is_empty() {
            true => Ok(entries),
            false => self.groups.lacks(GroupPart::Entries { ids: unknown, fields }),
        }
    }
}

pub(super) fn packed(entry: LoadedEntry) -> Option<Bytes> {
    match entry {
        LoadedEntry::Fields(fields) => Some(fields),
        LoadedEntry::Present | LoadedEntry::Absent => None,
    }
}
