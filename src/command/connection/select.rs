//! `SELECT index`
use crate::command::prelude::*;

pub(super) static SELECT: Command = Command {
    name: "SELECT",
    arity: Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST).and(Flags::SELECTS_DATABASE),
    plan: select,
    ..Command::in_group(Group::Connection, file!())
};

fn select(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let index = args.integer()?;
    if i32::try_from(index).is_err() {
        let text = "ERR value is out of range, value must between -2147483648 and 2147483647";
        return Err(CommandError::text(text));
    }
    match u32::try_from(index) {
        Ok(index) if index < context.databases => Ok(Plan::Select(DbIndex(index))),
        _ => Err(CommandError::DB_OUT_OF_RANGE),
    }
}
