//! Ids of stream entries, and the texts that stand for them.

use std::fmt;

/// Milliseconds and a sequence number, ordered as Redis orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamId {
    pub ms: u64,
    pub seq: u64,
}

/// An id as XADD may leave it open: `ms-*` has no sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialId {
    pub ms: u64,
    pub seq: Option<u64>,
}

impl StreamId {
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    pub fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    /// `ms-seq`, or `ms` alone with `missing_seq` for the rest.
    pub fn parse(text: &[u8], missing_seq: u64) -> Option<StreamId> {
        let PartialId { ms, seq } = split(text, Some(missing_seq), false)?;
        Some(StreamId { ms, seq: seq? })
    }

    /// As [`StreamId::parse`], with `-` for the lowest id and `+` for the highest.
    pub fn parse_bound(text: &[u8], missing_seq: u64) -> Option<StreamId> {
        match text {
            b"-" => Some(StreamId::MIN),
            b"+" => Some(StreamId::MAX),
            _ => StreamId::parse(text, missing_seq),
        }
    }

    /// The next id, unless this is the last one.
    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The id before, unless this is the first one.
    pub fn previous(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// As a uuid: big-endian, so that bytes sort as ids do.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    pub fn from_bytes(bytes: [u8; 16]) -> StreamId {
        let number = u128::from_be_bytes(bytes);
        StreamId { ms: (number >> 64) as u64, seq: number as u64 }
    }
}

impl PartialId {
    /// What XADD takes besides `*`: `ms-seq`, `ms-*` or `ms` (sequence number 0).
    pub fn parse(text: &[u8]) -> Option<PartialId> {
        split(text, Some(0), true)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// Longest text that Redis looks at.
const LONGEST: usize = 127;

fn split(text: &[u8], missing_seq: Option<u64>, open: bool) -> Option<PartialId> {
    if text.len() > LONGEST {
        return None;
    }
    // Redis reads C strings here.
    let text = text.split(|byte| *byte == 0).next()?;
    match text.iter().position(|byte| *byte == b'-') {
        None => Some(PartialId { ms: unsigned(text)?, seq: missing_seq }),
        Some(dash) => {
            let (ms, seq) = (unsigned(&text[..dash])?, &text[dash + 1..]);
            let seq = if open && seq == b"*" { None } else { Some(unsigned(seq)?) };
            Some(PartialId { ms, seq })
        }
    }
}

/// As strtoull, which Redis falls back to: leading white space, a sign and zeros are let through; but a plain negative number is refused.
fn unsigned(text: &[u8]) -> Option<u64> {
    let plain = super::super::number::parse_i64(text);
    if let Some(number) = plain {
        return u64::try_from(number).ok();
    }
    let space = text.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b).count();
    let text = &text[space..];
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    let number = digits.iter().try_fold(0, add)?;
    Some(if negative { number.wrapping_neg() } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let id = StreamId::new;
        for (text, expected) in [
            ("1-2", Some(id(1, 2))),
            ("5", Some(id(5, 9))),
            ("18446744073709551615-18446744073709551615", Some(StreamId::MAX)),
            ("18446744073709551616-0", None),
            ("007-+1", Some(id(7, 1))),
            ("1--01", Some(id(1, u64::MAX))),
            ("1--1", None),
            ("1-2-3", None),
            ("", None),
            ("-", None),
            ("1-", None),
            ("-1", None),
            ("1-*", None),
            ("a", None),
            ("1 ", None),
        ] {
            assert_eq!(StreamId::parse(text.as_bytes(), 9), expected, "{text}");
        }
        assert_eq!(StreamId::parse_bound(b"+", 0), Some(StreamId::MAX));
        assert_eq!(PartialId::parse(b"3-*"), Some(PartialId { ms: 3, seq: None }));
        assert_eq!(id(1526919030474, 55).to_string(), "1526919030474-55");
    }

    #[test]
    fn neighbours_and_bytes() {
        let id = StreamId::new(3, u64::MAX);
        assert_eq!(id.next(), Some(StreamId::new(4, 0)));
        assert_eq!(StreamId::new(4, 0).previous(), Some(id));
        assert_eq!((StreamId::MAX.next(), StreamId::MIN.previous()), (None, None));
        assert_eq!(StreamId::from_bytes(id.to_bytes()), id);
        assert!(id.to_bytes() < StreamId::new(4, 0).to_bytes());
    }
}
