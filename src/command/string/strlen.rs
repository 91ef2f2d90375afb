//! `STRLEN key`
use crate::command::prelude::*;

pub(super) static STRLEN: Command = Command {
    name: "STRLEN",
    arity: Exactly(2),
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RO"])],
    plan: strlen,
    ..Command::in_group(Group::String, file!())
};

fn strlen(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::inspect(context, [args.bytes()?], |view| Ok(Reply::Integer(view.string_length(0)? as i64))))
}
