//! What commands have changed of a stream's groups, as rows to write.

use bytes::Bytes;

use super::{ConsumerId, Cursor, GroupId, Groups, Leaving, Nack, StreamId};

/// Rows of the tables to write; for each list in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub groups_destroyed: Vec<GroupId>,
    pub consumers_deleted: Vec<(GroupId, ConsumerId)>,
    pub groups_made: Vec<(GroupId, Bytes, Cursor)>,
    /// With the version that the row has.
    pub cursors: Vec<(GroupId, i64, Cursor)>,
    pub consumers_made: Vec<(GroupId, ConsumerId, Bytes, Row)>,
    /// With the version that the row has.
    pub consumers: Vec<(GroupId, ConsumerId, i64, Row)>,
    pub pending_removed: Vec<(GroupId, StreamId)>,
    pub pending_changed: Vec<(GroupId, StreamId, Nack)>,
    pub pending_made: Vec<(GroupId, StreamId, Nack)>,
    pub leaving: Leaving,
}

/// When a consumer was seen, and when it was active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub seen_at: i64,
    pub active_at: Option<i64>,
}

impl Groups {
    pub fn changes(&self) -> Changes {
        let mut changes = Changes {
            groups_destroyed: self.destroyed.iter().copied().collect(),
            consumers_deleted: self
                .deleted
                .iter()
                .filter(|(group, _)| !self.destroyed.contains(group))
                .copied()
                .collect(),
            leaving: self.leaving.clone(),
            ..Changes::default()
        };
        for (name, group) in &self.groups {
            let Some(group) = group else { continue };
            let stored = self.loaded.groups.get(name).and_then(Option::as_ref).filter(|_| group.stored);
            match stored {
                None => {
                    let cursor =
                        Cursor { pending_from: self.bound(group.id, None, &group.cursor), ..group.cursor };
                    changes.groups_made.push((group.id, name.clone(), cursor));
                }
                Some(known) => {
                    let bound = self.bound(group.id, Some(known.first_pending()), &group.cursor);
                    let cursor = Cursor { pending_from: bound, ..group.cursor };
                    if cursor != known.cursor {
                        changes.cursors.push((group.id, known.version, cursor));
                    }
                }
            }
        }
        for ((group, name), consumer) in &self.consumers {
            let Some(consumer) = consumer else { continue };
            let row = Row { seen_at: consumer.seen_at, active_at: consumer.active_at };
            let known = self.loaded.consumers.get(&(*group, name.clone())).and_then(Option::as_ref);
            match known.filter(|_| consumer.stored) {
                None => changes.consumers_made.push((*group, consumer.id, name.clone(), row)),
                Some(known) if (known.seen_at, known.active_at) == (row.seen_at, row.active_at) => {}
                Some(known) => changes.consumers.push((*group, consumer.id, known.version, row)),
            }
        }
        for (group, pending) in &self.pending {
            for (id, nack) in pending {
                let known = self.loaded.nacks.get(&(*group, *id)).copied().flatten();
                let known = known.filter(|nack| !self.deleted.contains(&(*group, nack.consumer)));
                match (known, nack) {
                    (None, None) => {}
                    (None, Some(nack)) => changes.pending_made.push((*group, *id, *nack)),
                    (Some(_), None) => changes.pending_removed.push((*group, *id)),
                    (Some(known), Some(nack)) if known == *nack => {}
                    (Some(_), Some(nack)) => changes.pending_changed.push((*group, *id, *nack)),
                }
            }
        }
        changes
    }

    /// Below it nothing is pending, neither in the tables (from `stored` on) nor of what is to be written. If nothing is pending at all, what
    /// will be comes after the cursor, or lowers the bound itself.
    fn bound(&self, group: GroupId, stored: Option<StreamId>, cursor: &Cursor) -> StreamId {
        let made = self.pending.get(&group).into_iter().flatten();
        let made = made.filter(|(_, nack)| nack.is_some()).map(|(id, _)| *id).next();
        let lowest = stored.unwrap_or(StreamId::MAX).min(made.unwrap_or(StreamId::MAX));
        if lowest == StreamId::MAX { cursor.last_id } else { lowest }
    }
}
