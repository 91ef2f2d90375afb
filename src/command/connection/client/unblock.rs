//! `CLIENT UNBLOCK client-id [TIMEOUT | ERROR]`
use super::{ADMIN, FAMILY};
use crate::command::prelude::*;

pub(super) static UNBLOCK: Command =
    Command { name: "CLIENT|UNBLOCK", arity: AtLeast(3), flags: ADMIN, plan: unblock, ..FAMILY };

fn unblock(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    if args.left() > 2 {
        let text = "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.";
        return Err(CommandError::text(text));
    }
    let id = args.word()?;
    if !(args.is_empty() || args.take("TIMEOUT") || args.take("ERROR")) {
        return Err(CommandError::text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
    }
    crate::keyspace::number::parse_i64(id).ok_or(CommandError::NOT_AN_INTEGER)?;
    // No client is ever blocked: there are no blocking commands yet.
    Ok(Plan::Ready(Reply::ZERO))
}
