//! Executes a batch of works on one connection. The same code serves lanes (many clients' works) and the pool (one work). Hot path.
//!
//! - Reads: one SELECT; its snapshot is the moment of all of them.
//! - Overwrites (plain SETs): one statement, an upsert for few keys, UPDATE and INSERT for many.
//! - Increments: one statement that adds; what it refuses to add is an update.
//! - Updates: lock and read the rows in one statement, apply the commands in memory, write the changed rows, commit. Every key of the
//!   batch is locked, those that are only read too, so that a client's pipelined commands take effect together. A key that
//!   is absent cannot be locked when it is read: if it stays absent and its absence was seen together with other keys,
//!   a placeholder row is inserted and deleted again in the same transaction, which keeps others from making the key before
//!   our commit; if somebody made it earlier, the unique violation undoes the batch and it starts again.

use std::sync::atomic::Ordering::Relaxed;

use futures_util::future::{OptionFuture, join_all};
use tokio::join;

use super::columns::{Changes, KeyColumns, RowColumns};
use super::objects;
use super::sums::Sums;
use super::work::{Item, Route, Tables};
use super::working_set::{Applied, LANE_INLINE, SetKey, WorkingSet};
use crate::command::Access;
use crate::keyspace::{Classes, Kind};
use crate::resp::Reply;
use crate::state::{KeyspaceEvents, Waiters};
use crate::store::statements::keys::{
    ADD, ADD_ONE, BEGIN, COMMIT, DELETE, INSERT, LOCK, OVERWRITE, OVERWRITE_ONE, ROLLBACK, UPDATE,
};
use crate::store::statements::{KeyStatement, Statement};
use crate::store::{Connection, DatabaseMap, Lookups, ObjectIds, Params, Row, StoreError};

/// The replies of each work; `None` for one that needs a value longer than the batch reads, of which nothing has happened.
pub type Replies = Vec<Option<Vec<Reply>>>;

type Prepared = Option<tokio_postgres::Statement>;

/// The rows of LOCK, and those of objects.
type Locked = (Vec<Row>, Vec<(Kind, Vec<Row>)>);

/// How often commands are applied again because they need more of objects. Each time everything they asked for is there.
const MOST_PASSES: u32 = 30;

/// One batch: works of one route.
pub struct Batch<'b> {
    pub connection: &'b Connection,
    pub databases: &'b DatabaseMap,
    /// Told what was found, when the batch is done.
    pub lookups: &'b Lookups,
    /// Told what was written, once it is committed and before anybody gets a reply.
    pub waiters: &'b Waiters,
    /// For new objects.
    pub ids: &'b ObjectIds,
    /// Told what has happened to keys, likewise.
    pub events: &'b KeyspaceEvents,
    pub route: Route,
    /// Longest value that is read, in bytes.
    pub inline: i32,
    /// The time to go by, if it is not the moment when the keys are locked: within EXEC time stands still.
    pub now_us: Option<i64>,
}

impl Batch<'_> {
    /// Executes the works. [`StoreError::Conflict`] also says that the map of databases was stale: reload it and try again.
    pub async fn run(&self, works: &[&[Item]]) -> Result<Replies, StoreError> {
        let mut set = WorkingSet::new(self.databases, works.iter().copied());
        if set.keys.is_empty() {
            return Ok(replies(self.apply(&mut set, works)));
        }
        // Not of what is written without being read: then nothing is wanted, or was not when the batch began.
        let reads = matches!(self.route.access, Access::Read | Access::Update);
        set.wanted = if reads { self.events.wanted() } else { Classes::NONE };
        let outcome = match self.route.access {
            Access::Read => self.read(&mut set, works).await,
            Access::Overwrite => self.overwrite(&mut set, works).await,
            Access::Add => self.add(&set, works).await,
            // Boxed: several times larger than the others, which would be moved about with it.
            Access::Update => Box::pin(self.update(&mut set, works)).await,
        };
        if outcome.is_ok() && self.route.access != Access::Read && !self.waiters.is_empty() {
            self.waiters.written(&set.ready().collect::<Vec<_>>());
        }
        if outcome.is_ok() && !set.wanted.is_none() {
            self.events.publish(std::mem::take(&mut set.events));
            self.events.expect_ends(&set.ends());
        }
        // What lanes carry is bounded.
        if self.inline > LANE_INLINE {
            self.connection.carried(set.bytes());
        }
        outcome
    }

    pub fn statement(&self, forms: &'static KeyStatement) -> &'static Statement {
        match self.route.tables {
            Tables::Logged => &forms.logged,
            Tables::Unlogged => &forms.unlogged,
            Tables::Both => &forms.any,
        }
    }

    pub fn count_lookups(&self, set: &WorkingSet) {
        self.lookups.hits.fetch_add(set.hits, Relaxed);
        self.lookups.misses.fetch_add(set.misses, Relaxed);
    }

    pub fn apply(&self, set: &mut WorkingSet, works: &[&[Item]]) -> Vec<Option<Applied>> {
        let mut cursor = 0;
        works.iter().enumerate().map(|(work, items)| set.apply(items, work, &mut cursor)).collect()
    }

    /// Applies the works to a set that is locked, loading what they turn out to need of objects.
    pub async fn settle(
        &self,
        set: &mut WorkingSet,
        works: &[&[Item]],
    ) -> Result<Vec<Option<Applied>>, StoreError> {
        set.remember();
        set.objects.unlimited = self.inline > LANE_INLINE;
        set.objects.provide(self.ids.take(set.absent_objects()));
        for _ in 0..MOST_PASSES {
            let applied = self.apply(set, works);
            if !set.is_incomplete() {
                return Ok(applied);
            }
            objects::load(self.connection, self.ids, set).await?;
            set.rewind();
        }
        Err(StoreError::Refused("a bug in respg: there is always something missing".into()))
    }

    async fn overwrite(&self, set: &mut WorkingSet, works: &[&[Item]]) -> Result<Replies, StoreError> {
        let replies = replies(self.apply(set, works));
        let mut rows = RowColumns::default();
        for &position in &set.order {
            if let Some(entry) = &set.slots[position as usize].entry {
                rows.push(&set.keys[position as usize], entry, false);
            }
        }
        if rows.is_empty() {
            return Ok(replies);
        }
        let RowColumns {
            at: KeyColumns { spaces, keys }, long_keys, values, expiries, relative: rel, ..
        } = &rows;
        let version = &self.databases.version;
        let (forms, params): (_, Params<'_>) = match keys.len() {
            1 => (
                &OVERWRITE_ONE,
                &[version, &spaces[0], &keys[0], &long_keys[0], &values[0], &expiries[0], &rel[0]],
            ),
            _ => (&OVERWRITE, &[version, spaces, keys, long_keys, values, expiries, rel]),
        };
        let statement = self.connection.prepare(self.statement(forms)).await;
        let statement = statement.map_err(|error| StoreError::before_commit(&error))?;
        let written = self.connection.client().execute(&statement, params).await;
        match written.map_err(|error| StoreError::at_commit(&error))? {
            0 => Err(StoreError::Conflict),
            _ => Ok(replies),
        }
    }

    /// Sums up per key, has Postgres add, and counts the replies back from the results. If Postgres finds anything but a plain
    /// integer, nothing is written and the batch becomes an update.
    async fn add(&self, set: &WorkingSet, works: &[&[Item]]) -> Result<Replies, StoreError> {
        let sums = Sums::of(set, works);
        let mut columns = KeyColumns::default();
        let (mut long_keys, mut increments) = (Vec::new(), Vec::new());
        for &position in &set.order {
            let key = &set.keys[position as usize];
            columns.push(key);
            long_keys.push(key.long_key.as_deref());
            increments.push(sums.totals[position as usize]);
        }
        let (version, KeyColumns { spaces, keys }) = (&self.databases.version, &columns);
        let (forms, params): (_, Params<'_>) = match keys.len() {
            1 => (&ADD_ONE, &[version, &spaces[0], &keys[0], &long_keys[0], &increments[0]]),
            _ => (&ADD, &[version, spaces, keys, &long_keys, &increments]),
        };
        let statement = self.connection.prepare(self.statement(forms)).await;
        let statement = statement.map_err(|error| StoreError::before_commit(&error))?;
        let rows = self.connection.client().query(&statement, params).await.map_err(|error| {
            if StoreError::is_data_exception(&error) {
                StoreError::Conflict
            } else {
                StoreError::at_commit(&error)
            }
        })?;
        match rows.len() {
            0 => Err(StoreError::Conflict),
            found if found == set.keys.len() => sums.replies(set, works, &rows),
            _ => Err(StoreError::Unknown),
        }
    }

    async fn update(&self, set: &mut WorkingSet, works: &[&[Item]]) -> Result<Replies, StoreError> {
        let (begun, locked) = join!(self.connection.execute(&BEGIN, &[]), self.lock(set));
        let locked = begun.map_err(|error| StoreError::before_commit(&error)).and(locked);
        if let Err(error) = locked {
            return Err(rolled_back(self.connection, error).await);
        }
        let applied = match self.settle(set, works).await {
            Ok(applied) => applied,
            Err(error) => return Err(rolled_back(self.connection, error).await),
        };
        let hold = absences_to_hold(set, &applied);
        self.write(set, &Changes::of(set, &hold), Some(&COMMIT)).await?;
        self.count_lookups(set);
        Ok(replies(applied))
    }

    /// Locks and reads the rows of a sorted set, and the objects that are declared to be needed.
    pub async fn lock(&self, set: &mut WorkingSet) -> Result<(), StoreError> {
        let (rows, found) = self.locked_rows(set).await.map_err(|error| StoreError::before_commit(&error))?;
        let version = set.fill_locked(&rows, self.now_us);
        for (kind, rows) in found {
            objects::fill(set, kind, &rows);
        }
        if version == self.databases.version { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Sent at once; what loads the objects begins when the rows are locked, so it sees what others have made of them.
    async fn locked_rows(&self, set: &WorkingSet) -> Result<Locked, tokio_postgres::Error> {
        let client = self.connection.client();
        let ordered = || set.order.iter().map(|position| &set.keys[*position as usize]);
        let keys = KeyColumns::of(ordered());
        let inline = self.inline_limits(set);
        let lock = self.connection.prepare(self.statement(&LOCK)).await?;
        let mut kinds: Vec<Kind> = Vec::new();
        for kind in ordered().filter_map(|key| key.object) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let mut loading = Vec::new();
        for kind in kinds {
            if let Some(statement) = objects::loading(kind) {
                let keys = KeyColumns::of(ordered().filter(|key| key.object == Some(kind)));
                loading.push((kind, self.connection.prepare(self.statement(statement)).await?, keys));
            }
        }
        let load = async |loading: &(Kind, tokio_postgres::Statement, KeyColumns<'_>)| {
            let (kind, statement, keys) = loading;
            Ok((*kind, client.query(statement, &[&keys.spaces, &keys.keys]).await?))
        };
        let params: Params<'_> = &[&keys.spaces, &keys.keys, &inline];
        let (rows, loaded) = join!(client.query(&lock, params), join_all(loading.iter().map(load)));
        let rows = rows?;
        Ok((rows, loaded.into_iter().collect::<Result<_, _>>()?))
    }

    /// Writes the changes, and commits if so told; all sent at once.
    pub async fn write(
        &self,
        set: &WorkingSet,
        changes: &Changes<'_>,
        commit: Option<&'static Statement>,
    ) -> Result<(), StoreError> {
        let Changes { update: u, insert: i, delete: d } = changes;
        // Prepared first: whatever is polled together must only send, so that COMMIT is the last on the wire.
        let prepared = async {
            let of_objects = objects::writes(set, &|forms| self.statement(forms));
            Ok((self.prepare_writes(changes).await?, objects::prepare(self.connection, of_objects).await?))
        };
        let ([update, insert, delete], of_objects) = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => return Err(rolled_back(self.connection, StoreError::before_commit(&error)).await),
        };
        let client = self.connection.client();
        let params: Params<'_> =
            &[&u.at.spaces, &u.at.keys, &u.types, &u.values, &u.keep, &u.expiries, &u.object_ids];
        let updated = OptionFuture::from(update.as_ref().map(|statement| client.execute(statement, params)));
        let params: Params<'_> =
            &[&i.at.spaces, &i.at.keys, &i.long_keys, &i.types, &i.values, &i.expiries, &i.object_ids];
        let inserted = OptionFuture::from(insert.as_ref().map(|statement| client.execute(statement, params)));
        let params: Params<'_> = &[&d.spaces, &d.keys];
        let deleted = OptionFuture::from(delete.as_ref().map(|statement| client.execute(statement, params)));
        let committed = OptionFuture::from(commit.map(|commit| self.connection.execute(commit, &[])));
        let of_objects = objects::run(self.connection, &of_objects);
        let (updated, inserted, deleted, of_objects, committed) =
            join!(updated, inserted, deleted, of_objects, committed);
        // A failed statement turns the COMMIT after it into a rollback, which Postgres reports as a success.
        let of_keys = [updated, inserted, deleted].into_iter().flatten().find_map(Result::err);
        let failure = of_keys.or(of_objects.err()).or(committed.and_then(Result::err));
        match (failure, commit) {
            (None, _) => Ok(()),
            (Some(error), Some(_)) => Err(StoreError::at_commit(&error)),
            (Some(error), None) => Err(rolled_back(self.connection, StoreError::before_commit(&error)).await),
        }
    }

    /// UPDATE, INSERT and DELETE, as far as there is something for them.
    async fn prepare_writes(&self, changes: &Changes<'_>) -> Result<[Prepared; 3], tokio_postgres::Error> {
        let mut prepared = [None, None, None];
        let needed = [
            (!changes.update.is_empty(), &UPDATE),
            (!changes.insert.is_empty(), &INSERT),
            (!changes.delete.is_empty(), &DELETE),
        ];
        for (slot, (_, forms)) in prepared.iter_mut().zip(needed).filter(|(_, (needed, _))| *needed) {
            *slot = Some(self.connection.prepare(self.statement(forms)).await?);
        }
        Ok(prepared)
    }

    pub fn inline_limits(&self, set: &WorkingSet) -> Vec<i32> {
        set.order.iter().map(|position| self.inline_limit(&set.keys[*position as usize])).collect()
    }

    pub fn inline_limit(&self, key: &SetKey) -> i32 {
        if key.wanted { self.inline } else { -1 }
    }
}

pub fn replies(applied: Vec<Option<Applied>>) -> Replies {
    applied.into_iter().map(|applied| applied.map(|a| a.replies)).collect()
}

/// Ends a transaction that failed.
pub async fn rolled_back(connection: &Connection, error: StoreError) -> StoreError {
    // If this fails the connection is gone, and the transaction with it.
    let _ = connection.execute(&ROLLBACK, &[]).await;
    error
}

/// For each key of the set, whether it must stay absent until the commit.
///
/// Rows that are there are read when their lock is taken, absences are as of the statement's beginning, or later where a row went away
/// while its lock was waited for: two absences need not be of the same moment. So all are held that a work has seen together with
/// any other key, and those that its batch has seen come and go.
fn absences_to_hold(set: &WorkingSet, applied: &[Option<Applied>]) -> Vec<bool> {
    let absent = |position: u32| {
        let (key, slot) = (&set.keys[position as usize], &set.slots[position as usize]);
        key.row.is_none() && slot.entry.is_none()
    };
    let mut hold: Vec<bool> =
        (0..set.keys.len() as u32).map(|at| absent(at) && set.slots[at as usize].dirty).collect();
    for applied in applied.iter().flatten() {
        let positions = set.positions(applied);
        if positions.iter().any(|position| *position != positions[0]) {
            for &position in positions {
                hold[position as usize] |= absent(position);
            }
        }
    }
    hold
}
