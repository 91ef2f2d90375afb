//! The forms in which parameters are written, with Redis's complaints about them.

use crate::keyspace::number::parse_i64;

/// An integer within bounds.
pub fn integer(text: &[u8], least: i64, most: i64) -> Result<i64, String> {
    let value = parse_i64(text).ok_or("argument couldn't be parsed into an integer")?;
    within(value, least, most)
}

/// An amount of memory: a number with `k`, `kb`, `m`, `mb`, `g`, `gb` or nothing after it.
pub fn memory(text: &[u8], least: i64, most: i64) -> Result<i64, String> {
    let complaint = "argument must be a memory value";
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1024,
        b"m" => 1_000_000,
        b"mb" => 1024 * 1024,
        b"g" => 1_000_000_000,
        b"gb" => 1024 * 1024 * 1024,
        _ => return Err(complaint.to_owned()),
    };
    let number = if number.is_empty() { Some(0) } else { parse_i64(number) };
    within(number.and_then(|number| number.checked_mul(unit)).ok_or(complaint)?, least, most)
}

pub fn yes_or_no(text: &[u8]) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_slice() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err("argument must be 'yes' or 'no'".to_owned()),
    }
}

pub fn one_of(text: &[u8], words: &[&str]) -> Result<(), String> {
    match words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes())) {
        true => Ok(()),
        false => Err(format!("argument(s) must be one of the following: {}", words.join(", "))),
    }
}

fn within(value: i64, least: i64, most: i64) -> Result<i64, String> {
    match (least..=most).contains(&value) {
        true => Ok(value),
        false => Err(format!("argument must be between {least} and {most} inclusive")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_units() {
        for (text, value) in
            [("0", 0), ("1b", 1), ("2k", 2000), ("2Kb", 2048), ("3mb", 3 << 20), ("1G", 1_000_000_000)]
        {
            assert_eq!(memory(text.as_bytes(), 0, i64::MAX), Ok(value));
        }
        for text in ["1kx", "-1", "1.5mb", "x"] {
            assert_eq!(memory(text.as_bytes(), 0, i64::MAX).unwrap_err(), "argument must be a memory value");
        }
        assert_eq!(memory(b"", 1, 2).unwrap_err(), "argument must be between 1 and 2 inclusive");
    }
}
