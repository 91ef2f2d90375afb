//! `INCRBYFLOAT key increment`
use crate::command::prelude::*;
use crate::keyspace::extended::Extended;

pub(super) static INCRBYFLOAT: Command = Command {
    name: "INCRBYFLOAT",
    arity: Exactly(3),
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "ACCESS", "UPDATE"])],
    plan: incrbyfloat,
    follow: Follow::Effect(effect),
    ..Command::in_group(Group::String, file!())
};

/// The sum as it was answered: another server may compute or write it otherwise.
fn effect(done: &Done<'_>) -> Effect {
    match follow::bytes(done.reply) {
        Some(sum) => Effect::call(["SET".into(), done.word(1), sum, "KEEPTTL".into()]),
        None => Effect::Keys,
    }
}

fn incrbyfloat(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, increment) = (args.bytes()?, args.bytes()?);
    let increment = Extended::parse(&increment);
    Ok(Plan::update(context, [key], move |view| {
        let old = view.string(0)?.map_or(b"0".as_slice(), |bytes| bytes);
        // The increment's mistake comes after the type's.
        let (old, increment) = Extended::parse(old).zip(increment).ok_or(CommandError::NOT_A_FLOAT)?;
        let new = old.plus(increment).ok_or(CommandError::NAN_OR_INFINITY)?;
        let text = Bytes::from(new.to_text());
        view.set_string(0, text.clone());
        view.note(0, Event::INCRBYFLOAT);
        Ok(Reply::Bulk(text))
    }))
}
