//! `FLUSHDB [ASYNC | SYNC] | FLUSHALL [ASYNC | SYNC]`
//!
//! Either way the keys are gone at once for everybody, and their rows are removed in the background.
use crate::command::prelude::*;
use crate::store::statements::server;
use crate::store::{Call, Param, Row};

pub(super) static FLUSHDB: Command = Command { name: "FLUSHDB", plan: flushdb, ..FAMILY };
pub(super) static FLUSHALL: Command = Command { name: "FLUSHALL", plan: flushall, ..FAMILY };

const FAMILY: Command = Command {
    arity: AtLeast(1),
    flags: Flags::WRITE.and(Flags::BARRIER),
    acl: &["@keyspace", "@dangerous"],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..Command::in_group(Group::Server, file!())
};

fn flushdb(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    mode(args)?;
    Ok(Plan::Call(Call::write(&server::FLUSHDB, vec![Param::Int4(context.db.0 as i32)], done)))
}

fn flushall(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    mode(args)?;
    Ok(Plan::Call(Call::write(&server::FLUSHALL, Vec::new(), done)))
}

fn mode(args: &mut Args) -> Result<(), CommandError> {
    let _ = args.take("ASYNC") || args.take("SYNC");
    args.end()
}

fn done(_: &[Row]) -> Reply {
    Reply::Ok
}

#[cfg(test)]
mod tests {
    use crate::command::testing::plan;
    use crate::command::{CommandError, Plan};

    #[test]
    fn modes() {
        for words in [&["FLUSHDB"][..], &["FLUSHALL", "async"], &["FLUSHDB", "SYNC"]] {
            assert!(matches!(plan(words), Ok(Plan::Call(call)) if call.writes));
        }
        for words in [&["FLUSHDB", "x"][..], &["FLUSHALL", "ASYNC", "SYNC"]] {
            assert_eq!(plan(words).err(), Some(CommandError::SYNTAX));
        }
    }
}
