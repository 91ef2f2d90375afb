//! Between key rows and Rust values. Hot path.

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::keyspace::stream::{Node, Options, StreamId, StreamState};
use crate::keyspace::{Entry, Expiry, Kind, Value};

/// What READ and LOCK answer beside the rows of keys.
#[derive(Debug, Clone, Copy, Default)]
pub struct Header {
    /// The database's clock in microseconds.
    pub now_us: i64,
    /// For how long the statement has been running then.
    pub running_us: i64,
    /// The version of the map of databases; no version is 0.
    pub version: i64,
}

/// A key's row of the statements READ and LOCK.
pub struct KeyRow {
    /// Position in the arrays that were sent, from 0.
    pub index: usize,
    /// From LOCK the row's version; from READ, if the key expires, the transaction that last locked the row.
    pub xid: u32,
    /// `None` for WATCH's placeholder.
    pub entry: Option<Entry>,
}

impl Header {
    /// READ answers it first, LOCK last. Looks at nothing else: the other row's value may be long.
    pub fn of(rows: &[Row]) -> Header {
        let header = [rows.first(), rows.last()].into_iter().flatten().find(|row| place(row).is_none());
        let header = header.map(|row| Header {
            now_us: row.get(2),
            running_us: row.get::<_, i32>(4).into(),
            version: row.get(5),
        });
        header.unwrap_or_default()
    }

    /// That of READ_ONE.
    pub fn of_one(row: &Row) -> Header {
        let [Moment(now_us), Moment(began_us)] = [row.get(6), row.get(7)];
        Header { now_us, running_us: now_us - began_us, version: row.get(8) }
    }
}

impl KeyRow {
    /// For the values of all rows.
    pub fn room(rows: &[Row]) -> BytesMut {
        BytesMut::with_capacity(rows.iter().map(Row::raw_size_bytes).sum())
    }

    /// `None` for the header. A value is copied to the end of `values` and stays a part of it: those of a batch have one allocation in common.
    pub fn decode(row: &Row, values: &mut BytesMut) -> Option<KeyRow> {
        let index = place(row)?;
        let kind = row.get::<_, Option<i16>>(1).map_or(Some(Kind::String), Kind::from_column);
        let xid = row.get::<_, Option<Xid>>(6).map_or(0, |xid| xid.0);
        Some(KeyRow { index, xid, entry: kind.map(|kind| entry(kind, row, 2, values)) })
    }

    /// The key of READ_ONE, if it is there.
    pub fn decode_one(row: &Row, values: &mut BytesMut) -> Option<KeyRow> {
        let kind = Kind::from_column(row.get::<_, Option<i16>>(0)?);
        let xid = row.get::<_, Option<Xid>>(5).map_or(0, |xid| xid.0);
        Some(KeyRow { index: 0, xid, entry: kind.map(|kind| entry(kind, row, 1, values)) })
    }
}

/// Position of a row's key; `None` for the header.
fn place(row: &Row) -> Option<usize> {
    usize::try_from(row.get::<_, i32>(0) - 1).ok()
}

/// Of the columns from `first` on: expiry, value, length, object id.
fn entry(kind: Kind, row: &Row, first: usize, values: &mut BytesMut) -> Entry {
    let expiry = row.get::<_, Option<i64>>(first).map_or(Expiry::Never, Expiry::At);
    let value = match (kind, row.get::<_, Option<&[u8]>>(first + 1)) {
        (Kind::String, Some(bytes)) => {
            values.extend_from_slice(bytes);
            Value::Inline(values.split().freeze())
        }
        (Kind::String, None) => Value::Unfetched(row.get::<_, Option<i32>>(first + 2).unwrap_or(0) as usize),
        _ => Value::Object(row.get::<_, Option<i64>>(first + 3).unwrap_or(0)),
    };
    Entry { kind, expiry, value }
}

/// A timestamptz, in microseconds since 1970.
struct Moment(i64);

impl<'a> FromSql<'a> for Moment {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Moment, Box<dyn std::error::Error + Sync + Send>> {
        /// Between 1970 and 2000, whence Postgres counts.
        const EPOCH: i64 = 946_684_800_000_000;
        Ok(Moment(i64::from_be_bytes(raw.try_into()?) + EPOCH))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
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
