//! EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds, and the arithmetic behind them.

use bytes::Bytes;

use crate::command::{Args, CommandError};
use crate::keyspace::Expiry;
use crate::keyspace::number::parse_i64;

/// An expiry as the client gave it, with a good number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiryOption {
    /// Milliseconds from now.
    In(i64),
    /// Milliseconds since the epoch.
    At(i64),
}

/// EX, PX, EXAT or PXAT with a number that has not been looked at: Redis does so after all the options (SET), or even
/// after the key (GETEX).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncheckedExpiry {
    seconds: bool,
    relative: bool,
    number: Bytes,
}

impl UncheckedExpiry {
    /// Takes one of the four options if the next word is one; without its number it is a syntax error.
    pub fn take(args: &mut Args) -> Result<Option<UncheckedExpiry>, CommandError> {
        let (seconds, relative) = match () {
            _ if args.take("EX") => (true, true),
            _ if args.take("PX") => (false, true),
            _ if args.take("EXAT") => (true, false),
            _ if args.take("PXAT") => (false, false),
            _ => return Ok(None),
        };
        Ok(Some(UncheckedExpiry { seconds, relative, number: args.bytes()? }))
    }

    /// Whether both are the same of the four options; then the later one counts.
    pub fn is_same_option(&self, other: &UncheckedExpiry) -> bool {
        self.seconds == other.seconds && self.relative == other.relative
    }

    /// Errors: not an integer; `invalid expire time in '<command>' command` for zero, negative or overflowing times.
    pub fn check(&self, command: &str) -> Result<ExpiryOption, CommandError> {
        let number = parse_i64(&self.number).ok_or(CommandError::NOT_AN_INTEGER)?;
        checked(number, self.seconds, self.relative, command)
    }
}

impl ExpiryOption {
    /// The point in time, for a call made `now`.
    pub fn at(self, now: i64) -> i64 {
        match self {
            ExpiryOption::In(ms) => now.saturating_add(ms),
            ExpiryOption::At(at) => at,
        }
    }

    /// The expiry of a write that does not know the time yet.
    pub fn unresolved(self) -> Expiry {
        match self {
            ExpiryOption::In(ms) => Expiry::After(ms),
            ExpiryOption::At(at) => Expiry::At(at),
        }
    }
}

/// Relative times beyond this are refused: with the clock added they would overflow. The clock of the year 2100 stands for
/// today's, since a blind write does not know the time.
const LONGEST_RELATIVE: i64 = i64::MAX - 4_102_444_800_000;

/// The option for `number` seconds or milliseconds, which must be positive and must not overflow.
pub fn checked(
    number: i64,
    seconds: bool,
    relative: bool,
    command: &str,
) -> Result<ExpiryOption, CommandError> {
    let invalid = || CommandError::invalid_expire(command);
    if number <= 0 {
        return Err(invalid());
    }
    let ms = if seconds { number.checked_mul(1000).ok_or_else(invalid)? } else { number };
    match relative {
        true if ms > LONGEST_RELATIVE => Err(invalid()),
        true => Ok(ExpiryOption::In(ms)),
        false => Ok(ExpiryOption::At(ms)),
    }
}
