//! `CLIENT PAUSE timeout [WRITE | ALL] | CLIENT UNPAUSE`
use std::time::Duration;

use super::{ADMIN, FAMILY};
use crate::command::prelude::*;
use crate::keyspace::number::parse_i64;
use crate::state::Paused;

pub(super) static PAUSE: Command =
    Command { name: "CLIENT|PAUSE", arity: AtLeast(3), flags: ADMIN, plan: pause, ..FAMILY };
pub(super) static UNPAUSE: Command =
    Command { name: "CLIENT|UNPAUSE", arity: Exactly(2), flags: ADMIN, plan: unpause, ..FAMILY };

fn pause(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    if args.left() > 2 {
        let text = "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.";
        return Err(CommandError::text(text));
    }
    let timeout = args.word()?;
    let what = match args.is_empty() || args.take("ALL") {
        true => Paused::All,
        false if args.take("WRITE") => Paused::Writes,
        false => return Err(CommandError::text("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let timeout =
        parse_i64(timeout).ok_or(CommandError::text("ERR timeout is not an integer or out of range"))?;
    let timeout = u64::try_from(timeout).map_err(|_| CommandError::text("ERR timeout is negative"))?;
    Ok(Plan::session(move |context| {
        context.process().pause.begin(what, Duration::from_millis(timeout));
        Ok(Reply::Ok)
    }))
}

fn unpause(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|context| {
        context.process().pause.end();
        Ok(Reply::Ok)
    }))
}
