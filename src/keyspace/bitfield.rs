//! BITFIELD: integers of 1 to 64 bits at any bit offset of a string value.

use super::bits;

/// What happens to a value that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    #[default]
    Wrap,
    Saturate,
    /// Nothing is written and the reply is null.
    Fail,
}

/// Signed integers have 1 to 64 bits, unsigned ones 1 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldType {
    pub signed: bool,
    pub bits: u32,
}

impl FieldType {
    /// `u1` to `u63`, `i1` to `i64`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (signed, digits) = match text {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return None,
        };
        let bits = super::number::parse_i64(digits)?;
        (1..=if signed { 64 } else { 63 }).contains(&bits).then_some(Self { signed, bits: bits as u32 })
    }
}

pub fn get(bytes: &[u8], field: FieldType, offset: u64) -> i64 {
    let raw = (0..u64::from(field.bits))
        .fold(0u64, |value, bit| value << 1 | u64::from(bits::get(bytes, offset + bit)));
    if field.signed { sign_extend(raw, field.bits) } else { raw as i64 }
}

/// Stores `value` and returns what was there; `None` when it does not fit and `overflow` is `Fail`. Grows `bytes` in
/// either case.
pub fn set(
    bytes: &mut Vec<u8>,
    field: FieldType,
    offset: u64,
    value: i64,
    overflow: Overflow,
) -> Option<i64> {
    let old = get(bytes, field, offset);
    update(bytes, field, offset, fit(field, value, 0, overflow)).map(|_| old)
}

/// Adds `increment` and returns the new value; `None` when it does not fit and `overflow` is `Fail`. Grows `bytes` in
/// either case.
pub fn increment(
    bytes: &mut Vec<u8>,
    field: FieldType,
    offset: u64,
    increment: i64,
    overflow: Overflow,
) -> Option<i64> {
    let old = get(bytes, field, offset);
    update(bytes, field, offset, fit(field, old, increment, overflow))
}

fn update(bytes: &mut Vec<u8>, field: FieldType, offset: u64, value: Option<i64>) -> Option<i64> {
    bits::grow(bytes, offset + u64::from(field.bits));
    let value = value?;
    for bit in 0..field.bits {
        let set = value as u64 >> (field.bits - 1 - bit) & 1 == 1;
        bits::set(bytes, offset + u64::from(bit), set);
    }
    Some(value)
}

fn fit(field: FieldType, value: i64, increment: i64, overflow: Overflow) -> Option<i64> {
    let limit = if field.signed {
        signed_limit(value, increment, field.bits)
    } else {
        unsigned_limit(value as u64, increment, field.bits)
    };
    let sum = value.wrapping_add(increment);
    match (limit, overflow) {
        (None, _) => Some(sum),
        (Some(_), Overflow::Wrap) if field.signed => Some(sign_extend(sum as u64, field.bits)),
        (Some(_), Overflow::Wrap) => Some(sum & i64::MAX >> (63 - field.bits)),
        (Some(limit), Overflow::Saturate) => Some(limit),
        (Some(_), Overflow::Fail) => None,
    }
}

/// The limit that `value + increment` passes, if any. Follows Redis's arithmetic to the letter: its wrapping differences
/// take values far below the minimum for values above the maximum.
fn signed_limit(value: i64, increment: i64, bits: u32) -> Option<i64> {
    let max = i64::MAX >> (64 - bits);
    let min = -max - 1;
    let (up, down) = (max.wrapping_sub(value), min.wrapping_sub(value));
    if value > max || (bits != 64 && increment > up) || (value >= 0 && increment > 0 && increment > up) {
        Some(max)
    } else if value < min
        || (bits != 64 && increment < down)
        || (value < 0 && increment < 0 && increment < down)
    {
        Some(min)
    } else {
        None
    }
}

fn unsigned_limit(value: u64, increment: i64, bits: u32) -> Option<i64> {
    let max = i64::MAX >> (63 - bits);
    if value > max as u64 || (increment > 0 && increment > max - value as i64) {
        Some(max)
    } else if increment < 0 && increment < -(value as i64) {
        Some(0)
    } else {
        None
    }
}

fn sign_extend(raw: u64, bits: u32) -> i64 {
    (raw << (64 - bits)) as i64 >> (64 - bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> FieldType {
        FieldType::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn types() {
        for text in ["u0", "u64", "i65", "i", "x8", "", "u+8", "u08"] {
            assert_eq!(FieldType::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn overflow() {
        let mut bytes = Vec::new();
        assert_eq!(set(&mut bytes, field("u8"), 4, 255, Overflow::Wrap), Some(0));
        assert_eq!(bytes, [0x0f, 0xf0]);
        assert_eq!(increment(&mut bytes, field("u8"), 4, 2, Overflow::Wrap), Some(1));
        assert_eq!(increment(&mut bytes, field("u8"), 4, -2, Overflow::Fail), None);
        assert_eq!(increment(&mut bytes, field("u8"), 4, -2, Overflow::Saturate), Some(0));
        assert_eq!(set(&mut bytes, field("i64"), 0, i64::MIN, Overflow::Wrap), Some(0));
        assert_eq!(increment(&mut bytes, field("i64"), 0, -1, Overflow::Wrap), Some(i64::MAX));
        assert_eq!(increment(&mut bytes, field("i64"), 0, 1, Overflow::Saturate), Some(i64::MAX));
        assert_eq!(set(&mut bytes, field("i8"), 0, 200, Overflow::Wrap), Some(127));
        assert_eq!(get(&bytes, field("i8"), 0), -56);
        assert_eq!(set(&mut bytes, field("u63"), 100, -1, Overflow::Saturate), Some(0));
        assert_eq!(get(&bytes, field("u63"), 100), i64::MAX);
    }
}
