//! From what has happened to what the follower does: by declaration, words and reply. No command is named here; what flags and tips do not say stands
//! in the command's declaration (`Command::follow`).

use bytes::Bytes;
use smallvec::SmallVec;

use super::record::Touched;
use crate::command::{Command, Done, Effect, Flags, Follow, Group, Incoming, Request, lookup};
use crate::keyspace::DbIndex;
use crate::keyspace::number::parse_i64;
use crate::keyspace::slot::Slot;
use crate::resp::Reply;

/// A key of a logical database.
pub type Name = (DbIndex, Bytes);

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
    pub unknown: Vec<(DbIndex, Vec<Bytes>)>,
}

/// A call for the follower.
#[derive(Debug, Clone)]
pub struct Planned {
    pub db: DbIndex,
    pub request: Request,
    /// The reply that it should have; otherwise it should not fail.
    pub expected: Option<Reply>,
}

impl Work {
    /// Adds what a call in database `db` has done.
    pub fn add(&mut self, db: DbIndex, argv: Vec<Bytes>, reply: &Reply, at: i64) {
        let request = match Incoming::new(argv) {
            Incoming::Known(request) => request,
            // A command that we know was refused there as well, or takes words that we do not: its keys are asked for too.
            Incoming::Refused { argv, .. } => {
                if !reply.is_error() {
                    self.unknown.push((db, argv));
                }
                return;
            }
        };
        match effect(&Done { request: &request, reply, at }) {
            Effect::Nothing => {}
            Effect::Same => self.calls.push(Planned { db, request, expected: Some(reply.clone()) }),
            Effect::Calls(requests) => {
                let plan = |request| Planned { db, request, expected: None };
                self.calls.extend(requests.into_iter().map(plan));
            }
            Effect::Keys => self.reread.extend(written(&request).map(|key| (db, key))),
        }
    }

    /// Adds what the calls of an EXEC have done.
    pub fn add_transaction(&mut self, mut db: DbIndex, calls: Vec<Vec<Bytes>>, reply: &Reply, at: i64) {
        // Null: a watched key had changed. An error: nothing was executed.
        let Reply::Array(replies) = reply else { return };
        for (argv, reply) in calls.into_iter().zip(replies) {
            let selected = selects(&argv).filter(|_| !reply.is_error());
            self.add(db, argv, reply, at);
            db = selected.unwrap_or(db);
        }
        self.atomic = true;
    }
}

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

/// The keys that a call uses.
pub fn used(request: &Request) -> impl Iterator<Item = Bytes> + use<> {
    request.key_positions().into_iter().map(|at| request.argv[at].clone()).collect::<Vec<_>>().into_iter()
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

/// What a call may change.
pub fn touched(argv: &[Bytes]) -> Touched {
    match Incoming::new(argv.to_vec()) {
        Incoming::Known(request) if !request.command.flags.has(Flags::BARRIER) => {
            let slots: SmallVec<[u16; 2]> = written(&request).map(|key| Slot::of(&key).0).collect();
            if slots.is_empty() { Touched::All } else { Touched::Slots(slots) }
        }
        _ => Touched::All,
    }
}

fn command_of(argv: &[Bytes]) -> Option<&'static Command> {
    let command = lookup(argv.first()?)?;
    if command.subcommands.is_empty() {
        return Some(command);
    }
    crate::command::lookup_subcommand(command, argv.get(1)?)
}

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
