//! `SETBIT key offset value`
use super::bit_offset;
use crate::command::prelude::*;
use crate::keyspace::bits;

pub(super) static SETBIT: Command = Command {
    name: "SETBIT",
    arity: Exactly(4),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[KeySpec::at(1, &["RW", "ACCESS", "UPDATE"])],
    plan: setbit,
    ..Command::in_group(Group::Bitmap, file!())
};

fn setbit(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let offset = bit_offset(args.word()?, context.max_string)?;
    let value = match args.word()?.as_ref() {
        b"0" => false,
        b"1" => true,
        _ => return Err(CommandError::BIT_VALUE),
    };
    let plan = Plan::update(context, [key], move |view| {
        // What changes nothing does not touch a watched key.
        if let Some(bytes) = view.string(0)?
            && offset / 8 < bytes.len() as u64
            && bits::get(bytes, offset) == value
        {
            return Ok(value.into());
        }
        let old = view.edit_string(0, |bytes| bits::set(bytes, offset, value))?;
        view.note(0, Event::SETBIT);
        Ok(old.into())
    });
    Ok(plan.growing_by((offset / 8) as usize))
}
