//! `XLEN key`
use super::reading::wrong_type;
use crate::command::prelude::*;
use crate::keyspace::StoredKey;
use crate::store::statements::streams::LENGTH;
use crate::store::{Call, Param};

pub(super) static XLEN: Command = Command {
    name: "XLEN",
    arity: Exactly(2),
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RO"])],
    plan: xlen,
    ..Command::in_group(Group::Stream, file!())
};

fn xlen(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = StoredKey::new(&args.bytes()?).into_bytes();
    let params = vec![Param::Int4(context.db.0 as i32), Param::Bytes(key)];
    Ok(Plan::Call(Call::read(&LENGTH, params, |rows| match rows.first() {
        None => Reply::ZERO,
        Some(row) => wrong_type(row.get(0))
            .unwrap_or_else(|| Reply::Integer(row.get::<_, Option<i64>>(1).unwrap_or(0))),
    })))
}
