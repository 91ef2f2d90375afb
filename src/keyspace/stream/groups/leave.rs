//! Entries that leave a group of a stream with options: for the archive, or for the dead-letter stream.

use super::{Group, GroupId, Nack};
use crate::keyspace::stream::{Stream, StreamId};

/// An entry that is not pending any more, with what was pending.
pub type Left = (GroupId, StreamId, Nack);

/// Rows for the archive and for the dead-letter streams.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaving {
    pub acknowledged: Vec<Left>,
    pub buried: Vec<Left>,
}

impl Stream {
    /// The entry is acknowledged.
    pub(super) fn settle(&mut self, group: &Group, id: StreamId, nack: Nack) {
        self.groups.remove_nack(group, id);
        if self.state.options.archive {
            self.groups.leaving.acknowledged.push((group.id, id, nack));
        }
    }

    /// Whether an entry that would now be delivered once more goes to the dead-letter stream instead; then it does.
    pub(super) fn buries(&mut self, group: &Group, id: StreamId, nack: &Nack) -> bool {
        let most = self.state.options.max_deliveries;
        let buried = most > 0 && nack.deliveries >= most;
        if buried {
            self.groups.remove_nack(group, id);
            self.groups.leaving.buried.push((group.id, id, *nack));
        }
        buried
    }
}
