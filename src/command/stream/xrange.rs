//! `XRANGE key start end [COUNT count] | XREVRANGE key end start [COUNT count]`
use super::reading::{entry_of, wrong_type};
use crate::command::prelude::*;
use crate::keyspace::StoredKey;
use crate::keyspace::stream::StreamId;
use crate::store::statements::Statement;
use crate::store::statements::streams::{RANGE, REVERSE_RANGE};
use crate::store::{Call, Param, Row};

pub(super) static XRANGE: Command = Command {
    name: "XRANGE",
    plan: |args, context| {
        let (key, start, end) = (args.bytes()?, args.word()?, args.word()?);
        range(args, context, key, (start, end), &RANGE)
    },
    ..FAMILY
};
pub(super) static XREVRANGE: Command = Command {
    name: "XREVRANGE",
    plan: |args, context| {
        let (key, end, start) = (args.bytes()?, args.word()?, args.word()?);
        range(args, context, key, (start, end), &REVERSE_RANGE)
    },
    ..FAMILY
};

const FAMILY: Command = Command {
    arity: AtLeast(4),
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, &["RO", "ACCESS"])],
    ..Command::in_group(Group::Stream, file!())
};

fn range(
    args: &mut Args,
    context: &PlanContext,
    key: Bytes,
    (start, end): (&Bytes, &Bytes),
    statement: &'static Statement,
) -> Result<Plan, CommandError> {
    let start = lowest(start)?;
    let end = highest(end)?;
    let mut count = None;
    while !args.is_empty() {
        if args.left() < 2 || !args.take("COUNT") {
            return Err(CommandError::SYNTAX);
        }
        count = Some(args.integer()?.max(0));
    }
    let params = vec![
        Param::Int4(context.db.0 as i32),
        Param::Bytes(StoredKey::new(&key).into_bytes()),
        Param::StreamId(start),
        Param::StreamId(end),
        Param::Int8(count.unwrap_or(i64::MAX)),
    ];
    Ok(Plan::Call(Call::read(statement, params, move |rows| reply(rows, count == Some(0)))))
}

/// `start`, exclusive after a bracket.
fn lowest(word: &[u8]) -> Result<StreamId, CommandError> {
    match word {
        [b'(', id @ ..] if !id.is_empty() => {
            let id = StreamId::parse(id, 0).ok_or(CommandError::INVALID_STREAM_ID)?;
            id.next().ok_or(CommandError::constant("ERR invalid start ID for the interval"))
        }
        _ => StreamId::parse_bound(word, 0).ok_or(CommandError::INVALID_STREAM_ID),
    }
}

/// `end`, exclusive after a bracket.
fn highest(word: &[u8]) -> Result<StreamId, CommandError> {
    match word {
        [b'(', id @ ..] if !id.is_empty() => {
            let id = StreamId::parse(id, u64::MAX).ok_or(CommandError::INVALID_STREAM_ID)?;
            id.previous().ok_or(CommandError::constant("ERR invalid end ID for the interval"))
        }
        _ => StreamId::parse_bound(word, u64::MAX).ok_or(CommandError::INVALID_STREAM_ID),
    }
}

/// The first row says what the key is.
fn reply(rows: &[Row], of_none: bool) -> Reply {
    let Some((key, entries)) = rows.split_first() else { return Reply::Array(Vec::new()) };
    match wrong_type(key.get(0)) {
        Some(error) => error,
        None if of_none => Reply::NullArray,
        None => Reply::Array(entries.iter().map(|row| entry_of(row, 1, 2)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let id = StreamId::new;
        assert_eq!(lowest(b"-"), Ok(StreamId::MIN));
        assert_eq!((lowest(b"5"), highest(b"5")), (Ok(id(5, 0)), Ok(id(5, u64::MAX))));
        assert_eq!((lowest(b"(5"), highest(b"(5-1")), (Ok(id(5, 1)), Ok(id(5, 0))));
        for word in [&b"("[..], b"(-", b"(+", b"", b"x"] {
            assert_eq!(lowest(word), Err(CommandError::INVALID_STREAM_ID));
            assert_eq!(highest(word), Err(CommandError::INVALID_STREAM_ID));
        }
        let last = b"(18446744073709551615-18446744073709551615";
        assert_eq!(lowest(last), Err(CommandError::constant("ERR invalid start ID for the interval")));
        assert_eq!(highest(b"(0-0"), Err(CommandError::constant("ERR invalid end ID for the interval")));
    }
}
