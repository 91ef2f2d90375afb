//! `XACK key group id [id ...]`
use super::named::stream_key;
use crate::command::prelude::*;
use crate::keyspace::stream::StreamId;

pub(super) static XACK: Command = Command {
    name: "XACK",
    arity: AtLeast(4),
    flags: Flags::WRITE.and(Flags::FAST),
    keys: &[KeySpec::at(1, &["RW", "UPDATE"])],
    plan: xack,
    ..Command::in_group(Group::Stream, file!())
};

fn xack(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, name) = (args.bytes()?, args.bytes()?);
    let ids: Option<Vec<StreamId>> = args.rest().iter().map(|word| StreamId::parse(word, 0)).collect();
    Ok(stream_key(context, key, move |view| {
        let Some(stream) = view.stream(0)? else { return Ok(Reply::ZERO) };
        stream.foresee_acknowledge(&name, ids.as_deref().unwrap_or_default());
        // Wrong ids are a mistake only if there is a group.
        let Some(group) = stream.group(&name)? else { return Ok(Reply::ZERO) };
        let ids = ids.as_ref().ok_or(CommandError::INVALID_STREAM_ID)?;
        Ok(Reply::Integer(stream.acknowledge(&name, &group, ids)?))
    }))
}
