//! What a client hands over to be executed, and what comes back.

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::command::{Access, KeyOp, KeyUse};
use crate::keyspace::{DbIndex, Kind};
use crate::resp::Reply;
use crate::store::{DatabaseMap, Durability, StoreError};

/// A run of consecutive commands of one client that need nothing but key rows. Executed together, in order.
pub struct Work {
    pub route: Route,
    pub items: Vec<Item>,
    pub since: Instant,
    pub answer: oneshot::Sender<Answer>,
}

/// One command, or one EXEC.
#[derive(Debug)]
pub enum Item {
    Op(KeyOp),
    Transaction(Transaction),
}

/// An EXEC of nothing but key operations.
#[derive(Debug)]
pub struct Transaction {
    pub watched: Vec<Watched>,
    pub steps: Vec<TransactionStep>,
}

#[derive(Debug)]
pub enum TransactionStep {
    /// A reply that needs no data (PING, a command's mistake).
    Ready(Reply),
    Op(KeyOp),
}

/// A key that an item uses.
pub struct Use<'i> {
    pub db: DbIndex,
    pub key: &'i Bytes,
    /// The space to look in, if it is not the one that the database has now.
    pub space: Option<i32>,
    /// Whether its bytes are needed.
    pub wanted: bool,
    /// The kind of object that is needed.
    pub object: Option<Kind>,
}

impl TransactionStep {
    pub fn key_count(&self) -> usize {
        match self {
            TransactionStep::Ready(_) => 0,
            TransactionStep::Op(op) => op.keys.len(),
        }
    }
}

/// A key as WATCH saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    pub db: DbIndex,
    pub key: Bytes,
    /// The version of the row. An absent key has one too: WATCH leaves a placeholder row.
    pub xmin: u32,
    /// Whether there was a live key (not only the placeholder).
    pub live: bool,
    /// The version of the object that it named.
    pub object_version: Option<i64>,
    /// The space the database had: after SWAPDB or FLUSHDB it is another key.
    pub space: i32,
}

/// What becomes of a `Work`.
#[derive(Debug)]
pub enum Answer {
    /// One reply for each item.
    Done(Vec<Reply>),
    /// To be run alone, for this reason. Nothing has happened.
    Alone(Vec<Item>, Reason),
    Failed(StoreError),
}

/// Why a work cannot be executed among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Large,
    Locked,
}

impl Item {
    pub fn ops(&self) -> impl Iterator<Item = &KeyOp> {
        let (op, transaction) = match self {
            Item::Op(op) => (Some(op), None),
            Item::Transaction(transaction) => (None, Some(transaction)),
        };
        let steps = transaction.into_iter().flat_map(|transaction| &transaction.steps);
        op.into_iter().chain(steps.filter_map(|step| match step {
            TransactionStep::Op(op) => Some(op),
            TransactionStep::Ready(_) => None,
        }))
    }

    /// Every key the item uses, watched ones first: each of these where WATCH saw it and where it is now, which FLUSHDB and
    /// SWAPDB make two places.
    pub fn uses(&self) -> impl Iterator<Item = Use<'_>> {
        let watched = self.transaction().into_iter().flat_map(|transaction| &transaction.watched);
        let watched = watched.flat_map(|&Watched { db, ref key, space, .. }| {
            [Some(space), None].map(|space| Use { db, key, space, wanted: false, object: None })
        });
        let used = self.ops().flat_map(|op| &op.keys);
        let used = used.map(|KeyUse { db, key, value, object }| Use {
            db: *db,
            key,
            space: None,
            wanted: *value,
            object: *object,
        });
        watched.chain(used)
    }

    pub fn transaction(&self) -> Option<&Transaction> {
        match self {
            Item::Transaction(transaction) => Some(transaction),
            Item::Op(_) => None,
        }
    }

    fn access(&self) -> Access {
        match self {
            Item::Op(op) => op.access,
            Item::Transaction(transaction) if !transaction.watched.is_empty() => Access::Update,
            Item::Transaction(_) => match combined(self.ops().map(|op| op.access)) {
                Access::Add => Access::Update,
                access => access,
            },
        }
    }
}

/// What commands executed together amount to. Reads beside overwrites make an update: the reads must be of the same moment.
fn combined(accesses: impl Iterator<Item = Access>) -> Access {
    accesses.reduce(|a, b| if a == b { a } else { Access::Update }).unwrap_or(Access::Read)
}

/// Which tables and which kind of commit a work needs. Works of one batch are alike in this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub access: Access,
    pub tables: Tables,
    /// Whether the commit waits for the WAL.
    pub durable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    Logged,
    Unlogged,
    Both,
}

impl Route {
    /// How many different routes there are, and this one's number.
    pub const COUNT: usize = 24;

    pub fn number(self) -> usize {
        (self.access as usize * 3 + self.tables as usize) * 2 + self.durable as usize
    }

    /// Whether a batch is one statement that writes.
    pub fn is_one_write(self) -> bool {
        matches!(self.access, Access::Overwrite | Access::Add)
    }

    /// The route of a run of commands.
    pub fn of(items: &[Item], databases: &DatabaseMap) -> Route {
        let access = combined(items.iter().map(Item::access));
        let mut tables = None;
        let mut durable = false;
        for Use { db, .. } in items.iter().flat_map(Item::uses) {
            let durability = databases.get(db).durability;
            let table = if durability == Durability::Cache { Tables::Unlogged } else { Tables::Logged };
            tables = Some(if tables.is_none_or(|tables| tables == table) { table } else { Tables::Both });
            durable |= durability == Durability::Durable;
        }
        Route { access, tables: tables.unwrap_or(Tables::Logged), durable: durable && access != Access::Read }
    }
}
