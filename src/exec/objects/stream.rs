//! Streams between their tables and the working set. Hot path.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tokio::join;
use tokio_postgres::types::ToSql;

use super::groups::{self, GroupTables};
use super::{Forms, Write};
use crate::keyspace::stream::groups::GroupPart;
use crate::keyspace::stream::{Appended, Part, Place, Stream, StreamId, StreamState};
use crate::keyspace::{Kind, Object, Objects};
use crate::store::statements::KeyStatement;
use crate::store::statements::streams::{
    self, COPY, COUNT_BELOW, DELETE_ENTRIES, DELETE_RANGES, FORGET_RANGES, FROM, HEAD, INSERT,
    INSERT_ENTRIES, LEAVE_RANGES, PRESENT, STREAMS, TAIL, UPDATE,
};
use crate::store::{Connection, Row, stream_row};

pub static OF_KEYS: &KeyStatement = &streams::OF_KEYS;

/// So many trimmed entries are deleted at once; more are left to the sweeper.
const MOST_DELETED: u64 = 2000;

pub fn fill(objects: &mut Objects, rows: &[Row]) {
    for row in rows {
        let (id, state) = stream_row(row);
        objects.insert(id, Object::Stream(Box::new(Stream::loaded(id, state))));
    }
}

/// Loads streams and parts of streams that are missing.
pub async fn load(connection: &Connection, objects: &mut Objects) -> Result<(), tokio_postgres::Error> {
    let missing = objects.missing(Kind::Stream);
    if !missing.is_empty() {
        fill(objects, &connection.query(&STREAMS, &[&missing]).await?);
        for id in missing {
            // Somebody has removed the row from the table: what is left is an empty stream.
            if objects.get(id).is_none() {
                let stream = Stream::loaded(id, StreamState::default());
                objects.insert(id, Object::Stream(Box::new(stream)));
            }
        }
    }
    // A copy that commands made is made again by the next pass: what it needs is given to the stream that it is a copy of as well.
    let mut needs: BTreeMap<i64, Needs> = BTreeMap::new();
    for (_, object) in objects.iter_mut() {
        let Object::Stream(stream) = object;
        if let Some(source) = stream.source.filter(|_| stream.lacks()) {
            needs.entry(source).or_insert_with(|| Needs::new(stream)).add(stream);
        }
    }
    let answers = join_all(needs.iter().map(|(source, needs)| needs.load(connection, *source))).await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    for (_, object) in objects.iter_mut() {
        let Object::Stream(stream) = object;
        for ((source, needs), (rows, rows_of_groups)) in needs.iter().zip(&answers) {
            if stream.source == Some(*source) {
                needs.fill(stream, rows, rows_of_groups);
            }
        }
    }
    Ok(())
}

/// What is missing of the tables' rows of one object.
struct Needs {
    first: StreamId,
    parts: Vec<Part>,
    of_groups: Vec<GroupPart>,
}

impl Needs {
    fn new(stream: &Stream) -> Needs {
        Needs { first: stream.base().first_id, parts: Vec::new(), of_groups: Vec::new() }
    }

    fn add(&mut self, stream: &Stream) {
        let new = stream.missing().iter().filter(|part| !self.parts.contains(part));
        let new: Vec<Part> = new.cloned().collect();
        self.parts.extend(new);
        for part in stream.groups.missing() {
            if !self.of_groups.iter_mut().any(|known| known.absorb(part)) {
                self.of_groups.push(part.clone());
            }
        }
    }

    async fn load(
        &self,
        connection: &Connection,
        source: i64,
    ) -> Result<(Vec<Vec<Row>>, Vec<Vec<Row>>), tokio_postgres::Error> {
        let parts = join_all(self.parts.iter().map(|part| load_part(connection, source, self.first, part)));
        let (parts, of_groups) = join!(parts, groups::load(connection, source, self.first, &self.of_groups));
        Ok((parts.into_iter().collect::<Result<_, _>>()?, of_groups?))
    }

    fn fill(&self, stream: &mut Stream, rows: &[Vec<Row>], rows_of_groups: &[Vec<Row>]) {
        groups::fill(&mut stream.groups, &self.of_groups, rows_of_groups);
        for (part, rows) in self.parts.iter().zip(rows) {
            match part {
                Part::Below(id) => stream.put_count(*id, rows[0].get::<_, i64>(0) as u64),
                _ => stream.put_part(part, rows.iter().map(place).collect()),
            }
        }
    }
}

fn place(row: &Row) -> Place {
    Place { id: row.get(0), node: row.get(1) }
}

async fn load_part(
    connection: &Connection,
    source: i64,
    first: StreamId,
    part: &Part,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    match part {
        Part::Head(size) => connection.query(&HEAD, &[&source, &first, &(*size as i64)]).await,
        Part::Tail(size) => connection.query(&TAIL, &[&source, &first, &(*size as i64)]).await,
        Part::From(n) => connection.query(&FROM, &[&source, &first, &(*n as i64)]).await,
        Part::Below(id) => connection.query(&COUNT_BELOW, &[&source, &first, id]).await,
        Part::Present(ids) => connection.query(&PRESENT, &[&source, &first, ids]).await,
    }
}

/// What is to be written of the changed streams among those that keys name. Copies come first: they copy what the tables
/// hold before anything of this batch.
pub fn writes(objects: &Objects, kept: &BTreeMap<i64, Kind>, forms: Forms<'_>) -> Vec<Write> {
    let streams = kept.keys().filter_map(|id| match objects.get(*id)? {
        Object::Stream(stream) => Some((*id, &**stream)),
    });
    let mut writes = Vec::new();
    let mut tables = Tables::default();
    let mut groups = GroupTables::default();
    for (id, stream) in streams.filter(|(_, stream)| stream.is_changed()) {
        if let Some(source) = stream.source.filter(|source| *source != id) {
            let first = stream.state.first_id;
            writes.push(Write::new(&COPY, vec![Box::new(source), Box::new(id), Box::new(first)]));
        }
        if stream.is_own_changed() {
            tables.push(id, stream);
        }
        groups.push(id, stream);
    }
    tables.into_writes(&mut writes, forms);
    groups.into_writes(&mut writes, forms);
    writes
}

/// Parameter arrays for all streams of a batch.
#[derive(Default)]
struct Tables {
    new: Rows,
    changed: Rows,
    /// Whether the first entry of a changed stream may be gone.
    seek: Vec<bool>,
    appended: (Vec<i64>, Vec<StreamId>, Vec<i32>, Vec<Vec<u8>>),
    deleted: (Vec<i64>, Vec<StreamId>),
    restarted: Vec<i64>,
    /// Few trimmed entries, and many.
    trimmed: [(Vec<i64>, Vec<StreamId>, Vec<StreamId>); 2],
}

#[derive(Default)]
struct Rows {
    ids: Vec<i64>,
    versions: Vec<i64>,
    lengths: Vec<i64>,
    entries_added: Vec<i64>,
    first_ids: Vec<StreamId>,
    last_ids: Vec<StreamId>,
    max_deleted_ids: Vec<StreamId>,
    node_firsts: Vec<StreamId>,
    digests: Vec<i64>,
    nodes: Vec<i32>,
    node_bytes: Vec<i32>,
    node_entries: Vec<i32>,
    node_live: Vec<i32>,
}

impl Rows {
    fn push(&mut self, id: i64, state: &StreamState) {
        self.ids.push(id);
        self.versions.push(state.version);
        self.lengths.push(state.length);
        self.entries_added.push(state.entries_added);
        self.first_ids.push(state.first_id);
        self.last_ids.push(state.last_id);
        self.max_deleted_ids.push(state.max_deleted_id);
        self.node_firsts.push(state.node.first);
        self.digests.push(state.node.digest);
        self.nodes.push(state.node.number);
        self.node_bytes.push(state.node.bytes);
        self.node_entries.push(state.node.entries);
        self.node_live.push(state.node.live);
    }

    fn into_params(self) -> Vec<Box<dyn ToSql + Sync + Send>> {
        vec![
            Box::new(self.ids),
            Box::new(self.versions),
            Box::new(self.lengths),
            Box::new(self.entries_added),
            Box::new(self.first_ids),
            Box::new(self.last_ids),
            Box::new(self.max_deleted_ids),
            Box::new(self.node_firsts),
            Box::new(self.digests),
            Box::new(self.nodes),
            Box::new(self.node_bytes),
            Box::new(self.node_entries),
            Box::new(self.node_live),
        ]
    }
}

impl Tables {
    fn push(&mut self, id: i64, stream: &Stream) {
        match &stream.stored {
            None => self.new.push(id, &stream.state),
            Some(stored) => {
                self.changed.push(id, &stream.state);
                self.seek.push(!stream.deleted.is_empty());
                if stream.restarted {
                    self.restarted.push(id);
                } else if stream.trimmed > 0 {
                    let (ids, firsts, ends) = &mut self.trimmed[usize::from(stream.trimmed > MOST_DELETED)];
                    ids.push(id);
                    firsts.push(stored.first_id);
                    ends.push(stream.state.first_id);
                }
            }
        }
        for Appended { place, fields } in &stream.appended {
            self.appended.0.push(id);
            self.appended.1.push(place.id);
            self.appended.2.push(place.node);
            self.appended.3.push(fields.to_vec());
        }
        for deleted in &stream.deleted {
            self.deleted.0.push(id);
            self.deleted.1.push(*deleted);
        }
    }

    /// Entries first: the new row of a stream looks for the first one that is left.
    fn into_writes(self, writes: &mut Vec<Write>, forms: Forms<'_>) {
        let Tables { new, changed, seek, appended, deleted, restarted, trimmed } = self;
        if !restarted.is_empty() {
            writes.push(Write::new(&FORGET_RANGES, vec![Box::new(restarted)]));
        }
        if !deleted.0.is_empty() {
            writes.push(Write::new(&DELETE_ENTRIES, vec![Box::new(deleted.0), Box::new(deleted.1)]));
        }
        for (statement, (ids, firsts, ends)) in [&DELETE_RANGES, &LEAVE_RANGES].into_iter().zip(trimmed) {
            if !ids.is_empty() {
                let params: Vec<Box<dyn ToSql + Sync + Send>> =
                    vec![Box::new(ids), Box::new(firsts), Box::new(ends)];
                writes.push(Write::new(statement, params));
            }
        }
        if !appended.0.is_empty() {
            let (ids, entries, nodes, fields) = appended;
            let params: Vec<Box<dyn ToSql + Sync + Send>> =
                vec![Box::new(ids), Box::new(entries), Box::new(nodes), Box::new(fields)];
            writes.push(Write::new(forms(&INSERT_ENTRIES), params));
        }
        if !new.ids.is_empty() {
            writes.push(Write::new(forms(&INSERT), new.into_params()));
        }
        if !changed.ids.is_empty() {
            let mut params = changed.into_params();
            params.push(Box::new(seek));
            writes.push(Write::new(forms(&UPDATE), params));
        }
    }
}
