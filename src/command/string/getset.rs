//! `GETSET key value`
use super::set::put;
use crate::command::prelude::*;

pub(super) static GETSET: Command = Command {
    name: "GETSET",
    arity: Exactly(3),
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "ACCESS", "UPDATE"])],
    plan: getset,
    ..Command::in_group(Group::String, file!())
};

fn getset(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, value) = (args.bytes()?, args.bytes()?);
    Ok(Plan::update(context, [key], move |view| {
        let old = view.string(0)?.cloned();
        view.note_miss(0);
        put(view, 0, value.clone(), Expiry::Never);
        Ok(old.into())
    }))
}
