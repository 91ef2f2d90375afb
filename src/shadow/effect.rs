//! From what has happened to what the follower does: by declaration, words and reply. No command is named here; what flags and tips do not say stands
//! in the command's declaration (`Command::follow`).

use bytes::Bytes;
use smallvec::SmallVec;

use super::record::Touched;
use crate::command::copy::Dialect;
use crate::command::{
    Command, Done, Effect, Flags, Follow, Group, Incoming, Plan, PlanContext, Request, lookup,
};
use crate::keyspace::DbIndex;
use crate::keyspace::number::parse_i64;
use crate::keyspace::slot::Slot;
use crate::resp::Reply;

/// A key of a logical database.
pub type Name = (DbIndex, Bytes);

/// When something was done, and by what server.
#[derive(Debug, Clone, Copy)]
pub struct When {
    /// In milliseconds since the epoch.
    pub at: i64,
    pub dialect: Dialect,
    /// Whether the same slots were written another way at that time.
    pub beside: bool,
}

/// What the follower does about a record.
#[derive(Debug, Default)]
pub struct Work {
    /// To be executed in this order.
    pub calls: Vec<Planned>,
    /// Whether in one transaction.
    pub atomic: bool,
    /// Keys whose state is to be read again.
    pub reread: Vec<Name>,
    /// Calls that respg does not know: of which keys, has to be asked.
    pub unknown: Vec<Unknown>,
}

/// A call that respg does not know.
#[derive(Debug)]
pub struct Unknown {
    pub db: DbIndex,
    pub argv: Vec<Bytes>,
    /// A script may have written before it failed.
    pub failed: bool,
}

/// A call for the follower.
#[derive(Debug, Clone)]
pub struct Planned {
    pub db: DbIndex,
    pub request: Request,
    /// The reply that it should have; otherwise it should not fail.
    pub expected: Option<Reply>,
    /// Whether another one is no surprise.
    pub beside: bool,
    /// When it was done on the side that answers.
    pub at: i64,
    /// When its key expires after it, if it says so.
    pub until: Option<i64>,
}

impl Planned {
    /// The keys that the call uses, also those of other databases (MOVE, COPY).
    pub fn used(&self) -> Vec<Name> {
        let mut names: Vec<Name> = used(&self.request).map(|key| (self.db, key)).collect();
        names.extend(self.elsewhere());
        names
    }

    /// The keys that it may write.
    pub fn written(&self) -> Vec<Name> {
        written_in(&self.request, self.db)
    }

    /// Whether the reply, which is compared, tells what the keys that it writes held before.
    pub fn shows_what_was_there(&self) -> bool {
        let Request { command, argv } = &self.request;
        let mut written = command.keys.iter().filter(|spec| !spec.is_read_only());
        self.expected.is_some() && written.all(|spec| spec.flags_of(argv).contains(&"ACCESS"))
    }

    /// Whether what becomes of a key depends on what another one was.
    pub fn carries(&self) -> bool {
        !sources_of(&self.request, self.db).is_empty()
    }

    /// The keys in other databases.
    fn elsewhere(&self) -> Vec<Name> {
        elsewhere(&self.request, self.db)
    }
}

impl Work {
    /// Adds what a call in database `db` has done.
    pub fn add(&mut self, db: DbIndex, argv: Vec<Bytes>, reply: &Reply, when: When) {
        let request = match Incoming::new(argv) {
            Incoming::Known(request) => request,
            // A command that we know was refused there as well, or takes words that we do not: its keys are asked for too.
            Incoming::Refused { argv, .. } => {
                let failed = reply.is_error();
                if !failed || (command_of(&argv).is_none() && !is_unknown_command(reply)) {
                    self.unknown.push(Unknown { db, argv, failed });
                }
                return;
            }
        };
        let When { at, dialect, beside } = when;
        let effect = effect(&Done { request: &request, reply, at, dialect });
        let plan = |request, expected, until| Planned { db, request, expected, beside, at, until };
        match effect {
            Effect::Nothing => {}
            Effect::Same => self.calls.push(plan(request, Some(reply.clone()), None)),
            Effect::Until(until, request, reply) => self.calls.push(plan(request, Some(reply), Some(until))),
            Effect::Calls(requests) => {
                // Nothing came, and others have written meanwhile: what it leaves behind should be there, else nobody knows whether it still is.
                let nothing = beside && matches!(reply, Reply::Null | Reply::NullArray);
                let expected = nothing.then_some(Reply::Integer(0));
                let planned = requests.into_iter().map(|request| plan(request, expected.clone(), None));
                self.calls.extend(planned);
            }
            Effect::Keys => self.reread.extend(written(&request).map(|key| (db, key))),
        }
    }

    /// The works of calls that one client has made one after the other; what EXEC has run is one of them.
    pub fn of_calls(mut db: DbIndex, calls: Vec<Vec<Bytes>>, replies: &[Reply], when: When) -> Vec<Work> {
        let mut works = Vec::new();
        let mut queued = Vec::new();
        for (argv, reply) in calls.into_iter().zip(replies) {
            let command = command_of(&argv);
            if *reply == QUEUED {
                queued.push(argv);
            } else if command.is_some_and(|command| command.flags.has(Flags::EXECUTES_QUEUE)) {
                works.push(Work::of_transaction(&mut db, std::mem::take(&mut queued), reply, when));
            } else {
                // What is neither queued nor refused inside MULTI has ended it.
                if !reply.is_error() {
                    queued.clear();
                    db = selects(&argv).unwrap_or(db);
                }
                let mut work = Work::default();
                work.add(db, argv, reply, when);
                works.push(work);
            }
        }
        works
    }

    fn of_transaction(db: &mut DbIndex, calls: Vec<Vec<Bytes>>, reply: &Reply, when: When) -> Work {
        let mut work = Work { atomic: true, ..Work::default() };
        // Null: a watched key had changed. An error: nothing was executed.
        let Reply::Array(replies) = reply else { return work };
        for (argv, reply) in calls.into_iter().zip(replies) {
            let selected = selects(&argv).filter(|_| !reply.is_error());
            work.add(*db, argv, reply, when);
            *db = selected.unwrap_or(*db);
        }
        work
    }
}

const QUEUED: Reply = Reply::status("QUEUED");

/// What a call amounts to.
pub fn effect(done: &Done<'_>) -> Effect {
    let command = done.request.command;
    let has = |flag| command.flags.has(flag);
    let nondeterministic = command.tips.contains(&"nondeterministic_output");
    if done.reply.is_error() {
        // It has done nothing. Whether the other side fails too says something about its state, as far as it is the state that made it fail.
        let repeatable = has(Flags::WRITE) && matches!(command.follow, Follow::Flags) && !nondeterministic;
        return Effect::same_if(repeatable && !has(Flags::BLOCKING) && is_about_the_key(done.reply));
    }
    match command.follow {
        Follow::Effect(effect) => effect(done),
        Follow::Flags if has(Flags::WRITE) => match nondeterministic || has(Flags::BLOCKING) {
            true if done.is_null() => Effect::Nothing,
            true => Effect::Keys,
            false => Effect::Same,
        },
        // Scripts may write.
        Follow::Flags if command.group == Group::Scripting && !command.keys.is_empty() => Effect::Keys,
        Follow::Flags => Effect::Nothing,
    }
}

/// The other side does not know the command either.
fn is_unknown_command(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(text) if text.as_bytes().starts_with(b"ERR unknown command"))
}

/// Errors that come from what a key holds.
fn is_about_the_key(reply: &Reply) -> bool {
    match reply {
        Reply::Error(text) => {
            [&b"WRONGTYPE"[..], b"BUSYGROUP", b"BUSYKEY", b"NOGROUP"].contains(&text.code())
        }
        _ => false,
    }
}

/// The keys that a call may have written: all of its keys if it says of none that it is written.
pub fn written(request: &Request) -> impl Iterator<Item = Bytes> + use<> {
    let Request { command, argv } = request;
    let of = |read_only: bool| {
        let specs = command.keys.iter().filter(move |spec| read_only || !spec.is_read_only());
        specs.flat_map(|spec| spec.positions(argv)).map(|at| argv[at].clone()).collect::<Vec<_>>()
    };
    let mut keys = of(false);
    if keys.is_empty() {
        keys = of(true);
    }
    keys.into_iter()
}

/// The same of a call in `db`, also those of other databases.
pub fn written_in(request: &Request, db: DbIndex) -> Vec<Name> {
    let mut names: Vec<Name> = written(request).map(|key| (db, key)).collect();
    names.extend(elsewhere(request, db));
    names
}

/// The keys that a call uses.
pub fn used(request: &Request) -> impl Iterator<Item = Bytes> + use<> {
    request.key_positions().into_iter().map(|at| request.argv[at].clone()).collect::<Vec<_>>().into_iter()
}

/// The keys of other databases that a call in `db` uses.
fn elsewhere(request: &Request, db: DbIndex) -> Vec<Name> {
    match request.plan(&PlanContext { db, ..ANY }) {
        Ok(Plan::Keys(op)) => {
            let others = op.keys.into_iter().filter(|key| key.db != db);
            others.map(|key| (key.db, key.key)).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a call may change anything on the side that answers: then it has to be recorded.
pub fn may_write(argv: &[Bytes]) -> bool {
    match command_of(argv) {
        Some(command) => {
            command.flags.has(Flags::WRITE)
                || (command.group == Group::Scripting && command.flags.has(Flags::NOSCRIPT))
        }
        None => true,
    }
}

/// What calls may change together; nothing, if none of them may write.
pub fn touched(calls: &[Vec<Bytes>]) -> Touched {
    let mut slots = SmallVec::new();
    for argv in calls.iter().filter(|argv| may_write(argv)) {
        match Incoming::new(argv.clone()) {
            Incoming::Known(request) if !request.command.flags.has(Flags::BARRIER) => {
                let before = slots.len();
                slots.extend(written(&request).map(|key| Slot::of(&key).0));
                if slots.len() == before {
                    return Touched::All;
                }
            }
            Incoming::Known(_) => return Touched::All,
            // Refused for its words.
            Incoming::Refused { argv, .. } if command_of(&argv).is_some() => {}
            Incoming::Refused { .. } => return Touched::All,
        }
    }
    Touched::Slots(slots)
}

/// Whether calls of commands that we know may change keys that are not among their words.
pub fn touch_others(calls: &[Vec<Bytes>]) -> bool {
    let ours: Vec<_> = calls.iter().filter(|argv| command_of(argv).is_some()).cloned().collect();
    touched(&ours) == Touched::All
}

/// The keys that calls in `db` may have written; `None` if `foreign` does not know the keys of one that we do not know.
pub fn written_by(
    db: DbIndex,
    calls: &[Vec<Bytes>],
    foreign: impl Fn(&[Bytes]) -> Option<Vec<Bytes>>,
) -> Option<Vec<Name>> {
    let mut keys: Vec<Bytes> = writing(calls).flat_map(|request| written(&request)).collect();
    for argv in calls.iter().filter(|argv| command_of(argv).is_none()) {
        keys.extend(foreign(argv)?);
    }
    Some(keys.into_iter().map(|key| (db, key)).collect())
}

/// The keys that calls which began in `db` have written, in any database, by their replies; `None` if those do not say it, nor `foreign` of calls that we do not know.
pub fn have_written(
    db: DbIndex,
    calls: &[Vec<Bytes>],
    replies: &[Reply],
    dialect: Dialect,
    foreign: impl Fn(&[Bytes]) -> Option<Vec<Bytes>>,
) -> Option<Vec<Name>> {
    let mut names = Vec::new();
    for work in works_of(db, calls, replies, dialect) {
        names.extend(work.calls.into_iter().flat_map(|planned| planned.written()).chain(work.reread));
        for Unknown { db, argv, .. } in work.unknown {
            names.extend(foreign(&argv)?.into_iter().map(|key| (db, key)));
        }
    }
    Some(names)
}

fn works_of(db: DbIndex, calls: &[Vec<Bytes>], replies: &[Reply], dialect: Dialect) -> Vec<Work> {
    Work::of_calls(db, calls.to_vec(), replies, When { at: 0, dialect, beside: false })
}

/// The keys of a call in `db` whose values it takes to others (COPY, RENAME, BITOP): no reply shows them.
fn sources_of(request: &Request, db: DbIndex) -> Vec<Bytes> {
    let Request { command, argv } = request;
    // What is done to several keys of one kind is done to each by itself.
    if command.keys.len() < 2 && elsewhere(request, db).is_empty() {
        return Vec::new();
    }
    let read = command.keys.iter().filter(|spec| !spec.flags.contains(&"OW"));
    read.flat_map(|spec| spec.positions(argv)).map(|at| argv[at].clone()).collect()
}

/// The slots of such keys.
pub fn sources(db: DbIndex, calls: &[Vec<Bytes>]) -> Touched {
    Touched::of(&writing(calls).flat_map(|request| sources_of(&request, db)).collect::<Vec<_>>())
}

/// Whether one of them writes, or exchanges, whole databases.
pub fn are_barriers(calls: &[Vec<Bytes>]) -> bool {
    writing(calls).any(|request| request.command.flags.has(Flags::BARRIER))
}

/// Whether one of these calls, so answered, makes a key expire.
pub fn make_expire(db: DbIndex, calls: &[Vec<Bytes>], replies: &[Reply], dialect: Dialect) -> bool {
    let works = works_of(db, calls, replies, dialect);
    works.iter().flat_map(|work| &work.calls).any(|planned| planned.until.is_some())
}

/// Whether one of them makes or removes what has a name in a key (XGROUP): what is done under that name behind it is not what was done before.
pub fn arrange(calls: &[Vec<Bytes>]) -> bool {
    let is_subcommand = |argv: &Vec<Bytes>| {
        argv.first().and_then(|name| lookup(name)).is_some_and(|command| !command.subcommands.is_empty())
    };
    calls.iter().any(|argv| is_subcommand(argv) && may_write(argv))
}

/// Whether calls that begin in `db` leave it.
pub fn leave(db: DbIndex, calls: &[Vec<Bytes>]) -> bool {
    calls.iter().any(|argv| selects(argv).is_some())
        || writing(calls).any(|request| !elsewhere(&request, db).is_empty())
}

fn writing(calls: &[Vec<Bytes>]) -> impl Iterator<Item = Request> {
    let calls = calls.iter().filter(|argv| may_write(argv));
    calls.filter_map(|argv| Incoming::new(argv.clone()).resolved().cloned().ok())
}

fn command_of(argv: &[Bytes]) -> Option<&'static Command> {
    let command = lookup(argv.first()?)?;
    if command.subcommands.is_empty() {
        return Some(command);
    }
    crate::command::lookup_subcommand(command, argv.get(1)?)
}

/// Whether a call is one that waits.
pub fn blocks(argv: &[Bytes]) -> bool {
    if !command_of(argv).is_some_and(|command| command.flags.has(Flags::BLOCKING)) {
        return false;
    }
    let Incoming::Known(request) = Incoming::new(argv.to_vec()) else { return false };
    matches!(request.plan(&ANY), Ok(Plan::Block(_)))
}

/// Enough to plan what has been done.
const ANY: PlanContext =
    PlanContext { db: DbIndex(0), databases: u32::MAX, max_string: usize::MAX, subscriber: false };

/// The database that the calls after this one run in, if it changes that.
pub fn selects(argv: &[Bytes]) -> Option<DbIndex> {
    if !command_of(argv)?.flags.has(Flags::SELECTS_DATABASE) {
        return None;
    }
    let number = argv.get(1).map_or(Some(0), |word| parse_i64(word))?;
    u32::try_from(number).ok().map(DbIndex)
}

#[cfg(test)]
mod tests;
