//! How streams are copied and compared: entries, ids and counters, groups with consumers, cursors and pending entries.

mod compare;
mod read;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::command::copy::{Call, DataType, Dialect, Difference, TypedValue, digest};
use crate::keyspace::Kind;
use crate::keyspace::stream::StreamId;

pub static STREAM: DataType = DataType {
    kind: Kind::Stream,
    survey: read::survey,
    size: read::size,
    piece: read::piece,
    reads: read::reads,
    value: read::value,
};

/// A stream. What versions of Redis before 7.0 do not say is `None`.
#[derive(Debug, Default, Hash)]
struct Contents {
    entries: Vec<(StreamId, Vec<Bytes>)>,
    last_id: StreamId,
    entries_added: Option<i64>,
    max_deleted_id: Option<StreamId>,
    groups: BTreeMap<Bytes, Group>,
}

#[derive(Debug, Default, Hash)]
struct Group {
    last_delivered: StreamId,
    /// `None` inside: unknown to the server itself.
    entries_read: Option<Option<i64>>,
    consumers: BTreeSet<Bytes>,
    pending: BTreeMap<StreamId, Pending>,
}

#[derive(Debug, Clone)]
struct Pending {
    consumer: Bytes,
    delivered_at: i64,
    deliveries: i64,
}

impl std::hash::Hash for Pending {
    /// As far as it is compared.
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        (&self.consumer, self.deliveries).hash(hasher);
    }
}

impl TypedValue for Contents {
    fn writes(&self, key: &Bytes, expires_at: Option<i64>, dialect: Dialect) -> Vec<Call> {
        write::writes(self, key, expires_at, dialect)
    }

    fn differences(&self, other: &dyn TypedValue) -> Vec<Difference> {
        let other = (other as &dyn std::any::Any).downcast_ref();
        other.map(|other| compare::differences(self, other)).unwrap_or_default()
    }

    fn digest(&self) -> u64 {
        digest(self)
    }
}
