//! From rows of entries to replies.

use bytes::Bytes;

use crate::command::CommandError;
use crate::keyspace::Kind;
use crate::keyspace::stream::{StreamId, unpack};
use crate::resp::Reply;
use crate::store::Row;

/// The error for a key of this type, unless it is a stream.
pub fn wrong_type(kind: i16) -> Option<Reply> {
    (kind != Kind::Stream as i16).then(|| CommandError::WRONG_TYPE.into())
}

/// An entry as XRANGE and XREAD show it: its id, and names and values in turn.
pub fn entry(id: StreamId, fields: &Bytes) -> Reply {
    Reply::Array(vec![Reply::bulk(id.to_string()), Reply::bulks(unpack(fields))])
}

/// The entry of a row: id and fields in these columns.
pub fn entry_of(row: &Row, id: usize, fields: usize) -> Reply {
    entry(row.get(id), &Bytes::copy_from_slice(row.get(fields)))
}
