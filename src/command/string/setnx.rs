//! `SETNX key value`
use super::set::put;
use crate::command::prelude::*;

pub(super) static SETNX: Command = Command {
    name: "SETNX",
    arity: Exactly(3),
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, &["OW", "INSERT"])],
    plan: setnx,
    follow: Follow::Effect(|done| match done.is_zero() {
        true => Effect::Nothing,
        false => Effect::call(["SET".into(), done.word(1), done.word(2)]),
    }),
    ..Command::in_group(Group::String, file!())
};

fn setnx(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, value) = (args.bytes()?, args.bytes()?);
    Ok(Plan::alter(context, [key], move |view| {
        if view.exists(0) {
            return Ok(Reply::ZERO);
        }
        put(view, 0, value.clone(), Expiry::Never);
        Ok(Reply::ONE)
    }))
}
