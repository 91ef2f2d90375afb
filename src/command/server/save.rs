//! `SAVE | BGSAVE [SCHEDULE] | BGREWRITEAOF`
//!
//! Postgres keeps the data: SAVE asks it for a checkpoint, the others have nothing to do and say so.
use crate::command::prelude::*;
use crate::store::Call;
use crate::store::statements::server::CHECKPOINT;

pub(super) static SAVE: Command = Command {
    name: "SAVE",
    arity: Exactly(1),
    flags: FAMILY.flags.and(Flags::NO_MULTI),
    plan: save,
    ..FAMILY
};
pub(super) static BGSAVE: Command = Command { name: "BGSAVE", arity: AtLeast(1), plan: bgsave, ..FAMILY };
pub(super) static BGREWRITEAOF: Command = Command {
    name: "BGREWRITEAOF",
    arity: Exactly(1),
    plan: |_, _| {
        Err(CommandError::text("ERR there is no append only file: what is acknowledged is in PostgreSQL"))
    },
    ..FAMILY
};

const FAMILY: Command = Command {
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::NO_ASYNC_LOADING),
    ..Command::in_group(Group::Server, file!())
};

fn save(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::Call(Call::read(&CHECKPOINT, Vec::new(), |_| Reply::Ok)))
}

fn bgsave(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    args.take("SCHEDULE");
    args.end()?;
    Err(CommandError::text(
        "ERR there is nothing to save in the background: what is acknowledged is in PostgreSQL",
    ))
}
