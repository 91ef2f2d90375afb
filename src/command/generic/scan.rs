//! `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
//!
//! The cursor is a place in the order of a hash of the keys. It needs no memory here, outlives the process, and a key that is there
//! all the time cannot be missed, whatever is written meanwhile.
use super::keys::Pattern;
use crate::command::prelude::*;
use crate::store::statements::generic;
use crate::store::{Call, Param, Row};

pub(super) static SCAN: Command = Command {
    name: "SCAN",
    arity: AtLeast(2),
    flags: Flags::READONLY,
    tips: &["nondeterministic_output", "request_policy:special"],
    plan: scan,
    ..Command::in_group(Group::Generic, file!())
};

const DEFAULT_COUNT: i64 = 10;
/// For a type nobody knows: matches no row.
const NO_TYPE: i32 = -1;

fn scan(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let cursor = parse_cursor(args.word()?)?;
    let mut count = DEFAULT_COUNT;
    let mut pattern = Pattern::new(Bytes::from_static(b"*"));
    let mut kind = 0;
    while !args.is_empty() {
        match args.left() > 1 {
            true if args.take("COUNT") => {
                count = args.integer()?;
                if count < 1 {
                    return Err(CommandError::SYNTAX);
                }
            }
            true if args.take("MATCH") => pattern = Pattern::new(args.bytes()?),
            true if args.take("TYPE") => {
                kind = Kind::from_name(args.word()?).map_or(NO_TYPE, |kind| i32::from(kind as i16));
            }
            _ => return Err(CommandError::SYNTAX),
        }
    }
    let params = vec![
        Param::Int4(context.db.0 as i32),
        Param::Int8(cursor.try_into().unwrap_or(i64::MAX)),
        Param::Int8(count),
        Param::Int4(kind),
        Param::Bytes(pattern.like()),
    ];
    Ok(Plan::Call(Call::read(&generic::SCAN, params, move |rows: &[Row]| {
        let next = rows.iter().find_map(|row| row.get::<_, Option<i64>>(1)).unwrap_or(0);
        let keys = rows.iter().filter_map(|row| row.get::<_, Option<&[u8]>>(0));
        let keys = keys.filter(|key| pattern.matches(key)).map(Bytes::copy_from_slice);
        Reply::Array(vec![Reply::bulk(next.to_string()), Reply::bulks(keys)])
    })))
}

/// An unsigned number of 64 bits; a plus in front and leading zeros do no harm.
fn parse_cursor(text: &[u8]) -> Result<u64, CommandError> {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let digits = digits.iter().all(u8::is_ascii_digit).then_some(digits);
    let number = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    number.ok_or(CommandError::INVALID_CURSOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::plan;

    #[test]
    fn cursors() {
        for (text, expected) in [
            ("0", Some(0)),
            ("", None),
            ("+7", Some(7)),
            ("007", Some(7)),
            ("-1", None),
            ("++1", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            (" 0", None),
            ("0x1", None),
            ("+", None),
        ] {
            assert_eq!(parse_cursor(text.as_bytes()).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn parameters() {
        let Ok(Plan::Call(call)) = plan(&["SCAN", "5", "match", "a[bc]*", "count", "20", "type", "STRING"])
        else {
            panic!()
        };
        let expected =
            [Param::Int4(0), Param::Int8(5), Param::Int8(20), Param::Int4(1), Param::Bytes("a_%".into())];
        assert_eq!(call.params, expected);
    }

    #[test]
    fn errors() {
        for (words, expected) in [
            (&["SCAN", "x", "COUNT", "x"][..], CommandError::INVALID_CURSOR),
            (&["SCAN", "0", "COUNT"], CommandError::SYNTAX),
            (&["SCAN", "0", "COUNT", "0"], CommandError::SYNTAX),
            (&["SCAN", "0", "COUNT", "x"], CommandError::NOT_AN_INTEGER),
            (&["SCAN", "0", "FOO", "x"], CommandError::SYNTAX),
        ] {
            assert_eq!(plan(words).err(), Some(expected), "{words:?}");
        }
    }
}
