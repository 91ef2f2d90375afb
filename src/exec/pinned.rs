//! An EXEC with commands that are more than key operations: one transaction on one pooled connection, under the locks of all its keys.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;

use super::batch::{Batch, rolled_back};
use super::columns::{Changes, KeyColumns};
use super::context::Context;
use super::engine::Engine;
use super::work::{Item, Route, Tables, Transaction, TransactionStep, Watched};
use super::working_set::WorkingSet;
use crate::command::{Access, CommandError, Plan};
use crate::keyspace::DbIndex;
use crate::resp::Reply;
use crate::session::Session;
use crate::state::{KeyEvent, KeyspaceEvents, Process, SettingsLock, Topic, Waiters};
use crate::store::bus::Item as BusItem;
use crate::store::statements::bus::PUBLISH;
use crate::store::statements::keys::{BARRIER, BEGIN, COMMIT, DELETE_PLACEHOLDERS};
use crate::store::{Call, Connection, DatabaseMap, Lookups, ObjectIds, Row, StoreError};

/// How often an EXEC starts again because others made its keys meanwhile.
const MOST_CONFLICTS: u32 = 50;

/// What EXEC is to do.
pub struct Queue {
    pub watched: Vec<Watched>,
    pub steps: Vec<Step>,
    /// Whether it replaces whole databases: then the keyspace is locked first.
    pub barrier: bool,
    /// Whether it publishes messages: then the events of its keys go with them.
    pub publishes: bool,
}

/// One queued command, planned.
pub enum Step {
    Keys(TransactionStep),
    /// With the database that is selected at this point.
    Other(DbIndex, Plan),
}

/// The queue with neighbouring key operations joined.
enum Segment {
    Keys(Item),
    Other(DbIndex, Plan),
}

/// A transaction in progress, as the commands in it see it.
pub struct Pinned<'a> {
    connection: &'a Connection,
    settings: &'a OnceLock<SettingsLock>,
}

impl Pinned<'_> {
    pub async fn rows(&self, call: &Call) -> Result<Vec<Row>, StoreError> {
        call.run(self.connection).await.map_err(|error| StoreError::before_commit(&error))
    }

    /// For as long as the transaction.
    pub async fn lock_settings(&self, process: &Process) {
        if self.settings.get().is_none() {
            let _ = self.settings.set(process.shared_settings.lock().await);
        }
    }
}

/// Runs an EXEC. `Ok(NullArray)` if a watched key changed.
pub async fn exec(engine: &Engine, session: &mut Session, queue: Queue) -> Result<Reply, StoreError> {
    let process = engine.process();
    let store = &process.store;
    let Queue { watched, steps, barrier, publishes } = queue;
    if publishes && !process.events.wanted().is_none() {
        // The events of commands before it come first. If the bus fails they are lost in any case.
        let _ = process.bus.said(BusItem::Mark).await;
    }
    let watch = Item::Transaction(Transaction { watched, steps: Vec::new() });
    let segments = segments(steps);
    for attempt in 0..MOST_CONFLICTS {
        let connection = store.acquire().await?;
        let begun = async {
            let databases = match attempt {
                0 => store.databases.current(),
                _ => store.databases.reload(&connection).await?,
            };
            Ok((
                begin((&connection, &store.object_ids), &databases, &watch, &segments, barrier).await?,
                databases,
            ))
        };
        let begun = store.answered(&connection, begun).await.unwrap_or_else(|| Err(StoreError::no_answer()));
        match begun {
            Ok((Begun::Changed, _)) => return Ok(Reply::NullArray),
            Ok((Begun::Locked { placeholders, now_us }, databases)) => {
                let run = Run { engine, session, connection: &connection, barrier, publishes, now_us };
                let finished = run.finish(segments, &databases, placeholders);
                return store.answered(&connection, finished).await.unwrap_or(Err(StoreError::Unknown));
            }
            Err(StoreError::Conflict) => {
                drop(connection);
                tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(10)))).await;
            }
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict)
}

fn segments(steps: Vec<Step>) -> Vec<Segment> {
    let mut segments = Vec::new();
    for step in steps {
        match (step, segments.last_mut()) {
            (Step::Keys(step), Some(Segment::Keys(Item::Transaction(transaction)))) => {
                transaction.steps.push(step)
            }
            (Step::Keys(step), _) => {
                segments.push(Segment::Keys(Item::Transaction(Transaction {
                    watched: Vec::new(),
                    steps: vec![step],
                })));
            }
            (Step::Other(db, plan), _) => segments.push(Segment::Other(db, plan)),
        }
    }
    segments
}

enum Begun {
    /// A watched key is not what it was; the transaction has ended.
    Changed,
    /// All keys are locked; for the absent ones there are placeholder rows now.
    Locked { placeholders: Placeholders, now_us: i64 },
}

/// Keys whose rows are the transaction's to delete if they are placeholders at its end: spaces and stored keys.
type Placeholders = (Vec<i32>, Vec<Vec<u8>>);

/// Begins the transaction, locks every key of the queue and checks the watched ones.
async fn begin(
    (connection, ids): (&Connection, &ObjectIds),
    databases: &DatabaseMap,
    watch: &Item,
    segments: &[Segment],
    barrier: bool,
) -> Result<Begun, StoreError> {
    let begun = async {
        connection.execute(&BEGIN, &[]).await?;
        if barrier {
            connection.execute(&BARRIER, &[]).await?;
        }
        Ok(())
    };
    if let Err(error) = begun.await {
        return Err(rolled_back(connection, StoreError::before_commit(&error)).await);
    }
    let items = std::iter::once(watch).chain(segments.iter().filter_map(|segment| match segment {
        Segment::Keys(item) => Some(item),
        Segment::Other(..) => None,
    }));
    let mut set = WorkingSet::new(databases, items.map(std::slice::from_ref));
    // This looks at all keys before any command does.
    let uncounted = Lookups::default();
    let (nobody, silent) = (Waiters::default(), KeyspaceEvents::default());
    let batch = in_transaction(connection, (&uncounted, &nobody, &silent, ids), databases, -1, None);
    if let Err(error) = batch.lock(&mut set).await {
        return Err(rolled_back(connection, error).await);
    }
    let checked = match batch.settle(&mut set, &[std::slice::from_ref(watch)]).await {
        Ok(checked) => checked,
        Err(error) => return Err(rolled_back(connection, error).await),
    };
    let unchanged = checked
        .first()
        .and_then(Option::as_ref)
        .is_some_and(|applied| applied.replies[0] != Reply::NullArray);
    if !unchanged {
        rolled_back(connection, StoreError::Conflict).await;
        return Ok(Begun::Changed);
    }
    let mut changes = Changes::default();
    let absent =
        || set.order.iter().map(|position| &set.keys[*position as usize]).filter(|key| key.row.is_none());
    absent().for_each(|key| changes.insert.push_placeholder(key));
    batch.write(&set, &changes, None).await?;
    let KeyColumns { spaces, keys } = KeyColumns::of(absent());
    let placeholders = (spaces, keys.into_iter().map(<[u8]>::to_vec).collect());
    Ok(Begun::Locked { placeholders, now_us: set.now_us })
}

fn in_transaction<'b>(
    connection: &'b Connection,
    (lookups, waiters, events, ids): (&'b Lookups, &'b Waiters, &'b KeyspaceEvents, &'b ObjectIds),
    databases: &'b DatabaseMap,
    inline: i32,
    now_us: Option<i64>,
) -> Batch<'b> {
    let route = Route { tables: Tables::Both, access: Access::Update, durable: true };
    Batch { connection, databases, lookups, waiters, events, ids, route, inline, now_us }
}

/// The part of an EXEC after its locks are taken.
struct Run<'a> {
    engine: &'a Engine,
    session: &'a mut Session,
    connection: &'a Connection,
    barrier: bool,
    publishes: bool,
    now_us: i64,
}

impl Run<'_> {
    /// Executes the segments in order and commits.
    async fn finish(
        self,
        segments: Vec<Segment>,
        databases: &DatabaseMap,
        (spaces, keys): Placeholders,
    ) -> Result<Reply, StoreError> {
        let Run { engine, session, connection, barrier, publishes, now_us } = self;
        let process = engine.process();
        let observers =
            (&process.store.lookups, &*process.waiters, &process.events, &process.store.object_ids);
        let selected = session.db;
        let settings = OnceLock::new();
        let mut reloaded = None;
        let mut written = Written::default();
        let mut replies = Vec::new();
        for segment in segments {
            match segment {
                Segment::Keys(item) => {
                    let databases = reloaded.as_ref().unwrap_or(databases);
                    let batch = in_transaction(connection, observers, databases, i32::MAX, Some(now_us));
                    match key_segment(&batch, &item, &mut written).await {
                        Ok(Reply::Array(done)) => replies.extend(done),
                        Ok(reply) => replies.push(reply),
                        Err(error) => return Err(rolled_back(connection, error).await),
                    }
                    if publishes {
                        let events = std::mem::take(&mut written.events);
                        if let Err(error) = say(connection, process.events.messages(events)).await {
                            return Err(rolled_back(connection, error).await);
                        }
                    }
                }
                Segment::Other(db, plan) => {
                    session.db = db;
                    let pinned = Pinned { connection, settings: &settings };
                    let context = Context { session, engine, pinned: Some(&pinned) };
                    replies.push(other_segment(context, plan).await);
                    session.db = selected;
                    if barrier {
                        match DatabaseMap::load(connection).await {
                            Ok(map) => reloaded = Some(map),
                            Err(error) => return Err(rolled_back(connection, error).await),
                        }
                    }
                }
            }
        }
        if let Err(error) = connection.execute(&DELETE_PLACEHOLDERS, &[&spaces, &keys]).await {
            return Err(rolled_back(connection, StoreError::before_commit(&error)).await);
        }
        connection.execute(&COMMIT, &[]).await.map_err(|error| StoreError::at_commit(&error))?;
        process.waiters.written(&written.ready);
        process.events.publish(written.events);
        Ok(Reply::Array(replies))
    }
}

/// Publishes events as part of the transaction, for their order among the messages that it publishes itself.
async fn say(connection: &Connection, messages: Vec<(Bytes, Bytes)>) -> Result<(), StoreError> {
    for (channel, body) in messages {
        let said = connection.execute(&PUBLISH, &[&channel.as_ref(), &body.as_ref()]).await;
        said.map_err(|error| StoreError::before_commit(&error))?;
    }
    Ok(())
}

/// What others are told once it is committed.
#[derive(Default)]
struct Written {
    /// The keys that clients may wait for.
    ready: Vec<Topic>,
    events: Vec<KeyEvent>,
}

async fn key_segment(batch: &Batch<'_>, item: &Item, written: &mut Written) -> Result<Reply, StoreError> {
    let items = std::slice::from_ref(item);
    let mut set = WorkingSet::new(batch.databases, std::iter::once(items));
    set.wanted = batch.events.wanted();
    batch.lock(&mut set).await?;
    let mut applied = batch.settle(&mut set, &[items]).await?;
    let mut applied = applied.pop().flatten().expect("values of any length are read");
    batch.write(&set, &Changes::in_transaction(&set), None).await?;
    batch.count_lookups(&set);
    written.ready.extend(set.ready());
    written.events.append(&mut set.events);
    batch.events.expect_ends(&set.ends());
    Ok(applied.replies.pop().expect("one reply per item"))
}

async fn other_segment(mut context: Context<'_>, plan: Plan) -> Reply {
    let outcome = match plan {
        Plan::Call(call) => context.call(&call).await,
        Plan::Session(run) => run(&mut context),
        Plan::Steps(steps) => steps.run(&mut context).await,
        Plan::Keys(_) | Plan::Ready(_) | Plan::Select(_) | Plan::Block(_) => Err(CommandError::SYNTAX),
    };
    outcome.unwrap_or_else(Reply::from)
}
