//! `BITCOUNT key [start end [BYTE | BIT]]`
use super::{index, unit};
use crate::command::prelude::*;
use crate::keyspace::bits::{self, Unit};

pub(super) static BITCOUNT: Command = Command {
    name: "BITCOUNT",
    arity: AtLeast(2),
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, &["RO", "ACCESS"])],
    plan: bitcount,
    ..Command::in_group(Group::Bitmap, file!())
};

fn bitcount(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let range = match args.rest() {
        [] => Some(None),
        // Of all mistakes only this one is found after the key's.
        [_start] => None,
        [start, end] => Some(Some((index(start)?, index(end)?, Unit::Byte))),
        [start, end, word] => Some(Some((index(start)?, index(end)?, unit(word)?))),
        _ => return Err(CommandError::SYNTAX),
    };
    Ok(Plan::read(context, [key], move |view| {
        let Some(bytes) = view.string(0)? else { return Ok(Reply::ZERO) };
        let range = range.ok_or(CommandError::SYNTAX)?;
        Ok(Reply::Integer(bits::count(bytes, range)))
    }))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::*;

    #[test]
    fn errors() {
        for (range, text) in [
            ("0 abc FOO", "ERR value is not an integer or out of range"),
            ("0 1 FOO", "ERR syntax error"),
            ("0 1 BIT FOO", "ERR syntax error"),
        ] {
            let words: Vec<&str> = "BITCOUNT k".split(' ').chain(range.split(' ')).collect();
            assert_eq!(run(&words, keys(&[])).0, error(text), "{range}");
        }
        assert_eq!(run(&["BITCOUNT", "k", "0"], keys(&[])).0, int(0));
        assert_eq!(run(&["BITCOUNT", "k", "0"], keys(&[("k", "v")])).0, error("ERR syntax error"));
    }
}
