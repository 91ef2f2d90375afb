//! `MGET key [key ...]`
use crate::command::prelude::*;

pub(super) static MGET: Command = Command {
    name: "MGET",
    arity: AtLeast(2),
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::from(1, 1, &["RO", "ACCESS"])],
    tips: &["request_policy:multi_shard"],
    plan: mget,
    ..Command::in_group(Group::String, file!())
};

fn mget(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let keys = args.rest().iter().cloned();
    Ok(Plan::read(context, keys, |view| {
        // What is no string is nil, not an error.
        let value = |i| view.string(i).ok().flatten().cloned().into();
        Ok(Reply::Array((0..view.len()).map(value).collect()))
    }))
}
