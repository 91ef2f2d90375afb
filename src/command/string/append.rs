//! `APPEND key value`
use crate::command::prelude::*;

pub(super) static APPEND: Command = Command {
    name: "APPEND",
    arity: Exactly(3),
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "INSERT"])],
    plan: append,
    ..Command::in_group(Group::String, file!())
};

fn append(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, value) = (args.bytes()?, args.bytes()?);
    let max = context.max_string;
    Ok(Plan::update(context, [key], move |view| {
        if view.string_length(0)? + value.len() > max {
            return Err(CommandError::STRING_TOO_LONG);
        }
        let length = view.edit_string(0, |bytes| {
            bytes.extend_from_slice(&value);
            bytes.len()
        })?;
        view.note(0, Event::APPEND);
        Ok(Reply::Integer(length as i64))
    }))
}
