//! `XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT count]`
use super::trimming::Trimming;
use crate::command::prelude::*;

pub(super) static XTRIM: Command = Command {
    name: "XTRIM",
    arity: AtLeast(4),
    flags: Flags::WRITE,
    keys: &[KeySpec::at(1, &["RW", "DELETE"])],
    tips: &["nondeterministic_output"],
    plan: xtrim,
    follow: Follow::Effect(|done| Effect::same_if(!done.is_zero())),
    ..Command::in_group(Group::Stream, file!())
};

fn xtrim(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = KeyUse::object(context.db, args.bytes()?, Kind::Stream);
    let mut trimming = Trimming::default();
    while !args.is_empty() {
        if !trimming.option(args)? {
            return Err(CommandError::SYNTAX);
        }
    }
    trimming.end(true)?;
    Ok(Plan::Keys(KeyOp::new(Access::Update, [key], move |view| match view.stream(0)? {
        None => Ok(Reply::ZERO),
        Some(stream) => {
            let trimmed = trimming.apply(stream)?;
            if trimmed > 0 {
                view.note(0, Event::XTRIM);
            }
            Ok(Reply::Integer(trimmed as i64))
        }
    })))
}
