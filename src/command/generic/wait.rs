//! `WAIT numreplicas timeout | WAITAOF numlocal numreplicas timeout`
//!
//! respg has no replicas of its own: nobody can acknowledge anything later, so both answer at once. The local append-only file of
//! WAITAOF is Postgres's write-ahead log, which is flushed before any reply of a database of class durable.
use crate::command::prelude::*;
use crate::keyspace::number::parse_i64;
use crate::store::Durability;

pub(super) static WAIT: Command = Command { name: "WAIT", arity: Exactly(3), plan: wait, ..FAMILY };
pub(super) static WAITAOF: Command =
    Command { name: "WAITAOF", arity: Exactly(4), flags: Flags::BLOCKING, plan: waitaof, ..FAMILY };

const FAMILY: Command = Command {
    passing: Passing::Waits,
    flags: Flags::NOSCRIPT,
    acl: &["@connection"],
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    ..Command::in_group(Group::Generic, file!())
};

fn wait(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    args.integer()?;
    timeout(args)?;
    Ok(Plan::Ready(Reply::ZERO))
}

fn waitaof(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let numlocal = args.integer()?;
    if !(0..=1).contains(&numlocal) {
        return Err(CommandError::text("ERR value is out of range, value must between 0 and 1"));
    }
    let numreplicas = parse_i64(args.word()?);
    if numreplicas.is_none_or(|number| number < 0) {
        return Err(CommandError::MUST_BE_POSITIVE);
    }
    timeout(args)?;
    Ok(Plan::session(|context| {
        let databases = context.process().store.databases.current();
        let flushed = databases.get(context.session.db).durability == Durability::Durable;
        Ok(Reply::Array(vec![flushed.into(), Reply::ZERO]))
    }))
}

fn timeout(args: &mut Args) -> Result<(), CommandError> {
    match parse_i64(args.word()?) {
        None => Err(CommandError::text("ERR timeout is not an integer or out of range")),
        Some(ms) if ms < 0 => Err(CommandError::text("ERR timeout is negative")),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{error, int, keys, run};

    #[test]
    fn errors() {
        assert_eq!(run(&["WAIT", "-1", "0"], keys(&[])).0, int(0));
        for (words, text) in [
            (&["WAIT", "x", "x"][..], "ERR value is not an integer or out of range"),
            (&["WAIT", "1", "x"], "ERR timeout is not an integer or out of range"),
            (&["WAIT", "1", "-1"], "ERR timeout is negative"),
            (&["WAITAOF", "2", "x", "x"], "ERR value is out of range, value must between 0 and 1"),
            (&["WAITAOF", "1", "x", "x"], "ERR value is out of range, must be positive"),
        ] {
            assert_eq!(run(words, keys(&[])).0, error(text), "{words:?}");
        }
    }
}
