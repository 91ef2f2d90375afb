//! Bits of string values: GETBIT, SETBIT, BITCOUNT, BITPOS, BITOP. Bit 0 is the highest bit of the first byte; beyond the
//! end everything is 0.

/// What the indexes of a range count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Byte,
    Bit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    And,
    Or,
    Xor,
    /// Has one source.
    Not,
}

pub fn get(bytes: &[u8], offset: u64) -> bool {
    let byte = usize::try_from(offset / 8).ok().and_then(|index| bytes.get(index)).copied().unwrap_or(0);
    byte & mask(offset) != 0
}

/// Sets one bit and returns what it was; grows `bytes` with zeros as far as needed.
pub fn set(bytes: &mut Vec<u8>, offset: u64, value: bool) -> bool {
    grow(bytes, offset + 1);
    let byte = &mut bytes[(offset / 8) as usize];
    let old = *byte & mask(offset) != 0;
    if value {
        *byte |= mask(offset);
    } else {
        *byte &= !mask(offset);
    }
    old
}

/// Makes `bytes` hold at least `bits` bits.
pub fn grow(bytes: &mut Vec<u8>, bits: u64) {
    let len = bits.div_ceil(8) as usize;
    if bytes.len() < len {
        bytes.resize(len, 0);
    }
}

fn mask(offset: u64) -> u8 {
    0x80 >> (offset % 8)
}

/// BITCOUNT: bits set in the inclusive range; negative indexes count from the end.
pub fn count(bytes: &[u8], range: Option<(i64, i64, Unit)>) -> i64 {
    let Some((start, end, unit)) = range else { return ones(bytes) };
    if start < 0 && end < 0 && start > end {
        return 0;
    }
    let Some((first, last)) = resolve(bytes.len(), start, end, unit) else { return 0 };
    let (first_byte, last_byte) = ((first / 8) as usize, (last / 8) as usize);
    let before = bytes[first_byte] & !(0xff >> (first % 8));
    let after = bytes[last_byte] & !(0xff << (7 - last % 8));
    ones(&bytes[first_byte..=last_byte]) - i64::from(before.count_ones() + after.count_ones())
}

/// BITPOS: the place of the first bit that equals `bit` in the inclusive range, or -1. Without an end, a search for 0
/// finds the zeros behind the value.
pub fn position(bytes: &[u8], bit: bool, start: i64, end: Option<i64>, unit: Unit) -> i64 {
    let Some((first, last)) = resolve(bytes.len(), start, end.unwrap_or(-1), unit) else { return -1 };
    let found = first_equal(bytes, bit, first, last);
    match found {
        Some(place) => place as i64,
        None if !bit && end.is_none() => bytes.len() as i64 * 8,
        None => -1,
    }
}

/// BITOP: shorter sources are continued with zeros.
pub fn combine(operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let mut result = sources.first().map(|source| source.to_vec()).unwrap_or_default();
    result.resize(len, 0);
    if operation == Operation::Not {
        result.iter_mut().for_each(|byte| *byte = !*byte);
        return result;
    }
    for source in &sources[1.min(sources.len())..] {
        let (shared, beyond) = result.split_at_mut(source.len());
        let pairs = shared.iter_mut().zip(*source);
        match operation {
            Operation::And => {
                pairs.for_each(|(byte, other)| *byte &= other);
                beyond.fill(0);
            }
            Operation::Or => pairs.for_each(|(byte, other)| *byte |= other),
            _ => pairs.for_each(|(byte, other)| *byte ^= other),
        }
    }
    result
}

/// First and last bit of a range, or `None` when it is empty.
fn resolve(len: usize, start: i64, end: i64, unit: Unit) -> Option<(u64, u64)> {
    let total = len as i64 * if unit == Unit::Bit { 8 } else { 1 };
    let from_end = |index: i64| if index < 0 { (index + total).max(0) } else { index };
    let (start, end) = (from_end(start), from_end(end).min(total - 1));
    match unit {
        _ if start > end => None,
        Unit::Byte => Some((start as u64 * 8, end as u64 * 8 + 7)),
        Unit::Bit => Some((start as u64, end as u64)),
    }
}

fn ones(bytes: &[u8]) -> i64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words: u64 = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    let in_rest: u32 = rest.iter().map(|byte| byte.count_ones()).sum();
    in_words as i64 + i64::from(in_rest)
}

fn first_equal(bytes: &[u8], bit: bool, first: u64, last: u64) -> Option<u64> {
    let (first_byte, last_byte) = ((first / 8) as usize, (last / 8) as usize);
    let flip = if bit { 0 } else { 0xff };
    let head = (bytes[first_byte] ^ flip) & (0xff >> (first % 8));
    let (index, byte) = if head != 0 {
        (first_byte, head)
    } else {
        let index = first_byte + 1 + skip(&bytes[first_byte + 1..=last_byte.max(first_byte)], flip)?;
        (index, bytes[index] ^ flip)
    };
    let place = index as u64 * 8 + u64::from(byte.leading_zeros());
    (place <= last).then_some(place)
}

/// Index of the first byte that differs from `byte`.
fn skip(bytes: &[u8], byte: u8) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let start = words.iter().take_while(|word| **word == [byte; 8]).count() * 8;
    bytes[start..].iter().position(|other| *other != byte).map(|index| start + index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_bits() {
        let mut bytes = Vec::new();
        assert!(!set(&mut bytes, 7, true));
        assert!(set(&mut bytes, 7, true));
        assert!(!set(&mut bytes, 17, false));
        assert_eq!(bytes, [1, 0, 0]);
        assert!(get(&bytes, 7) && !get(&bytes, 6) && !get(&bytes, 1 << 40));
    }

    #[test]
    fn ranges() {
        let bytes = b"foobar";
        assert_eq!(count(bytes, None), 26);
        assert_eq!(count(bytes, Some((1, 1, Unit::Byte))), 6);
        assert_eq!(count(bytes, Some((5, 30, Unit::Bit))), 17);
        assert_eq!(count(bytes, Some((-1, -2, Unit::Byte))), 0);
        assert_eq!(count(b"", Some((0, -1, Unit::Byte))), 0);
        assert_eq!(position(b"\xff\xf0\x00", false, 0, None, Unit::Byte), 12);
        assert_eq!(position(b"\x00\xff\xf0", true, 2, Some(-1), Unit::Byte), 16);
        assert_eq!(position(b"\xff\xff", false, 1, None, Unit::Byte), 16);
        assert_eq!(position(b"\xff\xff", false, 0, Some(-1), Unit::Byte), -1);
        assert_eq!(position(b"\x00\xff\xf0", true, 7, Some(15), Unit::Bit), 8);
        assert_eq!(position(b"", false, 0, None, Unit::Byte), -1);
    }

    #[test]
    fn operations() {
        let sources: [&[u8]; 2] = [b"abc", b"xy"];
        assert_eq!(combine(Operation::And, &sources), [b'a' & b'x', b'b' & b'y', 0]);
        assert_eq!(combine(Operation::Or, &sources), [b'a' | b'x', b'b' | b'y', b'c']);
        assert_eq!(combine(Operation::Xor, &sources), [b'a' ^ b'x', b'b' ^ b'y', b'c']);
        assert_eq!(combine(Operation::Not, &[b"a"]), [!b'a']);
    }
}
