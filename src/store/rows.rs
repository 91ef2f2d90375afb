//! Between key rows and Rust values. Hot path.

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::keyspace::stream::{Node, Options, StreamId, StreamState};
use crate::keyspace::{Entry, Expiry, Kind, Value};

/// A row of the statements READ and LOCK.
pub enum KeyRow {
    /// The database's clock in microseconds, for how long the statement has been running then, and the version of the map
    /// of databases.
    Header { now_us: i64, running_us: i64, version: i64 },
    Key {
        /// Position in the arrays that were sent, from 0.
        index: usize,
        /// From LOCK the row's version; from READ, if the key expires, the transaction that last locked the row.
        xid: u32,
        /// `None` for WATCH's placeholder.
        entry: Option<Entry>,
    },
}

impl KeyRow {
    /// Clock, running time and version of READ, which answers them first, or of LOCK, which does last.
    pub fn header(rows: &[Row]) -> (i64, i64, i64) {
        let header = [rows.first(), rows.last()].into_iter().flatten().find_map(|row| {
            match KeyRow::decode(row, &mut BytesMut::new()) {
                KeyRow::Header { now_us, running_us, version } => Some((now_us, running_us, version)),
                KeyRow::Key { .. } => None,
            }
        });
        header.unwrap_or_default()
    }

    /// For the values of all rows.
    pub fn room(rows: &[Row]) -> BytesMut {
        BytesMut::with_capacity(rows.iter().map(Row::raw_size_bytes).sum())
    }

    /// A value is copied to the end of `values` and stays a part of it: those of a batch have one allocation in common.
    pub fn decode(row: &Row, values: &mut BytesMut) -> KeyRow {
        let index: i32 = row.get(0);
        let num: Option<i64> = row.get(2);
        let object_id: Option<i64> = row.get(5);
        if index < 0 {
            let (now_us, version) = num.zip(object_id).expect("the header row is complete");
            return KeyRow::Header { now_us, running_us: row.get::<_, i32>(4).into(), version };
        }
        let kind = row.get::<_, Option<i16>>(1).map_or(Some(Kind::String), Kind::from_column);
        let entry = kind.map(|kind| Entry {
            kind,
            expiry: num.map_or(Expiry::Never, Expiry::At),
            value: match (kind, row.get::<_, Option<&[u8]>>(3)) {
                (Kind::String, Some(bytes)) => {
                    values.extend_from_slice(bytes);
                    Value::Inline(values.split().freeze())
                }
                (Kind::String, None) => Value::Unfetched(row.get::<_, Option<i32>>(4).unwrap_or(0) as usize),
                _ => Value::Object(object_id.unwrap_or(0)),
            },
        });
        let xid = row.get::<_, Option<Xid>>(6).map_or(0, |xid| xid.0);
        KeyRow::Key { index: index as usize - 1, xid, entry }
    }
}

/// A row version's transaction id.
pub struct Xid(pub u32);

impl<'a> FromSql<'a> for Xid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Xid, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Xid(u32::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::XID
    }
}

/// A row of `respg.streams`: the object's id and the rest.
pub fn stream_row(row: &Row) -> (i64, StreamState) {
    let node = Node {
        first: row.get(7),
        digest: row.get(8),
        number: row.get(9),
        bytes: row.get(10),
        entries: row.get(11),
        live: row.get(12),
    };
    let state = StreamState {
        version: row.get(1),
        length: row.get(2),
        entries_added: row.get(3),
        first_id: row.get(4),
        last_id: row.get(5),
        max_deleted_id: row.get(6),
        node,
        options: Options { max_deliveries: row.get(13), archive: row.get(14) },
    };
    (row.get(0), state)
}

impl<'a> FromSql<'a> for StreamId {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<StreamId, Box<dyn std::error::Error + Sync + Send>> {
        Ok(StreamId::from_bytes(raw.try_into()?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

impl ToSql for StreamId {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.to_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}
