//! EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds, and the arithmetic behind them.

use crate::command::{Args, CommandError};
use crate::keyspace::Expiry;

/// An expiry as the client gave it: the number is checked when the time is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiryOption {
    /// Milliseconds from now.
    In(i64),
    /// Milliseconds since the epoch.
    At(i64),
}

impl ExpiryOption {
    /// Takes one of the four options if the next word is one, with its number.
    /// Errors: not an integer; `invalid expire time in '<command>' command` for zero, negative or overflowing times.
    pub fn take(args: &mut Args) -> Result<Option<ExpiryOption>, CommandError> {
        let name = args.command_name();
        let (seconds, relative) = match () {
            _ if args.take("EX") => (true, true),
            _ if args.take("PX") => (false, true),
            _ if args.take("EXAT") => (true, false),
            _ if args.take("PXAT") => (false, false),
            _ => return Ok(None),
        };
        let number = args.integer()?;
        checked(number, seconds, relative, &name).map(Some)
    }

    /// The expiry of a write that does not know the time yet.
    pub fn unresolved(self) -> Expiry {
        match self {
            ExpiryOption::In(ms) => Expiry::After(ms),
            ExpiryOption::At(at) => Expiry::At(at),
        }
    }

    /// The expiry at a known time.
    pub fn resolve(self, now: i64) -> Expiry {
        match self {
            ExpiryOption::In(ms) => Expiry::At(now.saturating_add(ms)),
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
