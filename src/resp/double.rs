//! Text of a double as Redis 7.2 and later write it in replies.

use std::ops::Deref;

use super::grisu::{self, MAX_DIGITS};
use super::integer::IntegerText;

/// The text of an `f64`, on the stack. Dereferences to its bytes.
pub struct DoubleText {
    bytes: [u8; 32],
    len: usize,
}

impl DoubleText {
    /// The shortest text that reads back as the same number: `3`, `0.1`, `1e+21`, `-0`, `inf`, `-inf`, `nan`.
    pub fn new(value: f64) -> Self {
        let mut text = Self { bytes: [0; 32], len: 0 };
        if value.is_nan() {
            text.push(b"nan");
        } else if value.is_infinite() {
            text.push(if value > 0.0 { b"inf" } else { b"-inf" });
        } else if value == 0.0 {
            text.push(if value.is_sign_negative() { b"-0" } else { b"0" });
        } else if value.abs() <= (i64::MAX / 2) as f64 && value.trunc() == value {
            text.push(&IntegerText::new(value as i64));
        } else {
            text.push_shortest(value);
        }
        text
    }

    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }

    fn push_zeros(&mut self, count: usize) {
        self.push(&b"0000000000000000000000"[..count]);
    }

    fn push_shortest(&mut self, value: f64) {
        let mut buffer = [0; MAX_DIGITS];
        let (digits, scale) = grisu::digits(value.abs(), &mut buffer);
        if value < 0.0 {
            self.push(b"-");
        }
        self.push_digits(digits, scale, value < 0.0);
    }

    /// Writes `digits * 10^scale` in Redis's layout (fpconv's `emit_digits`).
    fn push_digits(&mut self, digits: &[u8], scale: i32, negative: bool) {
        let count = digits.len() as i32;
        let exponent = scale + count - 1;
        if scale >= 0 && exponent.abs() < count + 7 {
            self.push(digits);
            self.push_zeros(scale as usize);
        } else if scale < 0 && (scale > -7 || exponent.abs() < 4) {
            let point = count + scale;
            if point <= 0 {
                self.push(b"0.");
                self.push_zeros(-point as usize);
                self.push(digits);
            } else {
                self.push(&digits[..point as usize]);
                self.push(b".");
                self.push(&digits[point as usize..]);
            }
        } else {
            let digits = &digits[..digits.len().min(18 - usize::from(negative))];
            self.push(&digits[..1]);
            if digits.len() > 1 {
                self.push(b".");
                self.push(&digits[1..]);
            }
            self.push(if exponent < 0 { b"e-" } else { b"e+" });
            self.push(&IntegerText::new(i64::from(exponent.abs())));
        }
    }
}

impl Deref for DoubleText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        for (value, text) in [
            (0.1, "0.1"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-17.25, "-17.25"),
            (1e21, "1e+21"),
            (1e300, "1e+300"),
            (1.5e-7, "1.5e-7"),
            (0.000123, "0.000123"),
            (1234567.891, "1234567.891"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(std::str::from_utf8(&DoubleText::new(value)), Ok(text));
        }
    }
}
