//! `SETEX key seconds value | PSETEX key milliseconds value`
use super::set::overwrite;
use crate::command::options::checked;
use crate::command::prelude::*;

pub(super) static SETEX: Command =
    Command { name: "SETEX", plan: setex, follow: Follow::Effect(|done| effect(done, 1000)), ..FAMILY };
pub(super) static PSETEX: Command =
    Command { name: "PSETEX", plan: psetex, follow: Follow::Effect(|done| effect(done, 1)), ..FAMILY };

const FAMILY: Command = Command {
    arity: Exactly(4),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[KeySpec::at(1, &["OW", "UPDATE"])],
    ..Command::in_group(Group::String, file!())
};

fn setex(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    set_for(args, context, true)
}

fn psetex(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    set_for(args, context, false)
}

fn effect(done: &Done<'_>, unit: i64) -> Effect {
    let Some(at) = done.time(2, unit, true) else { return Effect::Keys };
    let words = ["SET".into(), done.word(1), done.word(3), "PXAT".into(), Bytes::from(at.to_string())];
    Effect::until(at, words, Reply::Ok)
}

fn set_for(args: &mut Args, context: &PlanContext, seconds: bool) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let time = args.integer()?;
    let expiry = checked(time, seconds, true, &args.command_name())?;
    Ok(overwrite(context, key, args.bytes()?, expiry.unresolved()))
}
