//! `GET key`
use crate::command::prelude::*;

pub(super) static GET: Command = Command {
    name: "GET",
    arity: Exactly(2),
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RO", "ACCESS"])],
    plan: get,
    ..Command::in_group(Group::String, file!())
};

fn get(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::read(context, [args.bytes()?], |view| Ok(view.string(0)?.cloned().into())))
}
