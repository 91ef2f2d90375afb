//! `BITPOS key bit [start [end [BYTE | BIT]]]`
use super::{index, unit};
use crate::command::prelude::*;
use crate::keyspace::bits::{self, Unit};

pub(super) static BITPOS: Command = Command {
    name: "BITPOS",
    arity: AtLeast(3),
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, &["RO", "ACCESS"])],
    plan: bitpos,
    ..Command::in_group(Group::Bitmap, file!())
};

fn bitpos(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let bit = match args.integer()? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::text("ERR The bit argument must be 1 or 0.")),
    };
    let Range { start, end, unit } = Range::parse(args.rest())?;
    Ok(Plan::read(context, [key], move |view| {
        let Some(bytes) = view.string(0)? else { return Ok(Reply::Integer(if bit { -1 } else { 0 })) };
        Ok(Reply::Integer(bits::position(bytes, bit, start, end, unit)))
    }))
}

struct Range {
    start: i64,
    end: Option<i64>,
    unit: Unit,
}

impl Range {
    fn parse(words: &[Bytes]) -> Result<Range, CommandError> {
        if words.len() > 3 {
            return Err(CommandError::SYNTAX);
        }
        let start = words.first().map_or(Ok(0), |word| index(word))?;
        // The unit's mistake comes before the end's.
        let unit = words.get(2).map_or(Ok(Unit::Byte), |word| unit(word))?;
        let end = words.get(1).map(|word| index(word)).transpose()?;
        Ok(Range { start, end, unit })
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::*;

    #[test]
    fn errors_in_order() {
        for (range, text) in [
            ("abc 0 FOO", "ERR value is not an integer or out of range"),
            ("0 abc FOO", "ERR syntax error"),
            ("0 abc", "ERR value is not an integer or out of range"),
            ("abc 0 BIT FOO", "ERR syntax error"),
        ] {
            let words: Vec<&str> = "BITPOS k 1".split(' ').chain(range.split(' ')).collect();
            assert_eq!(run(&words, keys(&[])).0, error(text), "{range}");
        }
    }
}
