//! Keys as people may see them: alike ones under one pattern, secrets cut.

use bytes::Bytes;

/// Words longer than this that hold a digit are taken for ids or secrets.
const LONGEST_WORD: usize = 15;
/// Longer words are so even without one.
const LONGEST_NAME: usize = 31;

/// What the keys of one use have in common: `bull:*:wait`, `user:*`.
pub fn pattern(key: &Bytes) -> String {
    let mut text = String::new();
    for word in words(key) {
        if is_secret(word) {
            text.push('*');
            continue;
        }
        let mut in_digits = false;
        for &byte in word {
            let digit = byte.is_ascii_digit();
            match digit {
                true if in_digits => {}
                true => text.push('*'),
                false => text.extend(byte.escape_ascii().map(char::from)),
            }
            in_digits = digit;
        }
    }
    while let Some(shorter) = Some(text.replace("**", "*")).filter(|shorter| *shorter != text) {
        text = shorter;
    }
    text
}

/// The key, long ids and what may be a secret cut short.
pub fn redacted(key: &Bytes) -> String {
    let mut text = String::new();
    for word in words(key) {
        let shown = if is_secret(word) { &word[..4] } else { word };
        text.push_str(&shown.escape_ascii().to_string());
        if shown.len() < word.len() {
            text.push_str("...");
        }
    }
    text
}

/// Words and what stands between them, alternately. A UUID is one word.
fn words(key: &[u8]) -> Vec<&[u8]> {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80;
    let mut words = Vec::new();
    let mut rest = key;
    while let Some(first) = rest.chunk_by(|a, b| inside(*a) && inside(*b)).next() {
        let uuid = rest.get(..UUID.len()).filter(|start| is_uuid(start));
        let ends = rest.get(UUID.len()).is_none_or(|next| !inside(*next));
        let (word, after) = rest.split_at(uuid.filter(|_| ends).unwrap_or(first).len());
        words.push(word);
        rest = after;
    }
    words
}

/// The form of a UUID, 0 for each hexadecimal digit.
const UUID: &[u8] = b"00000000-0000-0000-0000-000000000000";

fn is_uuid(text: &[u8]) -> bool {
    let mut pairs = text.iter().zip(UUID);
    pairs.all(|(byte, form)| if *form == b'0' { byte.is_ascii_hexdigit() } else { byte == form })
}

fn is_secret(word: &[u8]) -> bool {
    let digits = word.iter().any(u8::is_ascii_digit);
    word.len() > if digits { LONGEST_WORD } else { LONGEST_NAME }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_keys_have_one_pattern() {
        for (key, common, shown) in [
            ("user:123", "user:*", "user:123"),
            ("bull:12:wait", "bull:*:wait", "bull:12:wait"),
            ("k12a", "k*a", "k12a"),
            ("sess:0123456789abcdef01", "sess:*", "sess:0123..."),
            ("id-550e8400-e29b-41d4", "id-*e*-e*b-*d*", "id-550e8400-e29b-41d4"),
            ("s:550e8400-e29b-41d4-a716-446655440000:x", "s:*:x", "s:550e...:x"),
            (
                "550e8400-e29b-41d4-a716-446655440000z",
                "*e*-e*b-*d*-a*-*z",
                "550e8400-e29b-41d4-a716-446655440000z",
            ),
            ("a\0b", "a\\x00b", "a\\x00b"),
            ("", "", ""),
        ] {
            let key = Bytes::from(key);
            assert_eq!((pattern(&key).as_str(), redacted(&key).as_str()), (common, shown));
        }
    }
}
