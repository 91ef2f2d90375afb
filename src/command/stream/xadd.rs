//! `XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id field value [field value ...]`
use super::trimming::Trimming;
use crate::command::prelude::*;
use crate::keyspace::stream::{Fields, PartialId, StreamId};

pub(super) static XADD: Command = Command {
    name: "XADD",
    arity: AtLeast(5),
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: &[KeySpec {
        notes: "\
            UPDATE instead of INSERT because of the optional trimming feature",
        ..KeySpec::at(1, &["RW", "UPDATE"])
    }],
    tips: &["nondeterministic_output"],
    plan: xadd,
    follow: Follow::Effect(effect),
    ..Command::in_group(Group::Stream, file!())
};

/// What is asked for as the new entry's id; `None` is `*`.
type WantedId = Option<PartialId>;

fn xadd(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let mut trimming = Trimming::default();
    let mut make = true;
    let id: WantedId = loop {
        if args.peek().is_some_and(|word| *word == b"*"[..]) {
            args.word()?;
            break None;
        } else if trimming.option(args)? {
        } else if args.take("NOMKSTREAM") {
            make = false;
        } else {
            // Redis looks at LIMIT before it counts the words.
            let Ok(word) = args.word() else { break None };
            break Some(PartialId::parse(word).ok_or(CommandError::INVALID_STREAM_ID)?);
        }
    };
    trimming.end(false)?;
    let words = args.rest();
    if words.len() < 2 || words.len() % 2 == 1 {
        return Err(CommandError::wrong_arity(&args.command_name()));
    }
    if id == Some(PartialId { ms: 0, seq: Some(0) }) {
        return Err(CommandError::constant("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let fields = Fields::new(words);
    let key = KeyUse::object(context.db, key, Kind::Stream);
    Ok(Plan::Keys(KeyOp::new(Access::Update, [key], move |view| {
        let now = view.now() as u64;
        let last = match view.stream(0)? {
            Some(stream) => stream.state.last_id,
            None if !make => return Ok(Reply::Null),
            None => StreamId::MIN,
        };
        let id = next_id(id, last, now)?;
        let stream = view.stream_or_new(0)?;
        stream.append(id, &fields);
        let trimmed = trimming.apply(stream)?;
        view.note(0, Event::XADD);
        if trimmed > 0 {
            view.note(0, Event::XTRIM);
        }
        Ok(Reply::bulk(id.to_string()))
    })))
}

/// The call with the id that was given.
fn effect(done: &Done<'_>) -> Effect {
    let Some(id) = follow::bytes(done.reply) else { return Effect::same_if(!done.is_null()) };
    let mut args = Args::new(done.argv(), 2, "XADD");
    let mut trimming = Trimming::default();
    while args.take("NOMKSTREAM") || matches!(trimming.option(&mut args), Ok(true)) {}
    let at = done.argv().len() - args.left();
    let options = done.argv()[2..at].iter().filter(|word| !word.eq_ignore_ascii_case(b"NOMKSTREAM"));
    let words = ["XADD".into(), done.word(1)].into_iter().chain(options.cloned());
    Effect::call(words.chain([id]).chain(args.rest().iter().skip(1).cloned()))
}

/// The id of the entry after `last`.
fn next_id(wanted: WantedId, last: StreamId, now: u64) -> Result<StreamId, CommandError> {
    const TOO_SMALL: CommandError = CommandError::constant(
        "ERR The ID specified in XADD is equal or smaller than the target stream top item",
    );
    let Some(next) = last.next() else {
        return Err(CommandError::constant(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    };
    let id = match wanted {
        // The clock may have been set back.
        None => next.max(StreamId::new(now, 0)),
        Some(PartialId { ms, seq: Some(seq) }) => StreamId::new(ms, seq),
        Some(PartialId { ms, seq: None }) if ms == last.ms => {
            StreamId::new(ms, last.seq.checked_add(1).ok_or(TOO_SMALL)?)
        }
        Some(PartialId { ms, seq: None }) => StreamId::new(ms, 0),
    };
    if id > last { Ok(id) } else { Err(TOO_SMALL) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{NOW, error, keys, run};

    #[test]
    fn ids() {
        let id = StreamId::new;
        let given = |ms, seq| Some(PartialId { ms, seq });
        for (wanted, last, expected) in [
            (None, id(0, 0), Some(id(5, 0))),
            (None, id(5, 7), Some(id(5, 8))),
            (None, id(9, u64::MAX), Some(id(10, 0))),
            (given(3, Some(1)), id(3, 0), Some(id(3, 1))),
            (given(3, Some(1)), id(3, 1), None),
            (given(3, None), id(3, 1), Some(id(3, 2))),
            (given(0, None), id(0, 0), Some(id(0, 1))),
            (given(4, None), id(3, 1), Some(id(4, 0))),
            (given(2, None), id(3, 1), None),
            (given(3, None), id(3, u64::MAX), None),
            (None, StreamId::MAX, None),
        ] {
            assert_eq!(next_id(wanted, last, 5).ok(), expected, "{wanted:?} after {last}");
        }
    }

    #[test]
    fn makes_a_stream() {
        let (reply, left) = run(&["XADD", "s", "*", "f", "v"], keys(&[]));
        assert_eq!(reply, Reply::bulk(format!("{NOW}-0")));
        assert_eq!(left.into_values().next().map(|entry| entry.kind), Some(Kind::Stream));
        assert_eq!(run(&["XADD", "s", "NOMKSTREAM", "*", "f", "v"], keys(&[])).0, Reply::Null);
    }

    #[test]
    fn errors() {
        for (words, text) in [
            (&["1-1", "a", "b", "c"][..], "ERR wrong number of arguments for 'xadd' command"),
            (&["maxlen", "5", "1-1"], "ERR wrong number of arguments for 'xadd' command"),
            (&["0-0", "a", "b"], "ERR The ID specified in XADD must be greater than 0-0"),
            (&["maxlen", "~", "1-1", "a", "b"], "ERR value is not an integer or out of range"),
            (
                &["maxlen", "5", "limit", "3", "*", "a", "b"],
                "ERR syntax error, LIMIT cannot be used without the special ~ option",
            ),
            (&["1-x", "a", "b"], "ERR Invalid stream ID specified as stream command argument"),
        ] {
            assert_eq!(run(&[&["XADD", "s"], words].concat(), keys(&[])).0, error(text), "{words:?}");
        }
        let wrong = run(&["XADD", "s", "*", "a", "b"], keys(&[("s", "string")])).0;
        assert_eq!(wrong, CommandError::WRONG_TYPE.into());
    }
}
