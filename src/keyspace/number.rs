//! Numbers as clients write them, with Redis's idea of what counts as one.

/// An integer as Redis accepts it everywhere: decimal digits with at most a `-` in front; no `+`, no spaces, no leading
/// zeros, no `-0`.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [digit @ b'0'..=b'9'] => Some(i64::from(digit - b'0')),
        [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..] if text.len() <= 20 => {
            std::str::from_utf8(text).ok()?.parse().ok()
        }
        _ => None,
    }
}

/// An unsigned integer as strict as [`parse_i64`] (SCAN cursors, memory sizes).
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    match text {
        [digit @ b'0'..=b'9'] => Some(u64::from(digit - b'0')),
        [b'1'..=b'9', ..] if text.len() <= 20 => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// A double as C's `strtod` reads it, all of `text`, without white space around. Infinities are accepted, NaN and what
/// over- or underflows is not.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    match Literal::parse(text)? {
        Literal::Infinite { negative } => Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY }),
        Literal::Decimal { digits, .. } => {
            let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
            let underflow = value == 0.0 && digits.iter().any(|digit| (b'1'..=b'9').contains(digit));
            (value.is_finite() && !underflow).then_some(value)
        }
        Literal::Hex { negative, mantissa, inexact, exponent } => {
            let value = hex_to_f64(mantissa, inexact, exponent);
            let underflow = value == 0.0 && mantissa != 0;
            (value.is_finite() && !underflow).then_some(if negative { -value } else { value })
        }
    }
}

/// The grammar of `strtod` and `strtold`: what a text says before it is rounded to some format.
pub(super) enum Literal {
    Infinite {
        negative: bool,
    },
    /// `digits * 10^exponent`, ASCII digits.
    Decimal {
        negative: bool,
        digits: Vec<u8>,
        exponent: i64,
    },
    /// `mantissa * 2^exponent`, a little more when `inexact`.
    Hex {
        negative: bool,
        mantissa: u128,
        inexact: bool,
        exponent: i64,
    },
}

impl Literal {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
            return Some(Self::Infinite { negative });
        }
        if let [b'0', b'x' | b'X', rest @ ..] = rest {
            return Self::parse_hex(negative, rest);
        }
        let (number, exponent) = split_exponent(rest, b'e')?;
        let (digits, fraction) = split_point(number, u8::is_ascii_digit)?;
        Some(Self::Decimal { negative, digits, exponent: exponent - fraction })
    }

    fn parse_hex(negative: bool, rest: &[u8]) -> Option<Self> {
        let (number, exponent) = split_exponent(rest, b'p')?;
        let (digits, fraction) = split_point(number, u8::is_ascii_hexdigit)?;
        let (mut mantissa, mut inexact, mut exponent) = (0u128, false, exponent - 4 * fraction);
        for digit in digits {
            let value = char::from(digit).to_digit(16)?;
            if mantissa >> 120 == 0 {
                mantissa = mantissa << 4 | u128::from(value);
            } else {
                inexact |= value != 0;
                exponent += 4;
            }
        }
        Some(Self::Hex { negative, mantissa, inexact, exponent })
    }
}

/// Exponents of more digits are as good as infinite; far from overflow in later sums.
const HUGE_EXPONENT: i64 = 1_000_000_000;

fn split_exponent(text: &[u8], mark: u8) -> Option<(&[u8], i64)> {
    let Some(place) = text.iter().position(|byte| byte.to_ascii_lowercase() == mark) else {
        return Some((text, 0));
    };
    let (negative, digits) = match &text[place + 1..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: i64, digit: &u8| (sum * 10 + i64::from(digit - b'0')).min(HUGE_EXPONENT);
    let exponent = digits.iter().fold(0, add);
    Some((&text[..place], if negative { -exponent } else { exponent }))
}

/// All digits of `text`, and how many of them stand behind the point.
fn split_point(text: &[u8], is_digit: fn(&u8) -> bool) -> Option<(Vec<u8>, i64)> {
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let (whole, fraction) = (parts.next()?, parts.next().unwrap_or_default());
    let digits = [whole, fraction].concat();
    (!digits.is_empty() && digits.iter().all(is_digit)).then_some((digits, fraction.len() as i64))
}

fn hex_to_f64(mantissa: u128, inexact: bool, exponent: i64) -> f64 {
    let bits = i64::from(128 - mantissa.leading_zeros());
    if mantissa == 0 || bits + exponent < -1100 {
        return 0.0;
    }
    if bits + exponent > 1024 {
        return f64::INFINITY;
    }
    // Keep what a double holds (less when subnormal), round half to even, then scale exactly.
    let dropped = (bits - 53).max(-1074 - exponent);
    let (kept, scale) = if dropped <= 0 {
        (mantissa, exponent)
    } else {
        (shift_rounded(mantissa, dropped as u32, inexact), exponent + dropped)
    };
    let half = scale / 2;
    kept as f64 * 2f64.powi(half as i32) * 2f64.powi((scale - half) as i32)
}

/// `value / 2^bits`, rounded half to even; `inexact` says that the true value is a little larger.
pub(super) fn shift_rounded(value: u128, bits: u32, inexact: bool) -> u128 {
    if bits == 0 {
        return value;
    }
    if bits > 128 {
        return 0;
    }
    let quotient = value.checked_shr(bits).unwrap_or(0);
    let rest = if bits == 128 { value } else { value & ((1 << bits) - 1) };
    let half = 1u128 << (bits - 1);
    let up = rest > half || (rest == half && (inexact || quotient & 1 == 1));
    quotient + u128::from(up)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, value) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("+1", None),
            ("01", None),
            (" 1", None),
            ("1 ", None),
            ("1a", None),
        ] {
            assert_eq!(parse_i64(text.as_bytes()), value, "{text}");
        }
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"-1"), None);
    }

    #[test]
    fn doubles() {
        for (text, value) in [
            ("1.5", Some(1.5)),
            ("+.5", Some(0.5)),
            ("5.", Some(5.0)),
            ("-1e3", Some(-1000.0)),
            ("0x1.8p1", Some(3.0)),
            ("0X10", Some(16.0)),
            ("0x1p-1074", Some(5e-324)),
            ("0x1p-1076", None),
            ("Inf", Some(f64::INFINITY)),
            ("-infinity", Some(f64::NEG_INFINITY)),
            ("nan", None),
            ("1e400", None),
            ("1e-400", None),
            ("0e400", Some(0.0)),
            (".", None),
            ("0x", None),
            ("1e", None),
            ("1e+", None),
            (" 1", None),
            ("1 ", None),
            ("", None),
            ("+-1", None),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), value, "{text}");
        }
    }
}
