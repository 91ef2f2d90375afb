//! `XDEL key id [id ...]`
use crate::command::prelude::*;
use crate::keyspace::stream::StreamId;

pub(super) static XDEL: Command = Command {
    name: "XDEL",
    arity: AtLeast(3),
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "DELETE"])],
    plan: xdel,
    ..Command::in_group(Group::Stream, file!())
};

fn xdel(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = KeyUse::object(context.db, args.bytes()?, Kind::Stream);
    let ids: Option<Vec<StreamId>> = args.rest().iter().map(|word| StreamId::parse(word, 0)).collect();
    Ok(Plan::Keys(KeyOp::new(Access::Update, [key], move |view| {
        // Redis looks at the key first.
        let Some(stream) = view.stream(0)? else { return Ok(Reply::ZERO) };
        let ids = ids.as_ref().ok_or(CommandError::INVALID_STREAM_ID)?;
        let deleted = stream.delete(ids)?;
        if deleted > 0 {
            view.note(0, Event::XDEL);
        }
        Ok(Reply::Integer(deleted))
    })))
}
