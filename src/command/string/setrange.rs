//! `SETRANGE key offset value`
use crate::command::prelude::*;

pub(super) static SETRANGE: Command = Command {
    name: "SETRANGE",
    arity: Exactly(4),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[KeySpec::at(1, &["RW", "UPDATE"])],
    plan: setrange,
    ..Command::in_group(Group::String, file!())
};

fn setrange(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let offset = usize::try_from(args.integer()?).map_err(|_| CommandError::OFFSET_OUT_OF_RANGE)?;
    let value = args.bytes()?;
    if value.is_empty() {
        // Neither makes a key nor lengthens one.
        let length = Plan::inspect(context, [key], |view| Ok(Reply::Integer(view.string_length(0)? as i64)));
        return Ok(length.quietly());
    }
    let end = offset.saturating_add(value.len());
    let max = context.max_string;
    let plan = Plan::update(context, [key], move |view| {
        view.string(0)?;
        if end > max {
            return Err(CommandError::STRING_TOO_LONG);
        }
        let length = view.edit_string(0, |bytes| {
            bytes.resize(bytes.len().max(end), 0);
            bytes[offset..end].copy_from_slice(&value);
            bytes.len()
        })?;
        view.note(0, Event::SETRANGE);
        Ok(Reply::Integer(length as i64))
    });
    Ok(plan.growing_by(end.min(max)))
}
