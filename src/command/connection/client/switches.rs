//! `CLIENT NO-EVICT (ON | OFF) | CLIENT NO-TOUCH (ON | OFF) | CLIENT REPLY (ON | OFF | SKIP)`
use super::{ADMIN, FAMILY};
use crate::command::prelude::*;
use crate::session::ReplyMode;

pub(super) static NO_EVICT: Command = Command {
    name: "CLIENT|NO-EVICT",
    arity: Exactly(3),
    flags: ADMIN.and(Flags::DESCRIBES_CLIENT),
    plan: no_evict,
    ..FAMILY
};
pub(super) static NO_TOUCH: Command = Command {
    name: "CLIENT|NO-TOUCH",
    arity: Exactly(3),
    flags: FAMILY.flags.and(Flags::DESCRIBES_CLIENT),
    plan: no_touch,
    ..FAMILY
};
pub(super) static REPLY: Command = Command {
    name: "CLIENT|REPLY",
    arity: Exactly(3),
    flags: FAMILY.flags.and(Flags::CHOOSES_REPLIES),
    plan: reply,
    ..FAMILY
};

fn no_evict(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let on = on_or_off(args)?;
    Ok(Plan::session(move |context| {
        context.session.client.update(|info| info.no_evict = on);
        Ok(Reply::Ok)
    }))
}

fn no_touch(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let on = on_or_off(args)?;
    Ok(Plan::session(move |context| {
        context.session.client.update(|info| info.no_touch = on);
        Ok(Reply::Ok)
    }))
}

fn on_or_off(args: &mut Args) -> Result<bool, CommandError> {
    match args.take("ON") {
        true => Ok(true),
        false if args.take("OFF") => Ok(false),
        false => Err(CommandError::SYNTAX),
    }
}

fn reply(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    let mode = if args.take("ON") {
        ReplyMode::On
    } else if args.take("OFF") {
        ReplyMode::Off
    } else if args.take("SKIP") {
        ReplyMode::SkipNext
    } else {
        return Err(CommandError::SYNTAX);
    };
    Ok(Plan::session(move |context| {
        let session = &mut *context.session;
        // SKIP changes nothing for a client that wants no replies at all.
        if mode != ReplyMode::SkipNext || session.reply_mode != ReplyMode::Off {
            session.reply_mode = mode;
        }
        Ok(Reply::Ok)
    }))
}
