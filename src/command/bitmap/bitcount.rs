//! BITCOUNT key [start end [BYTE | BIT]]
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
    // Redis does not look at the range of an absent key.
    let range = range(args.rest());
    Ok(Plan::read(context, [key], move |view| {
        let Some(bytes) = view.string(0)? else { return Ok(Reply::ZERO) };
        Ok(Reply::Integer(bits::count(bytes, range.clone()?)))
    }))
}

fn range(words: &[Bytes]) -> Result<Option<(i64, i64, Unit)>, CommandError> {
    match words {
        [] => Ok(None),
        [start, end] => Ok(Some((index(start)?, index(end)?, Unit::Byte))),
        [start, end, word] => match (index(start)?, index(end)?) {
            // Known to be empty before Redis has read the unit.
            (start, end) if start < 0 && end < 0 && start > end => Ok(Some((start, end, Unit::Byte))),
            (start, end) => Ok(Some((start, end, unit(word)?))),
        },
        _ => Err(CommandError::SYNTAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::*;

    #[test]
    fn the_key_is_looked_at_before_the_range() {
        for (range, expected) in [
            ("0 abc FOO", error("ERR value is not an integer or out of range")),
            ("0 1 FOO", error("ERR syntax error")),
            ("0", error("ERR syntax error")),
            ("5 30 bit", int(17)),
            ("-1 -2 FOO", int(0)),
        ] {
            let words: Vec<&str> = "BITCOUNT k".split(' ').chain(range.split(' ')).collect();
            assert_eq!(run(&words, keys(&[])).0, int(0));
            assert_eq!(run(&words, keys(&[("k", "foobar")])).0, expected, "{range}");
        }
    }
}
