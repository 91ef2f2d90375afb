//! Objects (streams, and whatever else is more than a key row) between their tables and the working set. Hot path.
//!
//! A batch locks its key rows as ever. With them it loads the objects that its operations declare ([`KeyUse::object`]), in one
//! statement per kind, sent at once. Commands change objects in memory; when one needs something that is not there, the object notes it, the
//! batch loads all that was noted and applies its commands again from the beginning ([`load`]). What is left changed at the
//! end is written with the key rows, in one statement per table ([`writes`]).
//!
//! A new kind needs: its type in `keyspace` and a variant of `Object`, its statements, and a file here with these three steps.
//!
//! [`KeyUse::object`]: crate::command::KeyUse::object

mod groups;
mod stream;

use std::collections::BTreeMap;

use futures_util::future::{join_all, try_join_all};
use tokio_postgres::types::ToSql;

use super::working_set::{WorkingSet, object};
use crate::keyspace::Kind;
use crate::store::statements::streams::DROP_OBJECTS;
use crate::store::statements::{KeyStatement, Statement};
use crate::store::{Connection, ObjectIds, Row, StoreError};

/// A statement that writes.
pub struct Write {
    pub statement: &'static Statement,
    pub params: Vec<Box<dyn ToSql + Sync + Send>>,
}

/// Which form of a statement is meant.
pub type Forms<'f> = &'f dyn Fn(&'static KeyStatement) -> &'static Statement;

/// A write that can be sent without waiting for anything.
pub struct Prepared {
    statement: tokio_postgres::Statement,
    params: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Write {
    fn new(statement: &'static Statement, params: Vec<Box<dyn ToSql + Sync + Send>>) -> Write {
        Write { statement, params }
    }

    async fn prepare(self, connection: &Connection) -> Result<Prepared, tokio_postgres::Error> {
        Ok(Prepared { statement: connection.prepare(self.statement).await?, params: self.params })
    }
}

impl Prepared {
    async fn run(&self, connection: &Connection) -> Result<u64, tokio_postgres::Error> {
        let params: Vec<&(dyn ToSql + Sync)> = self.params.iter().map(|param| &**param as _).collect();
        connection.client().execute(&self.statement, &params).await
    }
}

/// Prepares writes, which must not happen between statements that are sent at once.
pub async fn prepare(
    connection: &Connection,
    writes: Vec<Write>,
) -> Result<Vec<Prepared>, tokio_postgres::Error> {
    try_join_all(writes.into_iter().map(|write| write.prepare(connection))).await
}

/// Runs writes, sent one after the other without waiting. The first failure in their order.
pub async fn run(connection: &Connection, writes: &[Prepared]) -> Result<(), tokio_postgres::Error> {
    let outcomes = join_all(writes.iter().map(|write| write.run(connection))).await;
    outcomes.into_iter().find_map(Result::err).map_or(Ok(()), Err)
}

/// The statement that loads the objects of these kinds with the keys, given spaces and keys.
pub fn loading(kind: Kind) -> Option<&'static KeyStatement> {
    match kind {
        Kind::Stream => Some(stream::OF_KEYS),
        Kind::String | Kind::List | Kind::Set | Kind::SortedSet | Kind::Hash => None,
    }
}

/// Takes the answer of [`loading`].
pub fn fill(set: &mut WorkingSet, kind: Kind, rows: &[Row]) {
    if kind == Kind::Stream {
        stream::fill(&mut set.objects, rows);
    }
}

/// Loads what commands found missing.
pub async fn load(connection: &Connection, ids: &ObjectIds, set: &mut WorkingSet) -> Result<(), StoreError> {
    let missing = set.objects.missing_ids();
    if missing > 0 {
        set.objects.provide(ids.get(connection, missing).await?);
    }
    stream::load(connection, &mut set.objects).await.map_err(|error| StoreError::before_commit(&error))
}

/// All that is to be written of objects, in this order.
pub fn writes(set: &WorkingSet, forms: Forms<'_>) -> Vec<Write> {
    let mut kept = BTreeMap::new();
    for entry in set.slots.iter().filter_map(|slot| slot.entry.as_ref()) {
        kept.extend(object(entry).map(|(kind, id)| (id, kind)));
    }
    let mut writes = stream::writes(&set.objects, &kept, forms);
    let rewritten = set.keys.iter().zip(&set.slots).filter(|(_, slot)| slot.dirty);
    let had = rewritten.filter_map(|(key, _)| key.row?.object);
    let dropped: Vec<(Kind, i64)> = had.filter(|(_, id)| !kept.contains_key(id)).collect();
    if !dropped.is_empty() {
        let ids: Vec<i64> = dropped.iter().map(|(_, id)| *id).collect();
        let kinds: Vec<i16> = dropped.iter().map(|(kind, _)| *kind as i16).collect();
        writes.push(Write::new(&DROP_OBJECTS, vec![Box::new(ids), Box::new(kinds)]));
    }
    writes
}
