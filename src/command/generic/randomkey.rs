//! `RANDOMKEY`
use crate::command::prelude::*;
use crate::store::statements::generic;
use crate::store::{Call, Param, Row};

pub(super) static RANDOMKEY: Command = Command {
    name: "RANDOMKEY",
    arity: Exactly(1),
    flags: Flags::READONLY,
    tips: &["request_policy:all_shards", "nondeterministic_output"],
    plan: randomkey,
    ..Command::in_group(Group::Generic, file!())
};

fn randomkey(_: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let db = Param::Int4(context.db.0 as i32);
    Ok(Plan::Call(Call::read(&generic::RANDOMKEY, vec![db], |rows: &[Row]| {
        rows[0].get::<_, Option<&[u8]>>(0).map(Bytes::copy_from_slice).into()
    })))
}
