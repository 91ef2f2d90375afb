//! `CLIENT UNBLOCK client-id [TIMEOUT | ERROR]`
use super::{ADMIN, FAMILY};
use crate::command::prelude::*;
use crate::keyspace::number::parse_i64;
use crate::state::Blockage;

pub(super) static UNBLOCK: Command =
    Command { name: "CLIENT|UNBLOCK", arity: AtLeast(3), flags: ADMIN, plan: unblock, ..FAMILY };

fn unblock(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    if args.left() > 2 {
        let text = "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.";
        return Err(CommandError::text(text));
    }
    let id = args.word()?;
    let how = match args.is_empty() || args.take("TIMEOUT") {
        true => Blockage::TimeOut,
        false if args.take("ERROR") => Blockage::Error,
        false => return Err(CommandError::text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
    };
    let id = parse_i64(id).ok_or(CommandError::NOT_AN_INTEGER)?;
    Ok(Plan::session(move |context| {
        let client = context.process().clients.get(id);
        Ok(Reply::Integer(client.is_some_and(|client| client.unblock(how)).into()))
    }))
}
