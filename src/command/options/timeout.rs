//! How long a blocking command waits.

use std::time::Duration;

use crate::command::{Args, CommandError};
use crate::keyspace::number::parse_i64;

/// Redis adds the time of day, about this many milliseconds, and the sum must be a number of 64 bits.
const TIME_OF_DAY: u64 = 1 << 41;

/// The next word as XREAD's BLOCK: whole milliseconds, 0 for ever (`None`).
pub fn milliseconds(args: &mut Args) -> Result<Option<Duration>, CommandError> {
    let timeout =
        parse_i64(args.word()?).ok_or(CommandError::text("ERR timeout is not an integer or out of range"))?;
    let timeout = u64::try_from(timeout).map_err(|_| CommandError::text("ERR timeout is negative"))?;
    if timeout > i64::MAX as u64 - TIME_OF_DAY {
        return Err(CommandError::text("ERR timeout is out of range"));
    }
    Ok((timeout > 0).then(|| Duration::from_millis(timeout)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn whole_milliseconds() {
        let parse = |word: &'static str| milliseconds(&mut Args::new(&[Bytes::from(word)], 0, "XREAD"));
        assert_eq!(parse("0"), Ok(None));
        assert_eq!(parse("1500"), Ok(Some(Duration::from_millis(1500))));
        let errors = [
            ("-1", "ERR timeout is negative"),
            ("1.5", "ERR timeout is not an integer or out of range"),
            ("x", "ERR timeout is not an integer or out of range"),
            ("9223372036854775807", "ERR timeout is out of range"),
        ];
        for (word, text) in errors {
            assert_eq!(parse(word), Err(CommandError::text(text)), "{word}");
        }
    }
}
