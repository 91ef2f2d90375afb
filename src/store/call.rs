//! A statement of its own: plain data between a command and whoever runs it.

use bytes::{Bytes, BytesMut};
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::connection::Connection;
use super::statements::Statement;
use crate::keyspace::stream::StreamId;
use crate::resp::Reply;

/// What a call's rows mean.
pub type Decode = Box<dyn Fn(&[Row]) -> Reply + Send + Sync>;

/// One statement with its parameters and the way from its rows to the reply.
pub struct Call {
    pub statement: &'static Statement,
    pub params: Vec<Param>,
    /// Whether it may change anything: decides what a lost connection means.
    pub writes: bool,
    pub decode: Decode,
}

impl Call {
    pub fn read(
        statement: &'static Statement,
        params: Vec<Param>,
        decode: impl Fn(&[Row]) -> Reply + Send + Sync + 'static,
    ) -> Call {
        Call { statement, params, writes: false, decode: Box::new(decode) }
    }

    pub fn write(
        statement: &'static Statement,
        params: Vec<Param>,
        decode: impl Fn(&[Row]) -> Reply + Send + Sync + 'static,
    ) -> Call {
        Call { statement, params, writes: true, decode: Box::new(decode) }
    }

    /// Runs the statement on a connection.
    pub async fn run(&self, connection: &Connection) -> Result<Vec<Row>, tokio_postgres::Error> {
        let params: Vec<&(dyn ToSql + Sync)> = self.params.iter().map(|param| param as _).collect();
        connection.query(self.statement, &params).await
    }
}

/// A parameter. The variant must fit the statement's type; a test prepares every statement and checks.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    Int4(i32),
    Int8(i64),
    Int4s(Vec<i32>),
    Int8s(Vec<i64>),
    StreamId(StreamId),
    StreamIds(Vec<Option<StreamId>>),
    Bytes(Bytes),
    BytesArray(Vec<Bytes>),
    NullableBytesArray(Vec<Option<Bytes>>),
    Bool(bool),
    Text(&'static str),
    Null,
}

impl ToSql for Param {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Param::Int4(n) => n.to_sql(ty, out),
            Param::Int8(n) => n.to_sql(ty, out),
            Param::Int4s(n) => n.to_sql(ty, out),
            Param::Int8s(n) => n.to_sql(ty, out),
            Param::StreamId(id) => id.to_sql(ty, out),
            Param::StreamIds(ids) => ids.to_sql(ty, out),
            Param::Bytes(bytes) => bytes.as_ref().to_sql(ty, out),
            Param::BytesArray(array) => {
                array.iter().map(Bytes::as_ref).collect::<Vec<&[u8]>>().to_sql(ty, out)
            }
            Param::NullableBytesArray(array) => {
                array.iter().map(Option::as_deref).collect::<Vec<Option<&[u8]>>>().to_sql(ty, out)
            }
            Param::Bool(value) => value.to_sql(ty, out),
            Param::Text(text) => text.to_sql(ty, out),
            Param::Null => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
