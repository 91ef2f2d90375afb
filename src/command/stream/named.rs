//! What the commands of consumer groups have in common.

use super::reading::entry;
use crate::command::prelude::*;
use crate::keyspace::stream::StreamId;

/// A function over the stream at one key.
pub fn stream_key(
    context: &PlanContext,
    key: Bytes,
    apply: impl Fn(&mut View<'_>) -> Result<Reply, CommandError> + Send + Sync + 'static,
) -> Plan {
    Plan::Keys(KeyOp::new(Access::Update, [KeyUse::object(context.db, key, Kind::Stream)], apply))
}

/// Tells of a consumer that was made by the way.
pub fn note_newcomer(view: &mut View<'_>, i: usize) -> Result<(), CommandError> {
    if let Some(stream) = view.stream(i)?
        && stream.groups.take_newcomer()
    {
        view.note(i, Event::XGROUP_CREATECONSUMER);
    }
    Ok(())
}

/// The texts that say so differ.
pub fn no_group_of_key(key: &[u8], group: &[u8]) -> CommandError {
    no_group([b"No such consumer group '", group, b"' for key name '", key, b"'"])
}

pub fn no_key_or_group(key: &[u8], group: &[u8]) -> CommandError {
    no_group([b"No such key '", key, b"' or consumer group '", group, b"'"])
}

pub fn nothing_to_read(key: &[u8], group: &[u8]) -> CommandError {
    no_group([b"No such key '", key, b"' or consumer group '", group, b"' in XREADGROUP with GROUP option"])
}

/// Redis prints names as C strings.
fn no_group(parts: [&[u8]; 5]) -> CommandError {
    let printed = parts.into_iter().flat_map(|part| part.split(|byte| *byte == 0).next().unwrap_or(part));
    CommandError::text(b"NOGROUP ".iter().chain(printed).copied().collect::<Vec<u8>>())
}

pub fn id(id: StreamId) -> Reply {
    Reply::bulk(id.to_string())
}

/// An entry with its packed fields, or the id of one that is gone.
pub fn entry_or_gone((id, fields): (StreamId, Option<Bytes>)) -> Reply {
    match fields {
        Some(fields) => entry(id, &fields),
        None => Reply::Array(vec![Reply::bulk(id.to_string()), Reply::NullArray]),
    }
}

const INVALID_START: CommandError = CommandError::constant("ERR invalid start ID for the interval");
const INVALID_END: CommandError = CommandError::constant("ERR invalid end ID for the interval");

/// The lower end of an interval: an id, without sequence number the first one; `(` in front excludes it.
pub fn interval_start(word: &[u8]) -> Result<StreamId, CommandError> {
    match word.strip_prefix(b"(") {
        Some(id) => {
            let id = StreamId::parse(id, 0).ok_or(CommandError::INVALID_STREAM_ID)?;
            id.next().ok_or(INVALID_START)
        }
        None => StreamId::parse_bound(word, 0).ok_or(CommandError::INVALID_STREAM_ID),
    }
}

/// The upper end of an interval.
pub fn interval_end(word: &[u8]) -> Result<StreamId, CommandError> {
    match word.strip_prefix(b"(") {
        Some(id) => {
            let id = StreamId::parse(id, u64::MAX).ok_or(CommandError::INVALID_STREAM_ID)?;
            id.previous().ok_or(INVALID_END)
        }
        None => StreamId::parse_bound(word, u64::MAX).ok_or(CommandError::INVALID_STREAM_ID),
    }
}
