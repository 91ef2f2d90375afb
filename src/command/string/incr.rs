//! `INCR key | DECR key | INCRBY key increment | DECRBY key decrement`
use crate::command::prelude::*;
use crate::keyspace::number::parse_i64;

pub(super) static INCR: Command = Command { name: "INCR", arity: Exactly(2), plan: incr, ..FAMILY };
pub(super) static DECR: Command = Command { name: "DECR", arity: Exactly(2), plan: decr, ..FAMILY };
pub(super) static INCRBY: Command = Command { name: "INCRBY", arity: Exactly(3), plan: incrby, ..FAMILY };
pub(super) static DECRBY: Command = Command { name: "DECRBY", arity: Exactly(3), plan: decrby, ..FAMILY };

const FAMILY: Command = Command {
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "ACCESS", "UPDATE"])],
    ..Command::in_group(Group::String, file!())
};

fn incr(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    Ok(add(context, args.bytes()?, 1))
}

fn decr(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    Ok(add(context, args.bytes()?, -1))
}

fn incrby(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    Ok(add(context, key, args.integer()?))
}

fn decrby(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let decrement = args.integer()?;
    let increment =
        decrement.checked_neg().ok_or_else(|| CommandError::text("ERR decrement would overflow"))?;
    Ok(add(context, key, increment))
}

fn add(context: &PlanContext, key: Bytes, increment: i64) -> Plan {
    Plan::add(context, key, increment, move |view| {
        let old = match view.string(0)? {
            Some(text) => parse_i64(text).ok_or(CommandError::NOT_AN_INTEGER)?,
            None => 0,
        };
        let new = old.checked_add(increment).ok_or(CommandError::OVERFLOW)?;
        view.set_string(0, Bytes::from(new.to_string()));
        view.note(0, Event::INCRBY);
        Ok(Reply::Integer(new))
    })
}
