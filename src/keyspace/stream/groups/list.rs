//! Pending entries in the order of their ids: those of the tables and what commands made of them.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Consumer, Group, GroupPart, Groups, NotLoaded, StreamId};

impl Groups {
    /// Up to `count` ids from `from` on that are pending in the group, or only with one consumer.
    pub(super) fn listed(
        &mut self,
        name: &Bytes,
        group: &Group,
        consumer: Option<(&Bytes, Consumer)>,
        from: StreamId,
        count: i64,
    ) -> Result<Vec<StreamId>, NotLoaded> {
        let of = consumer.map(|(_, consumer)| consumer.id);
        let in_tables = group.stored && consumer.is_none_or(|(_, consumer)| consumer.stored);
        let (stored, all) = match self.loaded.lists.get(&(group.id, of, from)) {
            _ if !in_tables => (&[][..], true),
            Some((ids, all)) => (ids.as_slice(), *all),
            None => return self.lacks(list_part(name, consumer, from, count)),
        };
        let made = self.pending.get(&group.id);
        let kept = |id: &StreamId| {
            let changed = made.is_some_and(|made| made.contains_key(id));
            let nack = self.loaded.nacks.get(&(group.id, *id)).copied().flatten();
            !changed && nack.is_some_and(|nack| !self.deleted.contains(&(group.id, nack.consumer)))
        };
        let mut ids: BTreeSet<StreamId> = stored.iter().copied().filter(kept).collect();
        // Beyond the last one that was loaded nothing can be said.
        let end = if all { StreamId::MAX } else { stored.last().copied().unwrap_or(from) };
        for (id, nack) in
            made.into_iter().flat_map(|made| made.range(from..)).take_while(|(id, _)| **id <= end)
        {
            if nack.is_some_and(|nack| of.is_none_or(|of| nack.consumer == of)) {
                ids.insert(*id);
            }
        }
        if !all && (ids.len() as i64) < count {
            let more = count.saturating_add(made.map_or(0, |made| made.len() as i64));
            let more = more.max(2 * stored.len() as i64);
            return self.lacks(list_part(name, consumer, from, more));
        }
        Ok(ids.into_iter().take(count.max(0) as usize).collect())
    }
}

fn list_part(name: &Bytes, consumer: Option<(&Bytes, Consumer)>, from: StreamId, limit: i64) -> GroupPart {
    let group = name.clone();
    match consumer {
        None => GroupPart::Scan { group, from, limit },
        Some((consumer, _)) => GroupPart::History { group, consumer: consumer.clone(), from, limit },
    }
}
