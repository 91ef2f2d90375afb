//! The arithmetic of INCRBYFLOAT: x87's 80-bit `long double`, which Redis uses on the machines people run it on.

use super::number::{Literal, parse_i64, shift_rounded};

/// Exponents of the lowest mantissa bit, of the smallest and of the largest numbers.
const MIN_EXPONENT: i64 = -16445;
const MAX_EXPONENT: i64 = 16320;
/// Redis reads numbers into a buffer of this size.
const LONGEST: usize = 5 * 1024 - 1;
/// Decimal exponents beyond which a number of at most `LONGEST` digits over- or underflows for sure.
const MAGNITUDE: i64 = 5000;

/// A number with a 64-bit mantissa, or an infinity. No NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extended {
    negative: bool,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `mantissa * 2^exponent`; the highest mantissa bit is set unless the number is 0 or subnormal.
    Finite {
        mantissa: u64,
        exponent: i64,
    },
    Infinite,
}

impl Extended {
    /// What `strtold` makes of all of `text`; `None` for what Redis calls "not a valid float". Infinities are valid.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        if let Some(integer) = parse_i64(text) {
            return Self::rounded(integer < 0, u128::from(integer.unsigned_abs()), 0, false);
        }
        match Literal::parse(text)? {
            Literal::Infinite { negative } => Some(Self { negative, kind: Kind::Infinite }),
            Literal::Hex { negative, mantissa, inexact, exponent } => {
                let value = Self::rounded(negative, mantissa, exponent, inexact)?;
                (mantissa == 0 || !value.is_zero()).then_some(value)
            }
            Literal::Decimal { negative, digits, exponent } => {
                Self::from_decimal(negative, &digits, exponent)
            }
        }
    }

    /// The sum, or `None` when it is not finite.
    pub fn plus(self, other: Self) -> Option<Self> {
        let (Kind::Finite { .. }, Kind::Finite { .. }) = (self.kind, other.kind) else { return None };
        let (large, small) = if self.exponent() >= other.exponent() { (self, other) } else { (other, self) };
        let distance = (large.exponent() - small.exponent()) as u32;
        let left = distance.min(63);
        let right = distance - left;
        let high = u128::from(large.mantissa()) << left;
        let shifted = u128::from(small.mantissa()).checked_shr(right).unwrap_or(0);
        let inexact = right > 0
            && (right >= 64 && small.mantissa() != 0 || shifted << right.min(64) != small.mantissa().into());
        let exponent = large.exponent() - i64::from(left);
        if large.negative == small.negative {
            return Self::rounded(large.negative, high + shifted, exponent, inexact);
        }
        if high >= shifted && !(high == shifted && inexact) {
            let sum = high - shifted - u128::from(inexact);
            let negative = large.negative && (sum != 0 || inexact);
            Self::rounded(negative, sum, exponent, inexact)
        } else {
            Self::rounded(small.negative, shifted - high, exponent, inexact)
        }
    }

    /// Redis's text of it: `%.17Lf` without trailing zeros.
    pub fn to_text(self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let Kind::Finite { mantissa, exponent } = self.kind else { return format!("{sign}inf") };
        if exponent >= 0 {
            let mut whole = Natural::from(mantissa);
            whole.shift_left(exponent as usize);
            return format!("{sign}{}", whole.into_decimal());
        }
        const ONE: u128 = 10u128.pow(17);
        let scaled =
            shift_rounded(u128::from(mantissa) * ONE, u32::try_from(-exponent).unwrap_or(u32::MAX), false);
        let text = format!("{}.{:017}", scaled / ONE, scaled % ONE);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        if text == "0" { text.to_string() } else { format!("{sign}{text}") }
    }

    fn is_zero(self) -> bool {
        matches!(self.kind, Kind::Finite { mantissa: 0, .. })
    }

    fn mantissa(self) -> u64 {
        match self.kind {
            Kind::Finite { mantissa, .. } => mantissa,
            Kind::Infinite => 0,
        }
    }

    fn exponent(self) -> i64 {
        match self.kind {
            Kind::Finite { exponent, .. } => exponent,
            Kind::Infinite => MAX_EXPONENT,
        }
    }

    fn from_decimal(negative: bool, digits: &[u8], exponent: i64) -> Option<Self> {
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        let digits = &digits[leading..];
        if digits.is_empty() {
            return Self::rounded(negative, 0, 0, false);
        }
        if (digits.len() as i64 + exponent).abs() > MAGNITUDE {
            return None;
        }
        let (mut numerator, mut denominator) = (Natural::from_digits(digits), Natural::from(1));
        let scaled = if exponent < 0 { &mut denominator } else { &mut numerator };
        scaled.multiply_power_of_ten(exponent.unsigned_abs() as usize);
        let (quotient, scale, inexact) = divide(numerator, denominator);
        let value = Self::rounded(negative, quotient, scale, inexact)?;
        (!value.is_zero()).then_some(value)
    }

    /// `value * 2^exponent`, a little more when `inexact`, rounded half to even; `None` when that overflows.
    fn rounded(negative: bool, value: u128, exponent: i64, inexact: bool) -> Option<Self> {
        if value == 0 {
            return Some(Self { negative, kind: Kind::Finite { mantissa: 0, exponent: MIN_EXPONENT } });
        }
        let excess = 64 - i64::from(value.leading_zeros());
        let dropped = excess.max(MIN_EXPONENT - exponent);
        let (mut mantissa, mut exponent) = if dropped <= 0 {
            (value << -dropped, exponent + dropped)
        } else {
            let bits = u32::try_from(dropped).unwrap_or(u32::MAX);
            (shift_rounded(value, bits, inexact), exponent.saturating_add(dropped))
        };
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
        let mantissa = mantissa as u64;
        (exponent <= MAX_EXPONENT).then_some(Self { negative, kind: Kind::Finite { mantissa, exponent } })
    }
}

/// The first 66 bits of a quotient, their exponent, and whether there is more.
fn divide(mut numerator: Natural, mut denominator: Natural) -> (u128, i64, bool) {
    let (high, low) = (numerator.bits() as i64, denominator.bits() as i64);
    let scale = high - low;
    if scale >= 0 {
        denominator.shift_left(scale as usize);
    } else {
        numerator.shift_left(-scale as usize);
    }
    // Both have the same number of bits now: the quotient is between 1/2 and 2.
    let mut quotient = 0u128;
    for step in 0..67 {
        if step > 0 {
            numerator.shift_left(1);
        }
        quotient <<= 1;
        if numerator.is_at_least(&denominator) {
            numerator.subtract(&denominator);
            quotient |= 1;
        }
    }
    (quotient, scale - 66, numerator.bits() > 0)
}

/// An unsigned integer of any size, lowest limb first, no zero limb on top.
struct Natural(Vec<u32>);

impl Natural {
    fn from_digits(digits: &[u8]) -> Self {
        let mut value = Self(Vec::with_capacity(digits.len() / 9 + 2));
        for chunk in digits.chunks(9) {
            let part = chunk.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
            value.multiply_add(10u32.pow(chunk.len() as u32), part);
        }
        value
    }

    fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.0 {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn multiply_power_of_ten(&mut self, mut exponent: usize) {
        while exponent > 0 {
            let step = exponent.min(9);
            self.multiply_add(10u32.pow(step as u32), 0);
            exponent -= step;
        }
    }

    fn shift_left(&mut self, bits: usize) {
        let (limbs, bits) = (bits / 32, bits % 32);
        if bits > 0 {
            self.multiply_add(1 << bits, 0);
        }
        self.0.splice(0..0, std::iter::repeat_n(0, limbs));
    }

    fn bits(&self) -> usize {
        self.0.last().map_or(0, |top| self.0.len() * 32 - top.leading_zeros() as usize)
    }

    fn is_at_least(&self, other: &Self) -> bool {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev())).is_ge()
    }

    /// `other` is at most `self`.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0;
        for (index, limb) in self.0.iter_mut().enumerate() {
            let take = i64::from(other.0.get(index).copied().unwrap_or(0)) + borrow;
            let rest = i64::from(*limb) - take;
            *limb = rest as u32;
            borrow = i64::from(rest < 0);
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn into_decimal(mut self) -> String {
        let mut groups = Vec::new();
        while !self.0.is_empty() {
            let mut rest = 0;
            for limb in self.0.iter_mut().rev() {
                rest = rest << 32 | u64::from(*limb);
                *limb = (rest / 1_000_000_000) as u32;
                rest %= 1_000_000_000;
            }
            while self.0.last() == Some(&0) {
                self.0.pop();
            }
            groups.push(rest);
        }
        let mut text = groups.pop().unwrap_or(0).to_string();
        for group in groups.iter().rev() {
            text.push_str(&format!("{group:09}"));
        }
        text
    }
}

impl From<u64> for Natural {
    fn from(value: u64) -> Self {
        let mut natural = Self(vec![value as u32, (value >> 32) as u32]);
        while natural.0.last() == Some(&0) {
            natural.0.pop();
        }
        natural
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: &str, b: &str) -> Option<String> {
        Some(Extended::parse(a.as_bytes())?.plus(Extended::parse(b.as_bytes())?)?.to_text())
    }

    /// Replies of redis-server 7.0.15 on x86-64.
    #[test]
    fn as_incrbyfloat() {
        for (a, b, expected) in [
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("3", "-3", "0"),
            ("0.1", "0.2", "0.3"),
            ("-1", "0.99999999999999999", "-0.00000000000000001"),
            ("1e20", "1", "100000000000000000000"),
            ("1e30", "1", "1000000000000000000024696061952"),
        ] {
            assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
        }
        assert_eq!(sum("inf", "1"), None);
        assert_eq!(Extended::parse(b"nan"), None);
        assert_eq!(Extended::parse(b"1e5000"), None);
        assert_eq!(Extended::parse(b"1e-4960"), None);
    }
}
