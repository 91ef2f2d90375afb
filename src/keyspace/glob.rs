//! Redis's glob patterns (KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET).

/// More stars than this in one pattern never match.
const MAX_STARS: usize = 1000;

/// Whether `text` matches `pattern`, byte by byte: `*`, `?`, `[abc]`, `[^a-z]`, `\` before a literal. Takes at most
/// time proportional to the product of both lengths.
///
/// As in Redis a lone `*` does not match an empty text; commands treat that pattern apart.
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    attempt(pattern, text, case, 0) == Outcome::Match
}

/// A pattern of SQL's LIKE (escape `\`) for a superset of what `pattern` matches: a class becomes any byte.
pub fn superset_like(mut pattern: &[u8]) -> Vec<u8> {
    let mut like = Vec::with_capacity(pattern.len());
    while let [kind, after @ ..] = pattern {
        pattern = after;
        let literal = match (*kind, after) {
            (b'*', _) => {
                like.push(b'%');
                continue;
            }
            (b'?', _) => {
                like.push(b'_');
                continue;
            }
            (b'[', _) => {
                like.push(b'_');
                pattern = class(after, 0, Case::Sensitive).1;
                continue;
            }
            (b'\\', [escaped, after @ ..]) => {
                pattern = after;
                *escaped
            }
            (literal, _) => literal,
        };
        if matches!(literal, b'%' | b'_' | b'\\') {
            like.push(b'\\');
        }
        like.push(literal);
    }
    like
}

/// The bytes that every match of `pattern` begins with.
pub fn literal_prefix(mut pattern: &[u8]) -> Vec<u8> {
    let mut prefix = Vec::new();
    while let [kind, after @ ..] = pattern {
        let (literal, after) = match (*kind, after) {
            (b'*' | b'?' | b'[', _) => break,
            (b'\\', [escaped, after @ ..]) => (*escaped, after),
            (literal, _) => (literal, after),
        };
        prefix.push(literal);
        pattern = after;
    }
    prefix
}

/// Whether ASCII letters have to match exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Sensitive,
    Insensitive,
}

#[derive(PartialEq)]
enum Outcome {
    Match,
    Mismatch,
    /// What follows a star was found nowhere in the rest of the text: letting earlier stars take more cannot help.
    Hopeless,
}

fn attempt(mut pattern: &[u8], mut text: &[u8], case: Case, stars: usize) -> Outcome {
    if stars > MAX_STARS {
        return Outcome::Mismatch;
    }
    while let ([kind, after @ ..], [byte, rest @ ..]) = (pattern, text) {
        pattern = match *kind {
            b'*' => return star(after, text, case, stars),
            b'?' => after,
            b'[' => match class(after, *byte, case) {
                (true, after) => after,
                (false, _) => return Outcome::Mismatch,
            },
            kind => {
                let (literal, after) = match (kind, after) {
                    (b'\\', [escaped, after @ ..]) => (*escaped, after),
                    _ => (kind, after),
                };
                if !same(literal, *byte, case) {
                    return Outcome::Mismatch;
                }
                after
            }
        };
        text = rest;
        if text.is_empty() {
            pattern = skip_stars(pattern);
        }
    }
    if pattern.is_empty() && text.is_empty() { Outcome::Match } else { Outcome::Mismatch }
}

fn star(after: &[u8], mut text: &[u8], case: Case, stars: usize) -> Outcome {
    let after = skip_stars(after);
    if after.is_empty() {
        return Outcome::Match;
    }
    while !text.is_empty() {
        match attempt(after, text, case, stars + 1) {
            Outcome::Mismatch => text = &text[1..],
            decided => return decided,
        }
    }
    Outcome::Hopeless
}

fn skip_stars(pattern: &[u8]) -> &[u8] {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    &pattern[stars..]
}

/// Whether `byte` is in the class that starts behind its `[`, and what follows the class. A class without `]` ends
/// with the pattern.
fn class(mut pattern: &[u8], byte: u8, case: Case) -> (bool, &[u8]) {
    let negated = pattern.first() == Some(&b'^');
    if negated {
        pattern = &pattern[1..];
    }
    let mut found = false;
    loop {
        pattern = match pattern {
            [b'\\', escaped, after @ ..] => {
                found |= *escaped == byte;
                after
            }
            [b']', after @ ..] => return (found != negated, after),
            [] => return (found != negated, pattern),
            [start, b'-', end, after @ ..] => {
                found |= in_range(*start, *end, byte, case);
                after
            }
            [literal, after @ ..] => {
                found |= same(*literal, byte, case);
                after
            }
        }
    }
}

fn in_range(start: u8, end: u8, byte: u8, case: Case) -> bool {
    // C's plain char is signed: bytes from 0x80 sort below 0.
    let (start, end) = if start as i8 > end as i8 { (end, start) } else { (start, end) };
    let [start, end, byte] = [start, end, byte].map(|b| fold(b, case) as i8);
    start <= byte && byte <= end
}

fn same(a: u8, b: u8, case: Case) -> bool {
    fold(a, case) == fold(b, case)
}

fn fold(byte: u8, case: Case) -> u8 {
    if case == Case::Insensitive { byte.to_ascii_lowercase() } else { byte }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "a", true),
            ("*", "", false),
            ("", "", true),
            ("a*", "a", true),
            ("a**", "a", true),
            ("*a*b*", "xxaxxbxx", true),
            ("h?llo", "hello", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            (r"h\*llo", "h*llo", true),
            (r"h\*llo", "hello", false),
            (r"a\", r"a\", true),
            (r"[\]]", "]", true),
            ("[a", "a", true),
            ("[a-", "-", true),
            ("[]", "]", false),
            ("[^]", "x", true),
            ("A", "a", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive),
                expected,
                "{pattern} {text}"
            );
        }
        assert!(matches(b"HeL[A-Z]?", b"hello", Case::Insensitive));
        assert!(matches(b"[\x80-a]", b"\x00", Case::Sensitive));
    }

    #[test]
    fn for_sql() {
        for (pattern, like, prefix) in [
            ("user:*", "user:%", "user:"),
            ("a?[b-]]c*", "a__c%", "a"),
            (r"50%_\*\\x", r"50\%\_*\\x", r"50%_*\x"),
            (r"[^\]a", "_", ""),
            (r"a\", r"a\\", r"a\"),
            ("", "", ""),
        ] {
            assert_eq!(superset_like(pattern.as_bytes()), like.as_bytes(), "{pattern}");
            assert_eq!(literal_prefix(pattern.as_bytes()), prefix.as_bytes(), "{pattern}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = b"*a".repeat(900);
        assert!(!matches(&pattern, &b"a".repeat(899), Case::Sensitive));
        assert!(!matches(
            &b"a*".repeat(50),
            &[&b"a".repeat(10_000)[..], b"b"].concat().repeat(2)[1..49],
            Case::Sensitive
        ));
        assert!(!matches(&b"*?".repeat(1001), &b"a".repeat(2000), Case::Sensitive));
    }
}
