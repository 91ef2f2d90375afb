//! Consumer groups between their tables and the working set. Hot path.

use bytes::Bytes;
use tokio_postgres::types::ToSql;

use super::{Forms, Write};
use crate::keyspace::stream::groups::{
    Bounds, Changes, Cursor, GroupPart, Groups, Leaving, LoadedConsumer, LoadedEntry, LoadedGroup,
    LoadedNack, Nack, Row as Seen,
};
use crate::keyspace::stream::{Stream, StreamId};
use crate::keyspace::{StoredKey, long_key};
use crate::store::statements::groups::{
    AFTER, CONSUMERS, COUNT, DELETE_CONSUMERS, DELETE_PENDING, DESTROY_GROUPS, ENTRIES, GROUP,
    GROUP_WITH_BOUNDS, HIGHEST_GROUP, HISTORY, INSERT_CONSUMERS, INSERT_CURSORS, INSERT_GROUPS,
    INSERT_PENDING, NEW, PENDING, SCAN, UPDATE_ACTIVITY, UPDATE_CURSORS, UPDATE_PENDING,
};
use crate::store::statements::queues::{ARCHIVE, BURY};
use crate::store::{Connection, Row};

type Params = Vec<Box<dyn ToSql + Sync + Send>>;

/// Loads parts of the groups of one stream.
pub async fn load(
    connection: &Connection,
    object: i64,
    first: StreamId,
    parts: &[GroupPart],
) -> Result<Vec<Vec<Row>>, tokio_postgres::Error> {
    let loaded = parts.iter().map(|part| load_part(connection, object, first, part));
    futures_util::future::join_all(loaded).await.into_iter().collect()
}

async fn load_part(
    connection: &Connection,
    object: i64,
    first: StreamId,
    part: &GroupPart,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let stored = |name: &Bytes| StoredKey::new(name).as_bytes().to_vec();
    match part {
        GroupPart::Group { name, bounds: false } => connection.query(&GROUP, &[&object, &stored(name)]).await,
        GroupPart::Group { name, bounds: true } => {
            connection.query(&GROUP_WITH_BOUNDS, &[&object, &stored(name), &first]).await
        }
        GroupPart::HighestGroup => connection.query(&HIGHEST_GROUP, &[&object]).await,
        GroupPart::Consumers(group, names) => {
            let names: Vec<Vec<u8>> = names.iter().map(stored).collect();
            connection.query(&CONSUMERS, &[&object, &stored(group), &names]).await
        }
        GroupPart::New(group, limit) => {
            connection.query(&NEW, &[&object, &stored(group), &first, limit]).await
        }
        GroupPart::After(after, limit) => connection.query(&AFTER, &[&object, after, &first, limit]).await,
        GroupPart::Entries { ids, fields } => {
            let ids: Vec<StreamId> = ids.iter().copied().collect();
            connection.query(&ENTRIES, &[&object, &ids, fields]).await
        }
        GroupPart::Pending(group, ids) => {
            let ids: Vec<StreamId> = ids.iter().copied().collect();
            connection.query(&PENDING, &[&object, &stored(group), &ids]).await
        }
        GroupPart::Scan { group, from, limit } => {
            connection.query(&SCAN, &[&object, &stored(group), from, limit]).await
        }
        GroupPart::History { group, consumer, from, limit } => {
            let (group, consumer) = (stored(group), stored(consumer));
            connection.query(&HISTORY, &[&object, &group, from, limit, &consumer]).await
        }
        GroupPart::Count(group, consumer) => {
            connection.query(&COUNT, &[&object, &stored(group), &stored(consumer)]).await
        }
    }
}

/// Takes the answers: groups and consumers first, whose numbers the others need.
pub fn fill(groups: &mut Groups, parts: &[GroupPart], loaded: &[Vec<Row>]) {
    let rank = |part: &GroupPart| match part {
        GroupPart::Group { .. } => 0,
        GroupPart::Consumers(..) => 1,
        _ => 2,
    };
    for now in 0..=2 {
        for (part, rows) in parts.iter().zip(loaded).filter(|(part, _)| rank(part) == now) {
            fill_part(groups, part, rows);
        }
    }
}

fn fill_part(groups: &mut Groups, part: &GroupPart, rows: &[Row]) {
    match part {
        GroupPart::Group { name, bounds } => {
            groups.put_loaded_group(name, rows.first().map(|row| group(row, *bounds)));
        }
        GroupPart::HighestGroup => groups.put_highest_group(rows[0].get(0)),
        GroupPart::Consumers(group, names) => {
            let mut found = vec![None; names.len()];
            for row in rows {
                found[row.get::<_, i64>(0) as usize - 1] = Some(LoadedConsumer {
                    id: row.get(1),
                    version: row.get(2),
                    seen_at: row.get(3),
                    active_at: row.get(4),
                });
            }
            for (name, consumer) in names.iter().zip(found) {
                groups.put_loaded_consumer(group, name, consumer);
            }
        }
        GroupPart::New(..) | GroupPart::After(..) => {
            groups.put_run(part, rows.iter().map(|row| (row.get(0), bytes(row, 1))).collect());
        }
        GroupPart::Entries { ids, fields } => {
            let entry = |row: &Row| match fields {
                true => LoadedEntry::Fields(bytes(row, 1)),
                false => LoadedEntry::Present,
            };
            groups.put_entries(ids, rows.iter().map(|row| (row.get(0), entry(row))).collect());
        }
        GroupPart::Pending(group, ids) => groups.put_nacks(group, ids, rows.iter().map(nack).collect()),
        GroupPart::Scan { .. } | GroupPart::History { .. } => {
            let with_fields = matches!(part, GroupPart::History { .. });
            let entry = |row: &Row| match (row.get("present"), with_fields) {
                (false, _) => LoadedEntry::Absent,
                (true, false) => LoadedEntry::Present,
                (true, true) => LoadedEntry::Fields(bytes(row, 4)),
            };
            groups.put_list(part, rows.iter().map(|row| (nack(row), entry(row))).collect());
        }
        GroupPart::Count(group, consumer) => groups.put_count(group, consumer, rows[0].get(0)),
    }
}

fn bytes(row: &Row, column: usize) -> Bytes {
    Bytes::copy_from_slice(row.get(column))
}

fn group(row: &Row, bounds: bool) -> LoadedGroup {
    let cursor = Cursor {
        last_id: row.get(2),
        pending_from: row.get(3),
        entries_read: row.get(4),
        last_consumer: row.get(5),
    };
    let bounds =
        bounds.then(|| Bounds { first_pending: row.get(6), ahead: row.get(7), first_entry: row.get(8) });
    LoadedGroup { id: row.get(0), version: row.get(1), cursor, bounds }
}

fn nack(row: &Row) -> LoadedNack {
    let nack = Nack { consumer: row.get(1), delivered_at: row.get(2), deliveries: row.get(3) };
    LoadedNack { id: row.get(0), nack }
}

/// Parameter arrays for the groups of all streams of a batch.
#[derive(Default)]
pub struct GroupTables {
    destroyed: (Vec<i64>, Vec<i32>),
    deleted: (Vec<i64>, Vec<i32>, Vec<i32>),
    names: Names,
    cursors_made: Cursors,
    cursors: Cursors,
    consumers: (Names, Vec<i32>, Times),
    activity: Activity,
    removed: (Vec<i64>, Vec<i32>, Vec<StreamId>),
    changed: Nacks,
    made: Nacks,
    archived: Nacks,
    buried: Nacks,
}

/// Objects, groups, stored and long names.
#[derive(Default)]
struct Names {
    objects: Vec<i64>,
    groups: Vec<i32>,
    stored: Vec<Vec<u8>>,
    long: Vec<Option<Vec<u8>>>,
}

impl Names {
    fn push(&mut self, object: i64, group: i32, name: &Bytes) {
        self.objects.push(object);
        self.groups.push(group);
        self.stored.push(StoredKey::new(name).as_bytes().to_vec());
        self.long.push(long_key(name).map(|name| name.to_vec()));
    }
}

/// When consumers were seen, and when they were active.
#[derive(Default)]
struct Times {
    seen: Vec<i64>,
    active: Vec<Option<i64>>,
}

impl Times {
    fn push(&mut self, row: &Seen) {
        self.seen.push(row.seen_at);
        self.active.push(row.active_at);
    }
}

#[derive(Default)]
struct Activity {
    objects: Vec<i64>,
    groups: Vec<i32>,
    consumers: Vec<i32>,
    versions: Vec<i64>,
    times: Times,
}

#[derive(Default)]
struct Cursors {
    objects: Vec<i64>,
    groups: Vec<i32>,
    last_ids: Vec<StreamId>,
    pending_from: Vec<StreamId>,
    entries_read: Vec<Option<i64>>,
    last_consumers: Vec<i32>,
    versions: Vec<i64>,
}

impl Cursors {
    fn push(&mut self, object: i64, group: i32, version: i64, cursor: &Cursor) {
        self.objects.push(object);
        self.groups.push(group);
        self.last_ids.push(cursor.last_id);
        self.pending_from.push(cursor.pending_from);
        self.entries_read.push(cursor.entries_read);
        self.last_consumers.push(cursor.last_consumer);
        self.versions.push(version);
    }

    fn into_params(self, versions: bool) -> Params {
        let mut params: Params = vec![
            Box::new(self.objects),
            Box::new(self.groups),
            Box::new(self.last_ids),
            Box::new(self.pending_from),
            Box::new(self.entries_read),
            Box::new(self.last_consumers),
        ];
        if versions {
            params.push(Box::new(self.versions));
        }
        params
    }
}

#[derive(Default)]
struct Nacks {
    objects: Vec<i64>,
    groups: Vec<i32>,
    ids: Vec<StreamId>,
    consumers: Vec<i32>,
    delivered_at: Vec<i64>,
    deliveries: Vec<i64>,
}

impl Nacks {
    fn push(&mut self, object: i64, group: i32, id: StreamId, nack: Nack) {
        self.objects.push(object);
        self.groups.push(group);
        self.ids.push(id);
        self.consumers.push(nack.consumer);
        self.delivered_at.push(nack.delivered_at);
        self.deliveries.push(nack.deliveries);
    }

    fn into_params(self) -> Params {
        vec![
            Box::new(self.objects),
            Box::new(self.groups),
            Box::new(self.ids),
            Box::new(self.consumers),
            Box::new(self.delivered_at),
            Box::new(self.deliveries),
        ]
    }
}

impl GroupTables {
    pub fn push(&mut self, object: i64, stream: &Stream) {
        let Changes {
            groups_destroyed,
            consumers_deleted,
            groups_made,
            cursors,
            consumers_made,
            consumers,
            pending_removed,
            pending_changed,
            pending_made,
            leaving,
        } = stream.groups.changes();
        for group in groups_destroyed {
            self.destroyed.0.push(object);
            self.destroyed.1.push(group);
        }
        for (group, consumer) in consumers_deleted {
            self.deleted.0.push(object);
            self.deleted.1.push(group);
            self.deleted.2.push(consumer);
        }
        for (group, name, cursor) in groups_made {
            self.names.push(object, group, &name);
            self.cursors_made.push(object, group, 0, &cursor);
        }
        for (group, version, cursor) in cursors {
            self.cursors.push(object, group, version, &cursor);
        }
        for (group, consumer, name, row) in consumers_made {
            let (names, ids, times) = &mut self.consumers;
            names.push(object, group, &name);
            ids.push(consumer);
            times.push(&row);
        }
        for (group, consumer, version, row) in consumers {
            self.activity.objects.push(object);
            self.activity.groups.push(group);
            self.activity.consumers.push(consumer);
            self.activity.versions.push(version);
            self.activity.times.push(&row);
        }
        for (group, id) in pending_removed {
            self.removed.0.push(object);
            self.removed.1.push(group);
            self.removed.2.push(id);
        }
        pending_changed.into_iter().for_each(|(group, id, nack)| self.changed.push(object, group, id, nack));
        pending_made.into_iter().for_each(|(group, id, nack)| self.made.push(object, group, id, nack));
        let Leaving { acknowledged, buried } = leaving;
        acknowledged.into_iter().for_each(|(group, id, nack)| self.archived.push(object, group, id, nack));
        buried.into_iter().for_each(|(group, id, nack)| self.buried.push(object, group, id, nack));
    }

    /// What goes away first: its names and ids may be used again.
    pub fn into_writes(self, writes: &mut Vec<Write>, forms: Forms<'_>) {
        let GroupTables {
            destroyed,
            deleted,
            names,
            cursors_made,
            cursors,
            consumers,
            activity,
            removed,
            changed,
            made,
            archived,
            buried,
        } = self;
        let mut push = |some: bool, statement, params: Params| {
            if some {
                writes.push(Write::new(statement, params));
            }
        };
        push(!destroyed.0.is_empty(), &DESTROY_GROUPS, vec![Box::new(destroyed.0), Box::new(destroyed.1)]);
        let some = !deleted.0.is_empty();
        push(some, &DELETE_CONSUMERS, vec![Box::new(deleted.0), Box::new(deleted.1), Box::new(deleted.2)]);
        let some = !removed.0.is_empty();
        let params: Params = vec![Box::new(removed.0), Box::new(removed.1), Box::new(removed.2)];
        push(some, forms(&DELETE_PENDING), params);
        let some = !names.objects.is_empty();
        let Names { objects, groups, stored, long } = names;
        push(
            some,
            &INSERT_GROUPS,
            vec![Box::new(objects), Box::new(groups), Box::new(stored), Box::new(long)],
        );
        push(some, &INSERT_CURSORS, cursors_made.into_params(false));
        let some = !cursors.objects.is_empty();
        push(some, forms(&UPDATE_CURSORS), cursors.into_params(true));
        let (Names { objects, groups, stored, long }, ids, times) = consumers;
        let some = !ids.is_empty();
        let mut params: Params = vec![Box::new(objects), Box::new(groups), Box::new(ids)];
        params.push(Box::new(stored));
        params.push(Box::new(long));
        params.push(Box::new(times.seen));
        params.push(Box::new(times.active));
        push(some, &INSERT_CONSUMERS, params);
        let Activity { objects, groups, consumers, versions, times } = activity;
        let some = !objects.is_empty();
        let mut params: Params = vec![Box::new(objects), Box::new(groups), Box::new(consumers)];
        params.push(Box::new(versions));
        params.push(Box::new(times.seen));
        params.push(Box::new(times.active));
        push(some, forms(&UPDATE_ACTIVITY), params);
        let some = !changed.objects.is_empty();
        push(some, forms(&UPDATE_PENDING), changed.into_params());
        let some = !made.objects.is_empty();
        push(some, forms(&INSERT_PENDING), made.into_params());
        push(!archived.objects.is_empty(), &ARCHIVE, archived.into_params());
        push(!buried.objects.is_empty(), &BURY, buried.into_params());
    }
}
