//! `DUMP key`
use crate::command::prelude::*;
use crate::keyspace::rdb::{Object, dump as payload};

pub(super) static DUMP: Command = Command {
    name: "DUMP",
    arity: Exactly(2),
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, &["RO", "ACCESS"])],
    tips: &["nondeterministic_output"],
    plan: dump,
    ..Command::in_group(Group::Generic, file!())
};

fn dump(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::read(context, [args.bytes()?], |view| {
        let Some(entry) = view.entry(0) else { return Ok(Reply::Null) };
        match &entry.value {
            Value::Inline(bytes) => Ok(Reply::bulk(payload(&Object::String(bytes.clone())))),
            Value::Unfetched(_) | Value::Object(_) => {
                Err(CommandError::text(format!("ERR DUMP of a {} is not supported", entry.kind.name())))
            }
        }
    }))
}
