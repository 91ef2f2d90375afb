//! `GETBIT key offset`
use super::bit_offset;
use crate::command::prelude::*;
use crate::keyspace::bits;

pub(super) static GETBIT: Command = Command {
    name: "GETBIT",
    arity: Exactly(3),
    flags: Flags::READONLY.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RO", "ACCESS"])],
    plan: getbit,
    ..Command::in_group(Group::Bitmap, file!())
};

fn getbit(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let offset = bit_offset(args.word()?, context.max_string)?;
    Ok(Plan::read(context, [key], move |view| {
        Ok(view.string(0)?.is_some_and(|bytes| bits::get(bytes, offset)).into())
    }))
}
