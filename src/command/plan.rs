//! What a command wants: the values between `plan` and the executor.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use smallvec::SmallVec;

use super::error::CommandError;
use super::view::View;
use crate::exec::Context;
use crate::keyspace::{DbIndex, Kind};
use crate::resp::Reply;
use crate::store::Call;

/// What `plan` may know besides the arguments.
#[derive(Debug, Clone, Copy)]
pub struct PlanContext {
    /// The logical database the session has selected.
    pub db: DbIndex,
    /// How many logical databases there are (option `databases`).
    pub databases: u32,
    /// Longest string a key may hold, in bytes (option `proto-max-bulk-len`).
    pub max_string: usize,
    /// Whether the client may have subscribed to something when the plan is carried out.
    pub subscriber: bool,
}

/// Work on the session or the process.
pub type Run = Box<dyn FnOnce(&mut Context<'_>) -> Result<Reply, CommandError> + Send + Sync>;

/// What a command wants done.
pub enum Plan {
    /// The reply needs no data.
    Ready(Reply),
    /// A pure function over key rows; coalesced with other clients' commands.
    Keys(KeyOp),
    /// One statement of its own.
    Call(Call),
    /// SELECT: the session's database from here on.
    Select(DbIndex),
    /// Works on the session or on this process's state; no waiting.
    Session(Run),
    /// Several steps that wait.
    Steps(Box<dyn Steps>),
    /// Waits until an attempt finds something.
    Block(Block),
}

impl Plan {
    /// Says that a short call may write this many bytes ([`KeyOp::grows_by`]).
    pub fn growing_by(mut self, bytes: usize) -> Plan {
        if let Plan::Keys(op) = &mut self {
            op.grows_by = bytes;
        }
        self
    }

    /// Says that it is no event (keymiss) when a key is not there that is only read.
    pub fn quietly(mut self) -> Plan {
        if let Plan::Keys(op) = &mut self {
            op.quiet = true;
        }
        self
    }

    pub fn session(
        run: impl FnOnce(&mut Context<'_>) -> Result<Reply, CommandError> + Send + Sync + 'static,
    ) -> Plan {
        Plan::Session(Box::new(run))
    }

    /// Reads the whole values of `keys`.
    pub fn read(
        context: &PlanContext,
        keys: impl IntoIterator<Item = Bytes>,
        apply: impl Fn(&mut View<'_>) -> Result<Reply, CommandError> + Send + Sync + 'static,
    ) -> Plan {
        Plan::over(Access::Read, keys.into_iter().map(|key| KeyUse::value(context.db, key)), apply)
    }

    /// Reads and writes `keys`, whole values.
    pub fn update(
        context: &PlanContext,
        keys: impl IntoIterator<Item = Bytes>,
        apply: impl Fn(&mut View<'_>) -> Result<Reply, CommandError> + Send + Sync + 'static,
    ) -> Plan {
        Plan::over(Access::Update, keys.into_iter().map(|key| KeyUse::value(context.db, key)), apply)
    }

    fn over(
        access: Access,
        keys: impl Iterator<Item = KeyUse>,
        apply: impl Fn(&mut View<'_>) -> Result<Reply, CommandError> + Send + Sync + 'static,
    ) -> Plan {
        Plan::Keys(KeyOp::new(access, keys, apply))
    }

    /// Adds `increment` to the integer that `key` holds. What small increments of many clients amount to is computed by Postgres in the
    /// statement that writes it; `apply` says the same for all other cases (text that is no integer, near the limits, beside other
    /// commands).
    pub fn add(
        context: &PlanContext,
        key: Bytes,
        increment: i64,
        apply: impl Fn(&mut View<'_>) -> Result<Reply, CommandError> + Send + Sync + 'static,
    ) -> Plan {
        let small = i32::try_from(increment).is_ok();
        let access = if small { Access::Add } else { Access::Update };
        let mut op = KeyOp::new(access, [KeyUse::value(context.db, key)], apply);
        op.increment = increment;
        Plan::Keys(op)
    }

    /// Overwrites `keys` whatever they held; `apply` must put every one of them and look at nothing.
    pub fn overwrite(
        context: &PlanContext,
        keys: impl IntoIterator<Item = Bytes>,
        apply: impl Fn(&mut View<'_>) -> Result<Reply, CommandError> + Send + Sync + 'static,
    ) -> Plan {
        Plan::over(Access::Overwrite, keys.into_iter().map(|key| KeyUse::presence(context.db, key)), apply)
    }

    /// As [`Plan::read`], but without the strings' bytes: presence, type, length and expiry.
    pub fn inspect(
        context: &PlanContext,
        keys: impl IntoIterator<Item = Bytes>,
        apply: impl Fn(&mut View<'_>) -> Result<Reply, CommandError> + Send + Sync + 'static,
    ) -> Plan {
        Plan::over(Access::Read, keys.into_iter().map(|key| KeyUse::presence(context.db, key)), apply)
    }

    /// As [`Plan::update`], but without the strings' bytes.
    pub fn alter(
        context: &PlanContext,
        keys: impl IntoIterator<Item = Bytes>,
        apply: impl Fn(&mut View<'_>) -> Result<Reply, CommandError> + Send + Sync + 'static,
    ) -> Plan {
        Plan::over(Access::Update, keys.into_iter().map(|key| KeyUse::presence(context.db, key)), apply)
    }
}

/// A pure function from the keys' old state to their new state and the reply. It may run more than once (a batch is
/// retried when nothing has happened), so it must not keep anything between runs. An error must leave the view as it was.
pub type Apply = Box<dyn Fn(&mut View<'_>) -> Result<Reply, CommandError> + Send + Sync>;

/// How an operation treats its keys. Ordered: a batch takes the strongest of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    Read,
    /// Writes without looking at what was there.
    Overwrite,
    /// Adds to an integer ([`KeyOp::increment`]).
    Add,
    /// Reads, then writes.
    Update,
}

/// One key an operation uses.
#[derive(Debug, Clone)]
pub struct KeyUse {
    pub db: DbIndex,
    pub key: Bytes,
    /// Whether a string's bytes are needed, or only that it is there, its type, length and expiry.
    pub value: bool,
    /// The kind of object that is needed, if any.
    pub object: Option<Kind>,
}

impl KeyUse {
    pub fn value(db: DbIndex, key: Bytes) -> KeyUse {
        KeyUse { db, key, value: true, object: None }
    }

    pub fn presence(db: DbIndex, key: Bytes) -> KeyUse {
        KeyUse { db, key, value: false, object: None }
    }

    /// An object of this kind, loaded with the key.
    pub fn object(db: DbIndex, key: Bytes, kind: Kind) -> KeyUse {
        KeyUse { db, key, value: false, object: Some(kind) }
    }
}

/// A command as a pure function over key rows.
pub struct KeyOp {
    pub access: Access,
    pub keys: SmallVec<[KeyUse; 1]>,
    /// Bytes that it may write beyond those of its arguments and of the values it reads: large ones do not go through a lane.
    pub grows_by: usize,
    /// What [`Access::Add`] adds; as small as an i32, so that the sum over a batch is far from any limit.
    pub increment: i64,
    /// Whether looking for an absent key is no event (keymiss).
    pub quiet: bool,
    pub apply: Apply,
}

impl KeyOp {
    pub fn new(
        access: Access,
        keys: impl IntoIterator<Item = KeyUse>,
        apply: impl Fn(&mut View<'_>) -> Result<Reply, CommandError> + Send + Sync + 'static,
    ) -> KeyOp {
        let keys = keys.into_iter().collect();
        KeyOp { access, keys, grows_by: 0, increment: 0, quiet: false, apply: Box::new(apply) }
    }
}

impl std::fmt::Debug for KeyOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyOp")
            .field("access", &self.access)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// A command that waits for its keys until there is something for it (XREAD BLOCK). Inside EXEC it makes its first attempt and does
/// not wait.
pub struct Block {
    /// What is waited for, in the session's database. Whoever writes one of them calls for another attempt.
    pub keys: Vec<Bytes>,
    pub audience: Audience,
    /// `None`: for ever.
    pub timeout: Option<Duration>,
    /// What an attempt answers that finds nothing, and the client when its time is over.
    pub nothing: Reply,
    /// An ordinary command: a function over keys, or one statement. Attempts may be many.
    pub attempt: Box<dyn Fn(Attempt) -> Plan + Send + Sync>,
}

/// Which attempt of a blocking command it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// Made at once, answers the client's mistakes (WRONGTYPE).
    First,
    /// As the first, but others have waited longer: it must take nothing from the keys, and finds nothing.
    Behind,
    /// Made when a key was written. A key of another type may be no mistake any more: BLPOP and XREAD go on waiting.
    Again,
}

/// Whom a write can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Everybody who waits for the key.
    All,
    /// Of those with the same name the one who has waited longest, and the next one if there is more.
    First(Bytes),
}

/// A command of several steps that needs the session or truly depends on intermediate results.
pub trait Steps: Send + Sync {
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>>;
}
