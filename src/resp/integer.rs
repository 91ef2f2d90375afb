//! Hot path: decimal text of integers without allocation.

use std::ops::Deref;

const LONGEST: usize = "-9223372036854775808".len();

/// The decimal text of an `i64`, on the stack. Dereferences to its bytes.
pub struct IntegerText {
    bytes: [u8; LONGEST],
    start: u8,
}

impl IntegerText {
    pub fn new(value: i64) -> Self {
        let mut bytes = [0; LONGEST];
        let mut start = LONGEST;
        let mut rest = value.unsigned_abs();
        loop {
            start -= 1;
            bytes[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            start -= 1;
            bytes[start] = b'-';
        }
        Self { bytes, start: start as u8 }
    }
}

impl Deref for IntegerText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_display_writes() {
        for value in [0, 1, -1, 9, 10, -10, 99, 100, 12345, i64::MAX, i64::MIN, i64::MIN + 1] {
            assert_eq!(&*IntegerText::new(value), value.to_string().as_bytes());
        }
    }
}
