//! `DBSIZE`
use crate::command::prelude::*;
use crate::store::statements::server;
use crate::store::{Call, Param, Row};

pub(super) static DBSIZE: Command = Command {
    name: "DBSIZE",
    arity: Exactly(1),
    flags: Flags::READONLY.and(Flags::FAST),
    acl: &["@keyspace"],
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    plan: dbsize,
    ..Command::in_group(Group::Server, file!())
};

fn dbsize(_: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let db = Param::Int4(context.db.0 as i32);
    Ok(Plan::Call(Call::read(&server::DBSIZE, vec![db], |rows: &[Row]| Reply::Integer(rows[0].get(0)))))
}
