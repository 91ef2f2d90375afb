//! `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`
use crate::command::prelude::*;

pub(super) static SHUTDOWN: Command = Command {
    name: "SHUTDOWN",
    arity: AtLeast(1),
    flags: Flags::ADMIN
        .and(Flags::NOSCRIPT)
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::NO_MULTI)
        .and(Flags::ALLOW_BUSY),
    plan: shutdown,
    passing: Passing::OWN,
    ..Command::in_group(Group::Server, file!())
};

/// Everything acknowledged is saved, so the options make no difference.
fn shutdown(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let (mut save, mut nosave, mut abort, mut other) = (false, false, false, false);
    while !args.is_empty() {
        if args.take("SAVE") {
            save = true;
        } else if args.take("NOSAVE") {
            nosave = true;
        } else if args.take("ABORT") {
            abort = true;
        } else if args.take("NOW") || args.take("FORCE") {
            other = true;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    if (save && nosave) || (abort && (save || nosave || other)) {
        return Err(CommandError::SYNTAX);
    }
    if abort {
        return Err(CommandError::text("ERR No shutdown in progress."));
    }
    Ok(Plan::session(|context| {
        context.process().shutdown.send_replace(true);
        context.session.close = true;
        Ok(Reply::Nothing)
    }))
}
